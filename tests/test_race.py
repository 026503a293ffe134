"""The race's own arithmetic, its peers on a small chain, and its PyTorch trainer's step."""

import importlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from chains import numbers

from search.jobs import Candidate, Options
from search.pareto import hypervolume
from search.spaces.budget_table import tabulate

Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Imports a script of tests/benchmarks, which is no package."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    return importlib.import_module


def a_run(script: Script, points: Sequence[tuple[float, int, float]], **changes: Any) -> Any:
    """A run with results (seconds, multiplies, accuracy), whose ids are their numbers."""
    runs = script("race_runs")
    found = tuple(runs.Evaluated(s, f"n{i}", m, a) for i, (s, m, a) in enumerate(points))
    texts = {one: f"text of {one}" for one in runs.on_some_front(found)}
    plain = runs.Run("ours", 0, 10, 1000, 0.1, 100.0, 1.0, 1, found, texts)
    return replace(plain, **changes)


POINTS = [(5, 400, 0.5), (20, 100, 0.5), (60, 100, 0.8), (61, 800, 0.7), (99, 900, 0.9)]


def test_a_run_is_read_as_it_was_written(script: Script, tmp_path: Path) -> None:
    runs = script("race_runs")
    run = a_run(script, POINTS, machine={"cores": "2"})
    runs.save(run, tmp_path / "new" / "run.json")
    assert runs.load(tmp_path / "new" / "run.json") == run


def test_fronts_at_a_time_know_nothing_of_later_results(script: Script) -> None:
    run = a_run(script, [*POINTS, (101, 10, 1.0)])
    assert [one.id for one in run.front(4)] == []
    assert [one.id for one in run.front(30)] == ["n1"]
    assert [one.id for one in run.front(70)] == ["n2"]
    assert [one.id for one in run.front(1000)] == ["n2", "n4"]  # the last came after the limit
    assert set(run.archs) == {"n0", "n1", "n2", "n4", "n5"}


def test_networks_on_some_front_are_those_of_every_prefix(script: Script) -> None:
    rng = np.random.default_rng(0)
    points = [(i, int(rng.integers(1, 8)), float(rng.integers(8)) / 8) for i in range(40)]
    run = a_run(script, points, limit=40.0)
    every = {one.id for time in range(40) for one in run.front(time)}
    assert set(run.archs) == every
    assert 3 < len(every) < 40


def test_judged_figures_are_computed_by_hand(script: Script) -> None:
    judge = script("race_judge")
    run = a_run(script, POINTS)
    # The search's own figures say who stands on the front; what they are worth is another thing.
    accuracies = {"n0": 0.3, "n1": 0.4, "n2": 0.6, "n4": 0.55}
    assert set(judge.wanted([run], 100)) == {"n0", "n1", "n2", "n4"}
    (found,) = judge.measure([run], (50, 100, 1000), accuracies)
    assert found.within.tolist() == [[0.1, 0.6, 0.55]]
    at_end = hypervolume([(100, 0.6), (900, 0.55)], low=10, high=1000, chance=0.1)
    assert found.areas[0, -1] == at_end == pytest.approx(0.5 / 0.9 * 0.5)
    assert found.above[0] == hypervolume([(100, 0.6)], low=50, high=1000, chance=0.1)
    assert found.areas[0, 0] == 0
    assert len(found.areas[0]) == len(judge.times(100)) == 12
    assert judge.reached(found, at_end, judge.times(100)) == [
        next(time for time in judge.times(100) if time >= 60)
    ]
    assert judge.reached(found, 0.9, judge.times(100)) == [None]


def test_ours_is_compared_seed_by_seed_and_the_table_says_so(script: Script) -> None:
    judge, figure = script("race_judge"), script("race_figure")
    accuracies = {"n0": 0.6, "n1": 0.8}
    runs = []
    for seed in range(3):
        runs.append(a_run(script, [(5, 10, 0.5), (6, 20, 0.9)], seed=seed))
        runs.append(a_run(script, [(50, 10, 0.9)], seed=seed, search="tpe"))
    found = judge.measure(runs, (20, 1000), accuracies)
    summary = judge.summarised(found, (20, 1000), 100.0)
    ours, tpe = (summary["searches"][name] for name in ("ours", "tpe"))
    gap = ours["areas"][-1]["mean"] - tpe["areas"][-1]["mean"]
    assert tpe["ours_more"]["mean"] == pytest.approx(gap)
    assert gap > 0
    assert set(summary["marks"]) == {"tpe"}
    assert ours["reached"]["tpe"] == [judge.times(100)[1]] * 3
    lines = figure.table(summary).splitlines()
    assert "to the area of tpe" in lines[0]
    assert lines[3].startswith("| tpe | 1 ± 0 |")


class Fixed:
    """Proposes a given sequence and remembers what it was told."""

    def __init__(self, *proposals: Options) -> None:
        self.proposals, self.told = list(proposals), list[tuple[Options, float]]()

    def ask(self) -> Options | None:
        return self.proposals.pop(0) if self.proposals else None

    def tell(self, options: Options, accuracy: float) -> None:
        self.told.append((options, accuracy))


