"""A strategy restored from its snapshot goes on exactly as the one that made it."""

import json
import zlib

import pytest
from chains import Stages

from search.config.strategy import StrategyConfig
from search.jobs import Exhausted, Job, Result, Resumable, failed
from search.spaces.budget_table import tabulate
from search.strategies import build

CONFIGS = [
    StrategyConfig("random"),
    StrategyConfig("grid"),
    StrategyConfig("evolution", population=6),
    StrategyConfig("local", start=4),
    StrategyConfig("surrogate", start=4),
    StrategyConfig("halving", inner="random"),
    StrategyConfig("halving", inner="surrogate", start=4),
    StrategyConfig("halving", inner="evolution", rungs=2, reduction=4),
    StrategyConfig("population", lengths=[2, 5], repeats=2),
]
NAMES = ["-".join(filter(None, (c.name, c.inner))) for c in CONFIGS]


def evaluate(job: Job) -> Result:
    """Longer trainings are better, some fail, and the rest follows the encoding."""
    noise = zlib.crc32(repr((job.options, job.epochs)).encode()) % 1000 / 5000
    if noise > 0.18:
        return failed("on purpose")
    layers = sum({"wide": 3, "thin": 2}.get(str(option), 0) for option in job.options)
    return Result(min(0.99, 0.2 + 0.03 * layers + 0.02 * job.epochs + noise))


class Played:
    """A search with `ahead` results outstanding, which can be cut and gone on with."""

    def __init__(self, config: StrategyConfig, merge: bool, ahead: int) -> None:
        table = tabulate(Stages(merge=merge))
        self.strategy = build(config, table, 30, 400, seed=3, epochs=9, chance=0.1)
        self.ahead = ahead
        self.asked: list[Job] = []
        self.told: list[tuple[Job, Result]] = []

    def tell_until(self, count: int) -> None:
        while len(self.told) < count:
            job = self.asked[len(self.told)]
            self.told.append((job, evaluate(job)))
            self.strategy.tell(*self.told[-1])

    def play(self, until: int) -> list[Job]:
        while len(self.asked) < until:
            self.tell_until(len(self.asked) - self.ahead)
            try:
                self.asked.append(self.strategy.ask())
            except Exhausted:
                if len(self.told) == len(self.asked):
                    break
                self.tell_until(len(self.asked))
        return self.asked


@pytest.mark.parametrize("cut", [2, 17, 40, 90])
@pytest.mark.parametrize(("merge", "ahead"), [(False, 0), (True, 3)])
@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_a_restored_strategy_goes_on_as_the_original(
    config: StrategyConfig, merge: bool, ahead: int, cut: int
) -> None:
    original = Played(config, merge, ahead)
    original.play(cut)
    assert isinstance(original.strategy, Resumable)
    text = json.dumps(original.strategy.snapshot(), allow_nan=False)

    restored = Played(config, merge, ahead)
    assert isinstance(restored.strategy, Resumable)
    # As a study returns them: without the candidates that only the space makes.
    restored.asked, restored.told = list(original.asked), list(original.told)
    restored.strategy.restore(json.loads(text), restored.asked, restored.told)
    assert json.dumps(restored.strategy.snapshot(), allow_nan=False) == text
    assert restored.play(cut + 50) == original.play(cut + 50)
    assert json.dumps(restored.strategy.snapshot()) == json.dumps(original.strategy.snapshot())


@pytest.mark.parametrize("name", ["tpe", "nsgaii"])
def test_optuna_is_asked_again(name: str) -> None:
    strategy = Played(StrategyConfig("optuna", sampler=name), False, 0).strategy
    assert not isinstance(strategy, Resumable)
