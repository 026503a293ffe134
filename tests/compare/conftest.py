"""Studies by formula, for comparisons that need no training."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.jobs import Job, Result
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

Maker = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Make a study of random costs whose accuracy grows with the cost's logarithm."""

    def made(
        name: str,
        *,
        seed: int = 0,
        count: int = 20,
        bonus: float = 0.0,
        strategy: str = "random",
        cheapest: int = 1000,
        high: int = 100_000,
        chance: float = 0.1,
        data: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
        settings: Mapping[str, Any] | None = None,
        trials: list[Trial] | None = None,
    ) -> Path:
        described = {
            "data": {"name": "digits", "validation_fraction": 0.2, **(data or {})},
            "space": {"name": "small", "ops": ["conv"]},
            "strategy": {"name": strategy, "start": None},
            "budget": high,
            "seed": seed,
            "fingerprints": {"train": fingerprint or f"t{seed}", "validation": f"v{seed}"},
            **(settings or {}),
        }
        info = StudyInfo(
            cheapest, 10**6, 0, high, 50, True, chance, 4, {"name": "two", "classes": ["a", "b"]}
        )
        rng = np.random.default_rng(seed)
        with Study.open(tmp_path / name, described, info) as study:
            rows = (
                trials
                if trials is not None
                else [
                    row(n, int(cost), 0.2 + 0.1 * np.log10(cost) + bonus + 0.02 * rng.random())
                    for n, cost in enumerate(10 ** rng.uniform(3, 5, count))
                ]
            )
            for one in rows:
                study.add(one)
        return tmp_path / name

    return made


def row(
    number: int,
    multiplies: int,
    accuracy: float,
    *,
    epochs: int = 4,
    seconds: float = 2.0,
    arch: str | None = None,
    same_as: int | None = None,
    status: str = "ok",
) -> Trial:
    """Return a trial of its own architecture, unless `arch` names one."""
    return Trial(
        number,
        Job((multiplies,), epochs, 0),
        json.dumps({"cost": multiplies}),
        arch or f"{multiplies:012x}",
        multiplies,
        None,
        number,
        Result(accuracy, 0.5, seconds, status),  # type: ignore[arg-type]
        same_as,
    )


@pytest.fixture
def trial() -> Callable[..., Trial]:
    """Return a trial of its own architecture, unless `arch` names one."""
    return row
