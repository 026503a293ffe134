"""What is decided for accelerators, as far as a machine without one can tell."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from jax.extend.core import jaxprs_in_params
from jax.sharding import SingleDeviceSharding

sys.path.insert(0, str(Path(__file__).parent))
from small import EVERY_OP, TINY, dataset, evaluator

from search.config.train import TrainConfig
from search.engine.batches import resident_bytes
from search.engine.programs import cache as caching
from search.engine.programs import compile as compiling
from search.engine.programs.cache import ProgramSpec
from search.engine.programs.choice import per_layer_steps
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.engine.programs.store import ProgramStore
from search.engine.signature import signature
from search.errors import UserError
from search.executors.devices import use_one_device
from search.networks import zoo
from search.networks.arch import Arch
from search.networks.layers import layers_of
from search.study.settings import refuse_changes

SHARDING = SingleDeviceSharding(jax.local_devices()[0])
IMAGE, LENGTHS = (6, 5, 1), (50, 13)


def specs(platform: str, dtype: str, arch: Arch = EVERY_OP) -> list[ProgramSpec]:
    """Every program of a network, by default one with every operation, as on a platform."""
    recipe = replace(evaluator(dataset())._trainer.recipe, platform=platform, dtype=dtype)
    given = (layers_of(arch), recipe, IMAGE)
    kinds = (
        PerLayerPrograms(*given, LENGTHS),
        PerStepProgram(*given, LENGTHS),
        PerEpochProgram(*given, LENGTHS, 2, 3),
    )
    return [spec for kind in kinds for spec in kind.program_specs()]


def equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_float32_is_multiplied_as_float32(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU the default is TF32, on a TPU one pass of bfloat16."""
    monkeypatch.setattr(compiling, "platform_of", lambda _: "gpu")
    wide = 0
    for spec in specs("gpu", dtype):
        traced = compiling.traced(spec.function, spec.arguments, SHARDING)
        for equation in equations(traced.jaxpr.jaxpr):
            if equation.primitive.name in ("dot_general", "conv_general_dilated"):
                operands = {str(value.aval.dtype) for value in equation.invars}
                if operands == {"float32"}:
                    wide += 1
                    highest = jax.lax.Precision.HIGHEST
                    assert set(equation.params["precision"]) == {highest}, spec.key[0]
                else:
                    assert dtype == "bfloat16"
    # In bfloat16 the classifier alone, with both of its gradients, in all three kinds.
    assert wide >= (9 if dtype == "bfloat16" else 50)


def test_an_epoch_is_a_loop_whose_length_the_host_knows() -> None:
    """A loop until a number on the device waits for the host before each of its steps."""
    looped = [spec for spec in specs("gpu", "float32", TINY) if spec.key[0].startswith("looped")]
    for spec in looped:
        traced = compiling.traced(spec.function, spec.arguments, SHARDING)
        names = [equation.primitive.name for equation in equations(traced.jaxpr.jaxpr)]
        assert "scan" in names
        assert "while" not in names


def test_a_gpu_keeps_which_kernels_are_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the programs: so all candidates of a study take the same kernel for a shape."""
    given = []

    def compiled(*_: Any, **options: Any) -> jax.stages.Compiled:
        given.append(options["tuned"])
        return jax.jit(lambda x: x).lower(1.0).compile()

    monkeypatch.setattr(caching, "compiled", compiled)
    store = ProgramStore(tmp_path, jax.local_devices()[0])
    spec = ProgramSpec("a key", lambda x: x, ())
    for kept in (store, None):
        caching._made(spec, SHARDING, kept)
    assert given == [tmp_path, None]
    option = "xla_gpu_per_fusion_autotune_cache_dir"
    assert option not in compiling.options_of(SHARDING, tuned=tmp_path)
    monkeypatch.setattr(compiling, "platform_of", lambda _: "gpu")
    # Accepted by this machine's XLA too, which knows the options of all platforms.
    assert compiling.options_of(SHARDING, tuned=tmp_path / "gpu") == {option: str(tmp_path / "gpu")}
    assert compiling.accepted({"xla_gpu_option_of_no_version": "x"}) == {}


def test_when_a_networks_own_program_pays_depends_on_the_platform() -> None:
    """By the CPU's figures a GPU would compile a network of 18 M multiplies after one epoch."""
    layers = layers_of(zoo.network("cifar_resnet20", width=0.66))
    recipe = replace(evaluator(dataset(), convolutions="jax")._trainer.recipe, batch=128)
    changes = [
        per_layer_steps(layers, replace(recipe, platform=platform), 400, "auto")
        for platform in ("cpu", "gpu", "tpu")
    ]
    assert changes[0] == 400
    assert changes[1] == changes[2] > 4000


def test_how_many_images_lie_on_the_device_depends_on_its_memory() -> None:
    def device(platform: str, **stats: int) -> Any:
        return SimpleNamespace(platform=platform, memory_stats=lambda: stats or None)

    assert resident_bytes(None, jax.local_devices()[0]) == 2**30
    assert resident_bytes(None, device("gpu", bytes_limit=60 * 2**30)) == 15 * 2**30
    assert resident_bytes(None, device("tpu")) == 2**30
    assert resident_bytes(3.0, device("gpu", bytes_limit=60 * 2**30)) == 3 * 2**20


def test_how_many_images_lie_on_the_device_is_no_ones_identity() -> None:
    """Studies and checkpoints from when it counted go on."""
    refuse_changes(None, {"train": {"resident_megabytes": 512.0, "batch": 8}}, {"train.batch": 8})
    with pytest.raises(UserError, match=r"train\.batch 8 -> 9"):
        refuse_changes(None, {"train": {"resident_megabytes": 1, "batch": 8}}, {"train.batch": 9})
    device = jax.local_devices()[0]
    few, many = (TrainConfig(resident_megabytes=size) for size in (0.0, None))
    assert signature(dataset(), few, device) == signature(dataset(), many, device)


def test_initial_weights_are_drawn_on_the_trainings_device(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, found = evaluator(dataset()), []
    monkeypatch.setattr(
        "search.engine.trainer.fresh", lambda *_: found.append(jax.config.jax_default_device)
    )
    engine._trainer._fresh(EVERY_OP, 0)
    assert found == [engine._trainer.device]


def test_one_process_takes_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("JAX_CUDA_VISIBLE_DEVICES", "JAX_ROCM_VISIBLE_DEVICES")
    for name in names:
        # So that what is set here is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(names[1], "3")
    use_one_device()  # JAX is there already: too late
    assert names[0] not in os.environ
    monkeypatch.delitem(sys.modules, "jax")
    use_one_device()
    assert [os.environ[name] for name in names] == ["0", "3"]
    # As the JAX that is installed calls them.
    assert {name.lower() for name in names} <= set(jax.config.values)
