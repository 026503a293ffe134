"""Every form computes what NumPy does by the meaning of the arch format, layer for layer."""

import ast
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from export.packing import ARCHS, expected, normalised, random_packed, random_pixels

from search.export.folded import fold
from search.export.forms import FORMS
from search.export.forms import onnx as onnx_form
from search.export.forms.source import SOURCE, WEIGHTS

# Of every type of block, with and without stem pooling, of all activations.
FEW = range(3)
CHOSEN = [
    *(pytest.param("onnx", index) for index in range(len(ARCHS))),
    *(
        pytest.param(form, index, marks=() if index in FEW else pytest.mark.slow)
        for form in ("stablehlo", "flax")
        for index in range(len(ARCHS))
    ),
    *(pytest.param("torch", index, marks=pytest.mark.torch) for index in range(len(ARCHS))),
    *(
        pytest.param(
            "tflite",
            index,
            marks=(pytest.mark.tensorflow, *([] if index in FEW else [pytest.mark.slow])),
        )
        for index in range(len(ARCHS))
    ),
]


def module_of(form: str):
    for package in FORMS[form].packages:
        pytest.importorskip(package, reason=f"{form} needs {package}: {FORMS[form].install}")
    return import_module(f"search.export.forms.{form}")


@pytest.mark.parametrize(("form", "index"), CHOSEN)
def test_a_form_computes_what_numpy_does(form: str, index: int, tmp_path: Path) -> None:
    module, rng = module_of(form), np.random.default_rng(index)
    packed = random_packed(ARCHS[index], rng)
    # Half of them take normalised images.
    raw = index % 2 == 1
    module.write(fold(packed, raw=raw), tmp_path, None)
    logits = module.load(tmp_path)
    # Flax compiles for each number of images; any other form takes what comes.
    for count in (3,) if form == "flax" else (1, 3):
        pixels = random_pixels(packed.arch, rng, count)
        found = logits(normalised(packed, pixels) if raw else pixels)
        wanted = expected(packed, pixels)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("index", range(len(ARCHS)))
def test_onnx_has_one_node_for_each_layer(index: int) -> None:
    network = fold(random_packed(ARCHS[index], np.random.default_rng(index)))
    model = onnx_form.model_of(network)
    kinds = Counter(node.op_type for node in model.graph.node)
    pools = ARCHS[index].stem.pool == 2
    assert kinds["Conv"] == len(network.layers) - pools
    assert (kinds["MaxPool"], kinds["Gemm"], kinds["Sub"]) == (pools, 1, 1)
    named = {"Conv", "MaxPool", "Gemm", "Sub", "Add", "GlobalAveragePool", "Flatten"}
    assert set(kinds) <= named | {"Relu", "Clip", "Sigmoid", "Mul"}
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert batch.dim_param == "batch"


def test_stablehlo_is_for_three_platforms_and_any_batch(tmp_path: Path) -> None:
    from jax import export

    module = module_of("stablehlo")
    module.write(fold(random_packed(ARCHS[0], np.random.default_rng(0))), tmp_path, None)
    exported = export.deserialize(bytearray((tmp_path / module.FILE).read_bytes()))
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert str(exported.in_avals[0].shape[0]) == "batch"


@pytest.mark.parametrize("form", ["flax", pytest.param("torch", marks=pytest.mark.torch)])
def test_a_source_file_stands_alone(form: str, tmp_path: Path) -> None:
    module, rng = module_of(form), np.random.default_rng(0)
    packed = random_packed(ARCHS[0], rng)
    module.write(fold(packed), tmp_path, None)
    text = (tmp_path / SOURCE).read_text()
    # Whoever may read the one may read the other.
    assert (tmp_path / WEIGHTS).stat().st_mode == (tmp_path / SOURCE).stat().st_mode
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert names <= {"pathlib", "jax", "flax", "torch", "safetensors"}
    # Elsewhere, without this project: as the docstring of the file says.
    pixels = random_pixels(packed.arch, rng)
    np.save(tmp_path / "images.npy", pixels.transpose(0, 3, 1, 2) if form == "torch" else pixels)
    program = [
        "import numpy as np, network",
        "images = np.load('images.npy')",
        *(["import torch; images = torch.from_numpy(images)"] if form == "torch" else []),
        "found = network.load()(images)",
        *(["found = found.detach().numpy()"] if form == "torch" else []),
        "np.save('logits.npy', np.asarray(found))",
        "assert len(network.CLASSES) == found.shape[1]",
    ]
    command = [sys.executable, "-c", "\n".join(program)]
    subprocess.run(command, cwd=tmp_path, check=True, env={"JAX_PLATFORMS": "cpu", "PATH": ""})
    wanted = expected(packed, pixels)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), wanted, rtol=1e-4, atol=1e-4)
    assert packed.data["name"] in ast.literal_eval(text.split("DATA = ")[1].split("\n")[0])


CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.mark.tensorflow
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("index", range(5))
def test_tflite_has_one_operator_for_each_layer(index: int, int8: bool, tmp_path: Path) -> None:
    module, rng = module_of("tflite"), np.random.default_rng(index)
    network = fold(random_packed(ARCHS[index], rng))
    calibration = random_pixels(network.arch, rng, 50) if int8 else None
    module.write(network, tmp_path, calibration)
    interpreter = module.opened((tmp_path / module.FILE).read_bytes())
    details = [each for each in interpreter._get_ops_details() if each["op_name"] != "DELEGATE"]
    kinds = Counter(each["op_name"] for each in details)
    # One for each layer with weights; none is unrolled into multiplies and slices.
    assert sum(kinds[name] for name in CONVOLUTIONS) == len(network.weights) + 1
    assert not {"SLICE", "STRIDED_SLICE", "CONCATENATION", "PAD", "TRANSPOSE"} & set(kinds)
    assert kinds["MAX_POOL_2D"] == (network.arch.stem.pool == 2)
    types = {each["dtype"] for each in interpreter.get_tensor_details()}
    assert (np.int8 in types) == int8


def test_folding_keeps_the_type_and_takes_the_mean_out_of_the_pixels() -> None:
    packed = random_packed(ARCHS[1], np.random.default_rng(1))
    network = fold(packed)
    assert {w.kernel.dtype for w in network.weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(network.offset, 255 * np.asarray(packed.data["mean"]), rtol=1e-6)
    assert fold(packed, raw=True).offset is None
