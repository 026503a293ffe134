"""The kinds of layer there are, and the arithmetic of a layer's shape: sizes, weights, multiplies.

The vocabulary of kinds is the one of `convbudget cost`: a k×k convolution over all channels is
`standard`, so that it cannot be confused with the block `conv`, which is made of one.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

Kind = Literal["standard", "depthwise", "pointwise", "pool", "dense"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Padding = Literal["same", "valid"]
Size = tuple[int, int]
"""Height and width in pixels."""


def output_size(size: Size, kernel: int, stride: int, padding: Padding = "same") -> Size:
    """Return the size of a layer's output map; SAME padding as XLA and TensorFlow define it."""
    lost = kernel - 1 if padding == "valid" else 0
    return -(-(size[0] - lost) // stride), -(-(size[1] - lost) // stride)


@dataclass(frozen=True)
class Shape:
    """All that a compiled program of one layer depends on, apart from the batch.

    `inputs` and `outputs` are numbers of channels; `height` and `width` the input's pixels, 1 for
    a dense layer; `act` the activation or `linear`; `adds` whether another value is added before
    it. Every layer of an `Arch` has SAME padding; `valid` serves `convbudget cost block`.
    """

    kind: Kind
    inputs: int
    outputs: int
    height: int
    width: int
    kernel: int
    stride: int
    act: str
    adds: bool = False
    padding: Padding = "same"

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Shape of the kernel, HWIO."""
        inputs = 1 if self.kind == "depthwise" else self.inputs
        return (self.kernel, self.kernel, inputs, self.outputs)

    @property
    def in_size(self) -> Size:
        """Height and width of the input."""
        return self.height, self.width

    # Kept, because tabulating a large space asks for it some hundred thousand times.
    @cached_property
    def out_size(self) -> Size:
        """Height and width of the output."""
        return output_size(self.in_size, self.kernel, self.stride, self.padding)

    @property
    def in_elements(self) -> int:
        """Elements of the input for one image."""
        return self.height * self.width * self.inputs

    @property
    def out_elements(self) -> int:
        """Elements of the output for one image."""
        height, width = self.out_size
        return height * width * self.outputs

    @property
    def weights(self) -> int:
        """Scalars of the kernel."""
        if self.kind == "pool":
            return 0
        height, width, inputs, outputs = self.kernel_shape
        return height * width * inputs * outputs

    @property
    def multiplies(self) -> int:
        """Multiplications for one image: each weight is used once at every output position."""
        height, width = self.out_size
        return height * width * self.weights
