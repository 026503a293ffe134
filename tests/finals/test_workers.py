"""Finals trained by worker processes are those that one process trains."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from search.config.run import ExecutorConfig
from search.export import unit
from search.finals.plan import Plan
from search.finals.retrain import retrain


def trained(study: Path) -> dict[str, Any]:
    plan = Plan(seeds=3, epochs=1)
    (final,) = retrain(study, plan, None, Console(quiet=True))
    arrays = unit.read(study / final["folder"]).arrays
    return {"final": final, "arrays": {name: one.tobytes() for name, one in arrays.items()}}


@pytest.mark.slow
def test_finals_spread_over_workers_are_the_same(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(study, tmp_path / "other" / study.name))
    expected = trained(other)
    # Both workers have all cores, as this process has: another number may change the last bits.
    monkeypatch.setattr("search.finals.trainer.EXECUTOR", ExecutorConfig(per_device=2))
    assert trained(study) == expected
    assert "device: 2 workers, each cpu" in (study / "run.log").read_text()
    assert not [*(study / "checkpoints").glob("final-*")]
