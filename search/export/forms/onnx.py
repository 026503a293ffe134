"""ONNX: one Conv or Gemm per layer, NCHW, any batch; optionally quantised to int8."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from search.export.folded import Floats, Folded, groups_of, pads_of
from search.networks.layers import Layer

FILE = "model.onnx"
# Of 2022: what runtimes of several years read. Nothing here needs a newer one.
_OPSET, _IR = 17, 8
_INPUT, _OUTPUT = "images", "logits"


def write(network: Folded, folder: Path, calibration: Floats | None) -> None:
    """Write `model.onnx`, quantised with the images `calibration` [n, h, w, c] if given."""
    model = model_of(network)
    onnx.checker.check_model(model, full_check=True)
    if calibration is None:
        onnx.save(model, folder / FILE)
        return
    _quantise(model, folder / FILE, calibration)


def load(folder: Path) -> Callable[[Floats], Floats]:
    """Return the written file as a function from images [n, h, w, c] to logits [n, classes]."""
    session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run([_OUTPUT], {_INPUT: _nchw(images)})[0])


def caller(folder: Path, threads: int) -> Callable[[Floats], Callable[[], object]]:
    """Return the written file as a function from images [n, h, w, c] to a call that runs them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # The bytes, so that the folder may go.
    model = (folder / FILE).read_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def call(images: Floats) -> Callable[[], object]:
        given = {_INPUT: _nchw(images)}
        return lambda: session.run([_OUTPUT], given)

    return call


def model_of(network: Folded) -> onnx.ModelProto:
    """Return the ONNX model of a network."""
    graph = _Graph()
    image = _INPUT
    if network.offset is not None:
        image = graph.add(
            "Sub", "centred", image, graph.constant("mean", network.offset[:, None, None])
        )

    def apply(layer: Layer, x: str, added: str | None) -> str:
        shape = layer.shape
        (top, bottom), (left, right) = pads_of(shape)
        window = {
            "kernel_shape": [shape.kernel, shape.kernel],
            "strides": [shape.stride, shape.stride],
            "pads": [top, left, bottom, right],
        }
        if shape.kind == "pool":
            return graph.add("MaxPool", layer.path, x, **window)
        weights = network.weights[layer.path]
        kernel = graph.constant(f"{layer.path}.weight", weights.kernel.transpose(3, 2, 0, 1))
        bias = graph.constant(f"{layer.path}.bias", weights.bias)
        y = graph.add("Conv", layer.path, x, kernel, bias, group=groups_of(shape), **window)
        if added is not None:
            y = graph.add("Add", f"{layer.path}.add", y, added)
        return graph.activation(f"{layer.path}.{shape.act}", y, shape.act)

    features = network.walk(image, apply)
    pooled = graph.add("GlobalAveragePool", "pooled", features)
    flat = graph.add("Flatten", "features", pooled)
    kernel = graph.constant("classifier.weight", network.dense.kernel)
    bias = graph.constant("classifier.bias", network.dense.bias)
    graph.add("Gemm", _OUTPUT, flat, kernel, bias)
    shape = network.arch.input
    made = helper.make_graph(
        graph.nodes,
        f"convbudget-{network.arch.id}",
        [_floats(_INPUT, "batch", shape.channels, shape.height, shape.width)],
        [_floats(_OUTPUT, "batch", network.arch.classes)],
        graph.constants,
    )
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="convbudget",
    )


class _Graph:
    """Nodes and constants while a graph is written; each node is named after its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, output: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: Floats) -> str:
        """Add a constant, once for each name, and return the name."""
        if name not in {constant.name for constant in self.constants}:
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def activation(self, name: str, x: str, act: str) -> str:
        """Add an activation and return its output, `x` itself for none."""
        match act:
            case "linear":
                return x
            case "relu":
                return self.add("Relu", name, x)
            case "relu6":
                low, high = (
                    self.constant(str(bound), np.asarray(bound, np.float32)) for bound in (0.0, 6.0)
                )
                return self.add("Clip", name, x, low, high)
            case "swish":
                return self.add("Mul", name, x, self.add("Sigmoid", f"{name}.sigmoid", x))
        raise ValueError(f"the activation {act} has no form in ONNX")


def _floats(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Reader:
    """Images for calibration, as onnxruntime asks for them."""

    def __init__(self, images: Floats) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next image by the name of the input, None after the last."""
        image = next(self._images, None)
        return None if image is None else {_INPUT: image[None]}


def _quantise(model: onnx.ModelProto, path: Path, calibration: Floats) -> None:
    """Write the model with int8 weights, one scale for each output channel, and activations."""
    # Imported here: it takes a second, and only --int8 needs it.
    from onnxruntime.quantization import QuantType, quantize_static

    root = logging.getLogger()
    level = root.level
    # It advises a preprocessing that folds BatchNorm, which is folded already.
    root.setLevel(logging.ERROR)
    try:
        quantize_static(
            model,
            path,
            _Reader(_nchw(calibration)),
            per_channel=True,
            # Weights of 7 bits: those of 8 overflow onnxruntime's 16-bit sums on x86 without VNNI,
            # which cost a network of the digits 0.05 of its accuracy.
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)


def _nchw(images: Floats) -> Floats:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