def test_a_repeated_network_is_not_trained_again(script: Script) -> None:
    searches = script("race_searches")
    table = tabulate(numbers(2, 3, 1), 6)
    peer, trained = Fixed((1, 2), (1, 2), (0, 3), (1, 2)), list[Candidate]()

    def submit(one: Candidate) -> Future[float]:
        trained.append(one)
        found: Future[float] = Future()
        found.set_result(0.5 + one.multiplies / 100)
        return found

    found, archs = searches.searched(
        peer, table.candidate, submit, lambda: 1.0, limit=9.0, workers=1, most=99
    )
    assert [one.options for one in trained] == [(1, 2), (0, 3)]
    assert peer.told == [((1, 2), 0.54), ((1, 2), 0.54), ((0, 3), 0.54), ((1, 2), 0.54)]
    assert [one.accuracy for one in found] == [0.54, 0.54]
    assert set(archs) == {trained[0].id}


def test_a_network_proposed_while_it_trains_is_told_twice(script: Script) -> None:
    searches = script("race_searches")
    table, peer = tabulate(numbers(2, 3, 1), 6), Fixed((1, 2), (1, 2))
    running: list[Future[float]] = []

    def submit(one: Candidate) -> Future[float]:
        running.append(Future())
        return running[-1]

    def seconds() -> float:
        # The result comes once both were proposed.
        if not peer.proposals and not running[0].done():
            running[0].set_result(0.7)
        return 1.0

    found, _ = searches.searched(
        peer, table.candidate, submit, seconds, limit=9.0, workers=2, most=99
    )
    assert len(running) == len(found) == 1
    assert peer.told == [((1, 2), 0.7)] * 2


def test_nothing_starts_after_the_limit(script: Script) -> None:
    searches = script("race_searches")
    found, archs = searches.searched(
        Fixed((1, 2)), None, None, lambda: 9.0, limit=9.0, workers=1, most=99
    )
    assert (found, archs) == ([], {})


@pytest.mark.parametrize("name", ["tpe", "nsgaii", "random", "tpe-best"])
def test_proposals_fit_the_budget(script: Script, name: str) -> None:
    searches = script("race_searches")
    chain, high = numbers(4, 3, 1), 5
    peer = searches.peer_of(name, tabulate(chain, high), high, 0, 0.1, 1)
    for _ in range(15):
        options = peer.ask()
        assert sum(options) + 1 <= high
        peer.tell(options, sum(options) / 20)


def test_a_model_is_asked_after_its_start_for_what_is_new(script: Script) -> None:
    peers, searches = script("peers"), script("race_searches")
    offered = []

    class Last(peers.ModelSearch):
        def propose(self, pool: Sequence[Options]) -> Options:
            offered.append(self.rows(pool).shape)
            return pool[-1]

    space = searches.sampled(tabulate(numbers(4, 3, 1), 8), 8, 0)
    peer, seen = Last(space, chance=0.1, seed=0), []
    for _ in range(peers.START + 3):
        seen.append(peer.ask())
        peer.tell(seen[-1], 0.5)
    assert seen[0] == (0, 0, 0, 0)
    assert len(set(seen)) == len(seen)
    assert all(sum(one) + 1 <= 8 for one in seen)
    # One column for each decision that occurs, and the cost.
    assert len(offered) >= 3
    assert offered[0][1] == 16 + 1


def test_the_names_of_decisions_do_not_depend_on_depth(script: Script) -> None:
    from search.config.space import SpaceConfig
    from search.networks.arch import Input
    from search.spaces.stages import build

    peers = script("peers")
    chain = build(SpaceConfig(), Input(8, 8, 1), 10)
    table = tabulate(chain, 200_000)
    cheapest, largest = table.cheapest()[1], table.most_expensive()[1]
    short, long = (dict(peers.decisions(chain, one)) for one in (cheapest, largest))
    assert len(largest) > len(cheapest)
    for name in ("0.stem0", "0.width0", "1.width0", "2.width0"):
        assert name in short
        assert name in long
    assert {name.split(".")[0] for name in long} == {"0", "1", "2"}


def test_trials_are_seen_when_they_are_there(script: Script, tmp_path: Path) -> None:
    ours, seen = script("race_ours"), dict[int, float]()
    path = tmp_path / "study.db"
    ours.look(path, 1.0, seen)
    with sqlite3.connect(path) as database:
        ours.look(path, 2.0, seen)
        database.execute("CREATE TABLE trials (number INTEGER)")
        database.execute("INSERT INTO trials VALUES (0)")
        database.commit()
        ours.look(path, 3.0, seen)
        database.execute("INSERT INTO trials VALUES (1)")
        database.commit()
        ours.look(path, 4.0, seen)
    assert seen == {0: 3.0, 1: 4.0}


@pytest.mark.torch
def test_a_step_in_pytorch_is_the_engines(script: Script) -> None:
    from search.config.run import RunConfig
    from search.data.dataset import Dataset, Split
    from search.networks.arch import Arch, Block, Head, Input, Stem

    check = script("race_check")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (32, 7, 7, 2), np.uint8)
    split = Split(images, rng.integers(0, 3, 32).astype(np.int32), "")
    data = Dataset("random", split, split, ("a", "b", "c"), (0.5, 0.4), (0.3, 0.2))
    blocks = (Block("separable", 4, 3, 2), Block("inverted", 4, 3, 1, 2, True), Block("conv", 6, 5))
    arch = Arch(Input(7, 7, 2), Stem(4), blocks, Head(5), 3, "relu6")
    loss, weights = check.step_difference(arch, RunConfig(), data)
    assert loss < 1e-5
    assert weights < 1e-4
