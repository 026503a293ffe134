"""What is decided for accelerators, as far as a machine without one can tell."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import pytest
from jax.extend.core import jaxprs_in_params
from jax.sharding import SingleDeviceSharding

sys.path.insert(0, str(Path(__file__).parent))
from small import EVERY_OP, dataset, evaluator

from search.engine.programs import compile as compiling
from search.engine.programs.cache import ProgramSpec
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.networks.layers import layers_of

SHARDING = SingleDeviceSharding(jax.local_devices()[0])
IMAGE, LENGTHS = (6, 5, 1), (50, 13)


def specs(platform: str, dtype: str) -> list[ProgramSpec]:
    """Every program of a network with every operation, of all kinds, as on a platform."""
    recipe = replace(evaluator(dataset())._trainer.recipe, platform=platform, dtype=dtype)
    given = (layers_of(EVERY_OP), recipe, IMAGE)
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
