"""What a trial was computed on: recorded, refused where it differs, mixed on demand."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from search.compare.figures import measure
from search.compare.studies import read
from search.errors import UserError
from search.jobs import Job, Result
from search.report.table import explanation, front_rows
from search.study.computed import differences, platform_of, platforms
from search.study.study import Study, StudyInfo
from search.study.tables import export, read_front
from search.study.trials import Trial

INFO = StudyInfo(100, 10**6, 0, 10_000, 50, True, 0.1, 8, {})
CPU = {
    "platform": "cpu",
    "device_kind": "cpu",
    "precision": "float32",
    "cores": "2",
    "jax": "0.10.2",
    "jaxlib": "0.10.2",
    "convbudget": "0.1.0",
}
GPU = {**CPU, "platform": "gpu", "device_kind": "NVIDIA H200", "precision": "bfloat16"}


def trial(number: int) -> Trial:
    job, value = Job(("conv", number), 8, 0), f'{{"n":{number}}}'
    result = Result(0.5, 0.25, 1.5)
    return Trial(number, job, value, f"{number:012x}", 1000 - number, None, number, result)


def start(folder: Path, computed: Mapping[str, str] = CPU, seed: int = 0) -> None:
    with Study.open(folder, {"seed": seed}, INFO, computed=computed) as study:
        study.add(trial(0))


def test_each_trial_says_what_it_was_computed_on(tmp_path: Path) -> None:
    with Study.open(tmp_path / "s", {}, INFO, computed=CPU) as study:
        study.add(trial(0))
        study.add_confirmation(trial(0))
        export(study, study.trials())
        assert study.notes == []
    with Study.read(tmp_path / "s") as study:
        assert [one.computed for one in study.trials()] == [CPU]
        assert [one.computed for one in study.confirmations()] == [CPU]
    (row,) = csv.DictReader((tmp_path / "s" / "trials.csv").read_text().splitlines())
    assert (row["platform"], row["device_kind"], row["precision"]) == ("cpu", "cpu", "float32")


def test_another_platform_is_refused_with_the_difference(tmp_path: Path) -> None:
    start(tmp_path / "s")
    said = (
        "device_kind cpu -> NVIDIA H200, platform cpu -> gpu, precision float32 -> bfloat16; .*"
        "allow_mixed=true"
    )
    with pytest.raises(UserError, match=said):
        Study.open(tmp_path / "s", {"seed": 0}, INFO, computed=GPU)
    # A reader is not concerned, and the lock is free again.
    Study.read(tmp_path / "s").close()
    Study.open(tmp_path / "s", {"seed": 0}, INFO, computed=CPU).close()


@pytest.mark.parametrize("key", ["platform", "device_kind", "precision"])
def test_each_of_them_alone_is_refused(tmp_path: Path, key: str) -> None:
    start(tmp_path / "s")
    with pytest.raises(UserError, match=f"something else: {key} {CPU[key]} -> other"):
        Study.open(tmp_path / "s", {"seed": 0}, INFO, computed={**CPU, key: "other"})


def test_mixing_is_allowed_on_demand_and_marked(tmp_path: Path) -> None:
    start(tmp_path / "s")
    arguments = (tmp_path / "s", {"seed": 0}, INFO)
    with Study.open(*arguments, computed=GPU, allow_mixed=True) as study:
        study.add(trial(1))
        # Its result was taken over from a trial on the CPU.
        study.add(replace(trial(2), same_as=0))
        export(study, study.trials())
        assert [one.computed for one in study.trials()] == [CPU, GPU, CPU]
        assert "mixed" in study.notes[0]
    rows = list(csv.DictReader((tmp_path / "s" / "trials.csv").read_text().splitlines()))
    assert [row["platform"] for row in rows] == ["cpu", "gpu", "cpu"]
    # Whoever goes on must say so again, on either.
    for computed in (CPU, GPU):
        with pytest.raises(UserError, match="platform cpu and gpu -> "):
            Study.open(*arguments, computed=computed)


@pytest.mark.parametrize("key", ["cores", "jax", "jaxlib", "convbudget"])
def test_cores_and_versions_are_noted(tmp_path: Path, key: str) -> None:
    start(tmp_path / "s")
    with Study.open(tmp_path / "s", {"seed": 0}, INFO, computed={**CPU, key: "9"}) as study:
        (note,) = study.notes
    assert note.startswith(f"{key} {CPU[key]} -> 9: the last bits")


def test_what_is_unknown_differs_in_nothing(tmp_path: Path) -> None:
    start(tmp_path / "s", {})
    for computed in (CPU, {}, GPU):
        with Study.open(tmp_path / "s", {"seed": 0}, INFO, computed=computed) as study:
            assert study.notes == []
    assert differences([replace(trial(0), computed=CPU)], {}) == ({}, {})


def test_the_device_may_become_known_later(tmp_path: Path) -> None:
    start(tmp_path / "s")
    with Study.open(tmp_path / "s", {"seed": 0}, INFO) as study:
        study.compute_on(CPU)
        study.add(trial(1))
        with pytest.raises(UserError, match="platform cpu -> gpu"):
            study.compute_on(GPU)
    with Study.read(tmp_path / "s") as study:
        assert [one.computed for one in study.trials()] == [CPU, CPU]


def test_what_the_search_itself_was_noted_for_is_not_noted_again(tmp_path: Path) -> None:
    start(tmp_path / "s")
    now = {**CPU, "jax": "9"}
    with Study.open(tmp_path / "s", {"seed": 0}, INFO, computed=now) as study:
        for number, computed in ((1, now), (2, {**now, "cores": "3"}), (3, now)):
            one = trial(number)
            result = replace(one.result, worker="elsewhere:5", computed=computed)
            study.add(replace(one, result=result))
        first, second = study.notes
    assert first.startswith("jax 0.10.2 -> 9: the last bits")
    assert second.startswith("cores 2 -> 3, jax 0.10.2 and 9 -> 9: the last bits")


def test_a_platform_has_a_short_name() -> None:
    assert platform_of(CPU) == "cpu, float32"
    assert platform_of(GPU) == "gpu, NVIDIA H200, bfloat16"
    mixed = [replace(trial(n), computed=on) for n, on in enumerate((GPU, {}, CPU, CPU))]
    assert platforms(mixed) == ["cpu, float32", "gpu, NVIDIA H200, bfloat16"]


def test_a_comparison_notes_mixed_platforms(tmp_path: Path) -> None:
    start(tmp_path / "a", CPU, 0)
    start(tmp_path / "b", GPU, 1)
    start(tmp_path / "c", {**CPU, "cores": "8"}, 2)

    def notes(*names: str) -> str:
        return " ".join(measure(read([tmp_path / name for name in names])).notes)

    assert "different platforms (cpu, float32; gpu, NVIDIA H200, bfloat16)" in notes("a", "b")
    assert "platforms" not in notes("a", "c")


def mixed_study(folder: Path) -> None:
    other = {**CPU, "cores": "4", "jaxlib": "0.11.0"}
    for computed, numbers in ((CPU, (0, 1)), (other, (2,))):
        with Study.open(folder, {"seed": 0}, INFO, computed=computed) as study:
            for number in numbers:
                one = trial(number)
                study.add(replace(one, result=Result(0.9 - number / 10, 0.25, 1.5)))


def test_other_versions_and_cores_are_noted_at_the_front(tmp_path: Path) -> None:
    mixed_study(tmp_path / "s")
    content, found = read_front(tmp_path / "s")
    assert content["mixed"] == {
        "differences": ["cores 2 and 4", "jaxlib 0.10.2 and 0.11.0"],
        "arch_ids": [f"{2:012x}"],
    }
    head, *rows = front_rows(content, found)
    assert head[0] == "arch"
    assert [row[0].endswith("*") for row in rows] == [entry.trial == 2 for entry in found]
    assert any(row[0].endswith("*") for row in rows)
    told = " ".join(explanation(content, found))
    assert "Computed differently (cores 2 and 4; jaxlib 0.10.2 and 0.11.0)" in told
    start(tmp_path / "same")
    content, found = read_front(tmp_path / "same")
    assert "mixed" not in content
    assert "Computed differently" not in " ".join(explanation(content, found))


def test_a_comparison_notes_other_versions(tmp_path: Path) -> None:
    start(tmp_path / "a", CPU, 0)
    start(tmp_path / "b", {**CPU, "jaxlib": "0.11.0"}, 1)
    notes = measure(read([tmp_path / "a", tmp_path / "b"])).notes
    assert any("(jaxlib 0.10.2 and 0.11.0): the last bits" in note for note in notes)
    start(tmp_path / "c", CPU, 2)
    assert not any("bits" in n for n in measure(read([tmp_path / "a", tmp_path / "c"])).notes)
