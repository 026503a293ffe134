"""`confirm.seeds` on the shrunk default study: from the command line to the reloaded weights."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import search
from search.__main__ import main
from search.study.study import Study

SHRUNK = ["trials=1", "epochs=1", "budget=30k", "study=tiny"]


def test_a_front_is_confirmed_by_the_same_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *SHRUNK, f"outputs={tmp_path}"]
    folder = tmp_path / "tiny"
    assert main(words) == 0
    assert "confirm.seeds=3" in " ".join(capsys.readouterr().out.split())
    with Study.read(folder) as study:
        before = study.trials()
    assert main([*words, "confirm.seeds=2"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "in search" in shown
    assert "confirm.seeds=3" not in shown
    with Study.read(folder) as study:
        assert study.trials() == before
        lowest, _ = study.confirm_seeds
        again = study.confirmations()
        assert list(study.confirmation_curves()) == [one.number for one in again]
        assert {t.job.seed for t in again} == set(study.confirm_seeds)
    rows = list(csv.DictReader((folder / "front.csv").read_text().splitlines()))
    assert {(row["seeds"], row["seed"]) for row in rows} == {("2", str(lowest))}
    assert json.loads((folder / "front.json").read_text())["confirmed"]
    assert "in search" in (folder / "front.html").read_text()
    for row in rows:
        own = [t.result.accuracy for t in again if t.arch_id == row["arch_id"]]
        assert float(row["accuracy"]) == pytest.approx(np.mean(own), abs=1e-5)
        assert float(row["accuracy_std"]) == pytest.approx(np.std(own, ddof=1), abs=1e-5)
        with safe_open(folder / "weights" / f"{row['arch_id']}.safetensors", "np") as file:
            assert file.metadata()["training"] == f"1 epoch, seed {lowest}"
    files = {path: path.stat().st_mtime_ns for path in (folder / "weights").iterdir()}
    # Confirmed is confirmed: nothing is trained or written again when nobody asks.
    assert main(words) == 0
    assert "confirming" not in capsys.readouterr().out
    assert json.loads((folder / "front.json").read_text())["confirmed"]
    assert files == {path: path.stat().st_mtime_ns for path in (folder / "weights").iterdir()}
    model = search.load(folder)
    assert model.accuracy == pytest.approx(float(rows[-1]["accuracy"]), abs=1e-5)
    assert main(["compare", str(folder)]) == 0
    assert "confirmed with fresh seeds" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["-1", "101"])
def test_a_number_of_seeds_out_of_range_is_refused(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"confirm.seeds={value}"]) == 2
    assert f"confirm.seeds={value} must be an integer from 0 to 100" in capsys.readouterr().err
