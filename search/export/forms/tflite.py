"""TFLite: one CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED per layer, in float32 or int8.

TensorFlow's own converter reads a function of `tf.nn` calls. Tracing the JAX model instead gives
the shifted multiply-adds of its fast convolutions.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from search.data.tfds.runtime import quiet, require_tensorflow
from search.export.folded import Floats, Folded
from search.networks.layers import Layer

FILE = "model.tflite"


def write(network: Folded, folder: Path, calibration: Floats | None) -> None:
    """Write `model.tflite` for one image, quantised with `calibration` [n, h, w, c] if given.

    Images and logits stay float32 in an int8 file, so that both kinds are called alike.
    """
    with quiet(), _silent_stderr():
        converted = _convert(network, calibration)
    (folder / FILE).write_bytes(converted)


def _convert(network: Folded, calibration: Floats | None) -> bytes:
    require_tensorflow("--to tflite is written by TensorFlow")
    import tensorflow as tf

    shape = network.arch.input
    image = tf.TensorSpec((1, shape.height, shape.width, shape.channels), tf.float32, "images")
    module = tf.Module()
    module.forward = tf.function(lambda images: forward(network, images, tf), [image])
    traced = module.forward.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    if calibration is not None:

        def samples() -> Iterator[list[Floats]]:
            return ([each[None]] for each in calibration)

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    made: bytes = converter.convert()
    return made


def load(folder: Path) -> Callable[[Floats], Floats]:
    """Return the written file as a function from images [n, h, w, c] to logits [n, classes]."""
    interpreter = opened((folder / FILE).read_bytes())
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    def forward_one(image: Floats) -> Floats:
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        return np.array(interpreter.get_tensor(given["index"])[0], np.float32)

    return lambda images: np.stack([forward_one(image) for image in images])


def opened(content: bytes, batch: int = 1, threads: int | None = None) -> Any:
    """Return LiteRT's interpreter of a file's content, ready to run so many images at once."""
    with _silent_stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content, num_threads=threads)
        (taken,) = interpreter.get_input_details()
        interpreter.resize_tensor_input(taken["index"], [batch, *taken["shape"][1:]])
        interpreter.allocate_tensors()
        return interpreter


def caller(folder: Path, threads: int) -> Callable[[Floats], Callable[[], object]]:
    """Return the written file as a function from images [n, h, w, c] to a call that runs them."""
    content = (folder / FILE).read_bytes()

    def call(images: Floats) -> Callable[[], object]:
        interpreter = opened(content, len(images), threads)
        (taken,) = interpreter.get_input_details()
        interpreter.set_tensor(taken["index"], images)
        return lambda: interpreter.invoke()

    return call


def forward(network: Folded, images: Any, tf: Any) -> Any:
    """Return the logits [n, classes] of images [n, h, w, c] by TensorFlow."""
    activate = {
        "linear": lambda x: x,
        "relu": tf.nn.relu,
        "relu6": tf.nn.relu6,
        "swish": tf.nn.silu,
    }

    def apply(layer: Layer, x: Any, added: Any) -> Any:
        shape = layer.shape
        strides = [1, shape.stride, shape.stride, 1]
        if shape.kind == "pool":
            return tf.nn.max_pool2d(x, shape.kernel, shape.stride, "SAME")
        weights = network.weights[layer.path]
        if shape.kind == "depthwise":
            # [k, k, channels, 1]: one kernel for each channel.
            kernel = weights.kernel.transpose(0, 1, 3, 2)
            y = tf.nn.depthwise_conv2d(x, kernel, strides, "SAME")
        else:
            y = tf.nn.conv2d(x, weights.kernel, strides, "SAME")
        y = tf.nn.bias_add(y, weights.bias)
        return activate[shape.act](y if added is None else y + added)

    x = images if network.offset is None else images - network.offset
    features = tf.reduce_mean(network.walk(x, apply), (1, 2))
    return tf.nn.bias_add(tf.matmul(features, network.dense.kernel), network.dense.bias)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Suppress what C++ writes: notes of the converter that stand below any log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
