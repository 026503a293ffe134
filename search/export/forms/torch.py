"""PyTorch: one source file with this very network, and its weights, OIHW, as safetensors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.export.folded import Floats, Folded, groups_of, pads_of
from search.export.forms import source
from search.networks.layers import Layer
from search.networks.shapes import Shape

_ACTIVATE = {"relu": "F.relu", "relu6": "F.relu6", "swish": "F.silu"}


def write(network: Folded, folder: Path, _calibration: Floats | None) -> None:
    """Write `network.py` and `network.safetensors`."""
    weights = {}
    for layer in network.layers:
        if layer.path in network.weights:
            found, name = network.weights[layer.path], source.identifier(layer)
            weights[f"{name}.weight"] = found.kernel.transpose(3, 2, 0, 1)
            weights[f"{name}.bias"] = found.bias
    weights["classifier.weight"] = network.dense.kernel.T
    weights["classifier.bias"] = network.dense.bias
    source.leave(folder, _source(network), weights)


def load(folder: Path) -> Callable[[Floats], Floats]:
    """Return the written network as a function from images [n, h, w, c] to logits [n, classes]."""
    import torch

    network = source.run(folder).load()

    def forward(images: Floats) -> Floats:
        with torch.inference_mode():
            found = network(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))))
        return np.asarray(found.numpy())

    return forward


def _source(network: Folded) -> list[str]:
    arch = network.arch
    images = ("n", arch.input.channels, arch.input.height, arch.input.width)
    build, steps = [], []

    def apply(layer: Layer, x: str, added: str | None) -> str:
        shape, name = layer.shape, source.identifier(layer)
        if shape.kind == "pool":
            value = (
                f"F.max_pool2d({_padded(x, shape, '-torch.inf')}, {shape.kernel}, {shape.stride})"
            )
        else:
            build.append(f"self.{name} = {_layer(shape)}")
            value = f"self.{name}({x if _even(shape) else _padded(x, shape)})"
        value = value if added is None else f"{value} + {added}"
        if shape.act != "linear":
            value = f"{_ACTIVATE[shape.act]}({value})"
        out = source.shape_text(("n", shape.outputs, *shape.out_size))
        steps.append(f"{name} = {value}  # {out}")
        return name

    features = network.walk("x", apply)
    inputs, classes = network.dense.kernel.shape
    build.append(f"self.classifier = nn.Linear({inputs}, {classes})")
    if network.offset is None:
        steps.insert(0, "x = images")
    else:
        mean = 'self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)'
        build.insert(0, mean)
        steps.insert(0, "x = images - self.mean")
    return [
        *source.document(network, "torch and safetensors", images),
        "",
        "from pathlib import Path",
        "",
        "import torch",
        "import torch.nn.functional as F",
        "from safetensors.torch import load_file",
        "from torch import Tensor, nn",
        "",
        *source.constants(network),
        "",
        "",
        "class Network(nn.Module):",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *(f"        {line}" for line in build),
        "",
        "    def forward(self, images: Tensor) -> Tensor:",
        f'        """Map images {source.shape_text(images)} to logits [n, {classes}]."""',
        *(f"        {line}" for line in steps),
        f"        return self.classifier({features}.mean((2, 3)))",
        "",
        "",
        f'WEIGHTS = Path(__file__).with_name("{source.WEIGHTS}")',
        "",
        "",
        "def load(path: Path = WEIGHTS) -> Network:",
        '    """Return the trained network, in evaluation mode."""',
        "    network = Network()",
        "    network.load_state_dict(load_file(path))",
        "    return network.eval()",
    ]


def _layer(shape: Shape) -> str:
    words = [str(shape.inputs), str(shape.outputs), str(shape.kernel)]
    (top, _), (left, _) = pads_of(shape)
    if shape.stride > 1:
        words.append(f"stride={shape.stride}")
    if _even(shape) and (top or left):
        words.append(f"padding={top if top == left else (top, left)}")
    if groups_of(shape) > 1:
        words.append(f"groups={groups_of(shape)}")
    return f"nn.Conv2d({', '.join(words)})"


def _even(shape: Shape) -> bool:
    """Whether both sides get as much padding, which is all that `nn.Conv2d` can say."""
    return all(before == after for before, after in pads_of(shape))


def _padded(x: str, shape: Shape, value: str = "") -> str:
    (top, bottom), (left, right) = pads_of(shape)
    if not any((top, bottom, left, right)):
        return x
    filled = f", value={value}" if value else ""
    return f"F.pad({x}, ({left}, {right}, {top}, {bottom}){filled})"
