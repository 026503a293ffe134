"""Real trainings in worker processes give what they give in the search's own."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

import search
from search.engine.evaluator import TrainingEvaluator
from search.study.study import Study


def trained(folder: Path, **executor: Any) -> dict[str, Any]:
    """Search and confirm; return results by job, and the weights left."""
    search.run(
        data="digits",
        space="small",
        budget="20k",
        trials=3,
        epochs=1,
        strategy="random",
        confirm=2,
        executor={"name": "local", **executor},
        study=folder,
        progress=False,
    )
    with Study.read(folder) as study:
        again = study.confirmations()
        every = [*study.trials(), *again]
        assert list(study.confirmation_curves()) == [trial.number for trial in again]
    return {
        "results": {(t.arch_id, t.job.seed): (t.result.accuracy, t.result.loss) for t in every},
        "weights": {
            (path.name, name): array.tobytes()
            for path in folder.glob("weights/*.safetensors")
            for name, array in load_file(path).items()
        },
    }


@pytest.mark.slow
def test_two_workers_give_the_bits_of_one(tmp_path: Path) -> None:
    # Both have all cores, as this process has: another number may sum in another order.
    two = trained(tmp_path / "two", per_device=2)
    assert two == trained(tmp_path / "one")
    assert two["weights"]
    log = (tmp_path / "two" / "run.log").read_text()
    assert "device: 2 workers, each cpu" in log
    # Two trials are left for two workers: about as long as the first one took.
    first = re.search(r" 1/3 .*  (\S+)s  \(.*, about (\d+)s left\)", log)
    assert first is not None
    assert float(first[1]) == pytest.approx(int(first[2]), abs=0.6)


def test_two_at_once_in_one_process_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proposed after the first ten depends on results and on how many were told."""

    def searched(name: str) -> list[tuple[Any, ...]]:
        found = search.run(
            data="digits",
            budget="20k",
            trials=13,
            epochs=1,
            confirm=2,
            study=tmp_path / name,
            progress=False,
        )
        with Study.read(tmp_path / name) as study:
            every = [*found.trials, *study.confirmations()]
        return [(t.number, t.arch_id, t.job.seed, t.result.accuracy, t.result.loss) for t in every]

    two = searched("two")
    monkeypatch.setattr(TrainingEvaluator, "at_once", 1)
    assert two == searched("one")


@pytest.mark.slow
def test_a_search_by_workers_does_not_start_jax(tmp_path: Path) -> None:
    program = f"""
import sys, search
if __name__ == "__main__":
    search.run(data="digits", budget="20k", trials=1, epochs=1, strategy="random", confirm=1,
               executor={{"devices": 1}}, study={str(tmp_path / "study")!r}, progress=False)
    assert "jax" not in sys.modules, "the search's own process imported JAX"
"""
    script = tmp_path / "script.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "study").glob("weights/*.safetensors"))
