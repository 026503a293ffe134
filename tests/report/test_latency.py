"""Latency: measured by a clock that the test holds, kept in the study, told beside multiplies."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import spearmanr

from search.__main__ import main
from search.engine.latency import FEWEST, MOST, WARM_UP, Timing, measure
from search.errors import UserError
from search.jobs import Candidate, Result
from search.networks.arch import Arch, Block, Head, Input, Stem, to_json
from search.networks.cost import multiplies_of
from search.report.latency import correlation_notes, ranks, rows, spearman, spread_note
from search.study.latency import Latency, columns, latencies, record
from search.study.study import Study, StudyInfo
from search.study.tables import FRONT_COLUMNS, read_front
from search.study.trials import Trial

ONE = Latency("0" * 12, 1000, "jax", 1, "cpu", "EPYC", 2, 30, 2.0, 1.9, 2.1)
INFO = StudyInfo(100, 10_000_000, 0, 5_000_000, 40, True, 0.1, 8, {})


class Clock:
    """A clock that a call moves on."""

    def __init__(self, durations: list[float]) -> None:
        self.now, self.calls, self._durations = 0.0, 0, itertools.cycle(durations)

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.calls += 1
        self.now += next(self._durations)


def test_quartiles_are_of_the_calls_after_the_warm_up() -> None:
    clock = Clock([1.0, 2.0, 3.0, 4.0, 5.0])
    found = measure(clock.call, 100.0, clock=clock)
    # From the end of the warm-up until the first call that ends after 100 seconds.
    assert found == Timing(34, 2000.0, 3000.0, 4000.0)
    assert clock.calls == WARM_UP + 34


@pytest.mark.parametrize(("duration", "calls"), [(10.0, FEWEST), (1e-9, MOST)])
def test_there_are_never_too_few_calls_nor_too_many(duration: float, calls: int) -> None:
    clock = Clock([duration])
    assert measure(clock.call, 1.0, clock=clock).calls == calls


@pytest.mark.parametrize(
    "values",
    [
        [(1, 1.0), (2, 2.0), (3, 3.0)],
        [(1, 3.0), (2, 2.0), (3, 1.0)],
        [(1, 2), (1, 2), (5, 1), (7, 3)],
    ],
)
def test_spearman_is_that_of_scipy(values: list[tuple[float, float]]) -> None:
    assert spearman(values) == pytest.approx(spearmanr(*zip(*values, strict=True)).statistic)


def test_spearman_of_too_little_is_none() -> None:
    assert spearman([(1, 1.0), (2, 2.0)]) is None
    assert spearman([(1, 1.0), (2, 1.0), (3, 1.0)]) is None
    assert ranks([3.0, 1.0, 3.0]) == [2.5, 1.0, 2.5]


def test_a_sentence_says_by_how_much_multiplies_mislead() -> None:
    found = [
        replace(ONE, arch_id=f"{n:012x}", multiplies=100 * (n + 1), median=median).as_json()
        for n, median in enumerate([1.0, 3.0, 2.0])
    ]
    (note,) = correlation_notes(found)
    assert "(jax, cpu, batch 1) of 3 networks" in note
    assert "correlation 0.50: in 1 of 3 pairs" in note
    assert correlation_notes(found[:2]) == []


def test_measurements_that_vary_are_warned_of() -> None:
    assert spread_note([ONE]) == ""
    assert "1 of 2 measurements" in spread_note([ONE, replace(ONE, upper=3.0)])
    assert rows([ONE, replace(ONE, batch=64, median=8.0)]) == [
        ("arch", "multiplies", "runtime", "ms ×1", "ms ×64"),
        ("0" * 12, "1k", "jax", "2 (1.9–2.1)", "8 (1.9–2.1)"),
    ]
    assert rows([ONE, replace(ONE, runtime="litert", batch=64)])[1:] == [
        ("0" * 12, "1k", "jax", "2 (1.9–2.1)", ""),
        ("0" * 12, "1k", "litert", "", "2 (1.9–2.1)"),
    ]


def test_columns_are_in_the_order_of_batches() -> None:
    found = [replace(ONE, batch=batch).as_json() for batch in (64, 1, 8)]
    assert list(columns(found)) == [f"latency_jax_cpu_{batch}_ms" for batch in (1, 8, 64)]


def network(width: int) -> Arch:
    return Arch(Input(8, 8, 1), Stem(width), (Block("conv", width),), Head(), 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Study.open(tmp_path / "seen", {"seed": 0}, INFO) as study:
        for number, width in enumerate((2, 4, 6)):
            made = Candidate.of(network(width))
            given = (made.job(8), made.text, made.id, made.multiplies, made.params)
            study.add(Trial(number, *given, number, Result(0.5 + number / 10, 0.5, 1.0)))
    return tmp_path / "seen"


def test_a_study_keeps_the_last_measurement_of_each(folder: Path) -> None:
    with Study.open(folder, {"seed": 0}, INFO) as study:
        record(study, [ONE, replace(ONE, batch=64)])
        record(study, [replace(ONE, median=3.0, upper=4.0)])
        assert latencies(study) == [replace(ONE, median=3.0, upper=4.0), replace(ONE, batch=64)]
        study.record("latency", "x", {**ONE.as_json(), "median": "fast"})
        with pytest.raises(UserError, match=r"study\.db is damaged \(latency x\.median is 'fast'"):
            latencies(study)


def test_the_command_measures_the_front_and_its_tables_tell(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(range(1, 100))

    def measured(_call: object, _seconds: float) -> Timing:
        value = float(next(told))
        return Timing(30, value, value, value)

    monkeypatch.setattr("search.engine.latency.measure", measured)
    monkeypatch.setattr("search.engine.latency.jax_call", lambda arch, batch: lambda: None)
    assert main(["latency", str(folder), "--runtime", "jax"]) == 0
    text = capsys.readouterr().out
    assert "device: cpu" in text
    assert "rank correlation 1.00: in 0 of 3 pairs" in text
    assert "Kept in" in text
    content, found = read_front(folder)
    assert [one["median"] for one in content["latency"]] != []
    lines = (folder / "front.csv").read_text().splitlines()
    assert lines[0].split(",") == [*FRONT_COLUMNS, "latency_jax_cpu_1_ms", "latency_jax_cpu_64_ms"]
    assert [line.split(",")[-2:] for line in lines[1:]] == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert main(["front", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "ms jax" in shown
    assert "Spearman" in shown
    # The tables alone, as a shipped front is, say the same; nothing is kept there.
    (folder / "study.db").unlink()
    assert read_front(folder) == (content, found)
    assert main(["latency", str(folder), "--runtime", "jax", "--json", "--batch", "2"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert [(one["batch"], one["threads"] > 0) for one in given] == [(2, True)] * 3
    assert main(["latency", str(folder), "--all"]) == 2
    assert "keeps its front alone" in capsys.readouterr().err


def test_a_network_in_a_file_is_really_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "arch.json").write_text(to_json(network(2)))
    words = ["--runtime", "jax", "--batch", "1", "--seconds", "0.01", "--json"]
    assert main(["latency", str(tmp_path), *words]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["arch_id"] == network(2).id
    assert found["multiplies"] == multiplies_of(network(2))
    assert 0 < found["lower"] <= found["median"] <= found["upper"]
    assert found["calls"] >= FEWEST


def test_what_is_installed_is_measured_and_what_is_not_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def calls(runtime: str, arch: Arch, threads: int) -> object:
        asked.append((runtime, arch.id))
        return lambda batch: lambda: None

    monkeypatch.setattr("search.export.latency.runtime_calls", calls)
    monkeypatch.setattr("search.engine.latency.jax_call", lambda arch, batch: lambda: None)
    monkeypatch.setattr(
        "search.export.forms.find_spec", lambda name: None if name == "ai_edge_litert" else name
    )
    monkeypatch.setattr("search.engine.latency.FEWEST", 2)
    words = ["latency", str(folder), "--seconds", "1e-9"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert 'not measured: litert (needs ai_edge_litert; pip install "convbudget[tflite]")' in text
    assert "onnxruntime" in text
    _, found = read_front(folder)
    assert main(["front", str(folder)]) == 0
    # More columns than a terminal has room for are a table of their own.
    shown = capsys.readouterr().out
    assert "ms jax" not in shown
    assert "Median latency (quartiles) in milliseconds" in shown
    assert asked == [("onnxruntime", row.arch_id) for row in found]
    head = (folder / "front.csv").read_text().splitlines()[0]
    assert head.endswith(
        "latency_jax_cpu_1_ms,latency_jax_cpu_64_ms,"
        "latency_onnxruntime_cpu_1_ms,latency_onnxruntime_cpu_64_ms"
    )
    for chosen in ("litert", "all"):
        assert main([*words, "--runtime", chosen]) == 2
        error = capsys.readouterr().err
        assert f"--runtime {chosen} needs ai_edge_litert; pip install" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["{folder}/none"], "is not the folder of a study"),
        (["{folder}", "--batch", "0"], "'0' is not a positive integer"),
        (["{folder}", "--seconds", "nan"], "'nan' is not from 0 to 3600"),
        (["{folder}/study.db"], "is not text in UTF-8"),
        (["{folder}", "--runtimes", "x"], "no option --runtimes"),
        (["{folder}", "--runtime", "tflite"], "--runtime is 'tflite'; did you mean litert?"),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["latency", *(word.format(folder=folder) for word in words)]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
