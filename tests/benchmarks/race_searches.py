"""One search of another library in the race, training in PyTorch: a process of its own.

    python tests/benchmarks/race_searches.py FILE --search tpe --seed 0 --limit 240 data=digits

`--search` is tpe, nsgaii, random, botorch, vizier, tpe-best or botorch-best; the latter two look
for accuracy alone. `--workers` processes share the cores. Time counts from `--began`, else now.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from peers import MODELS, Feasible, OptunaSearch, Peer, columns
from race_runs import Evaluated, Run, machine, on_some_front, save

from search.cli.hydra import compose
from search.config.run import RunConfig
from search.cores import cores
from search.data.open import open_dataset
from search.jobs import Candidate, Option, Options
from search.networks.arch import Input
from search.spaces.budget_table import BudgetTable, tabulate
from search.spaces.chain import cost
from search.spaces.stages import build

# Encodings of the sampled pool, and changed copies of each network of the front beside them.
POOL, MUTATED = 2000, 20
SEARCHES = ("tpe", "nsgaii", "random", "botorch", "vizier", "tpe-best", "botorch-best")
_trainer: Any = None


class RandomRejection:
    """Each decision drawn by itself until a new encoding fits, as other systems draw."""

    def __init__(self, table: BudgetTable, high: int, seed: int) -> None:
        self._table, self._high = table, high
        self._rng = np.random.default_rng(seed)
        self._seen: set[Options] = set()

    def ask(self) -> Options | None:
        """Return the next encoding that fits."""
        chain = self._table.chain
        while True:
            state, options = chain.start(), list[Option]()
            while offered := chain.options(len(options), state):
                options.append(offered[int(self._rng.integers(len(offered)))])
                state, _ = chain.step(len(options) - 1, state, options[-1])
            found = tuple(options)
            if found not in self._seen and cost(chain, found) <= self._high:
                self._seen.add(found)
                return found

    def tell(self, options: Options, accuracy: float) -> None:
        """Learn nothing."""


class Inline(Executor):
    """Trains in this process."""

    def submit(self, call: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        found: Future[Any] = Future()
        found.set_result(call(*given, **named))
        return found


def peer_of(
    name: str, table: BudgetTable, high: int, seed: int, chance: float, workers: int
) -> Peer:
    """Return the search of that name."""
    kind, _, aim = name.partition("-")
    chain = table.chain
    wanted: Any = aim or "front"
    if kind == "random":
        return RandomRejection(table, high, seed)
    if kind in MODELS:
        return MODELS[kind](sampled(table, high, seed), chance=chance, seed=seed, aim=wanted)

    def price(options: Options) -> int:
        return cost(chain, options)

    return OptunaSearch(kind, chain, price, high, seed, aim=wanted, parallel=workers > 1)


def sampled(table: BudgetTable, high: int, seed: int) -> Feasible:
    """Return a sampled pool of encodings that fit, even over the range of log-cost."""
    rng = np.random.default_rng([seed, 1])
    low, cheapest = table.cheapest()
    fixed = list(dict.fromkeys([cheapest, *table.sample_level(rng, POOL, 0, high)]))

    def pool(best: Any) -> list[Options]:
        changed = [table.mutate(rng, one, 0, high) for one in best for _ in range(MUTATED)]
        return list(dict.fromkeys([*fixed, *changed]))

    def start(count: int) -> list[Options]:
        return [cheapest, *table.sample_level(rng, count, 0, high)[1:]]

    names = columns(table.chain, fixed)
    return Feasible(table.chain, table.cost, low, high, pool, start, names)


def start_worker(overrides: list[str], threads: int) -> None:
    """Open the data and prepare a trainer in this process."""
    global _trainer
    import torch
    from race_torch import TorchTrainer

    torch.set_num_threads(threads)
    config = compose(overrides)
    data = open_dataset(config.data, seed=config.seed)
    _trainer = TorchTrainer(data, config.train)


def train(text: str, name: str, epochs: int, seed: int) -> float:
    """Return the validation accuracy of a network, of canonical JSON `text`."""
    from search.networks.arch import from_json

    accuracy: float = _trainer.train(from_json(text, name), epochs, seed).accuracy
    return accuracy


def searched(
    peer: Peer,
    candidate: Callable[[Options], Candidate],
    submit: Callable[[Candidate], Future[float]],
    seconds: Callable[[], float],
    *,
    limit: float,
    workers: int,
    most: int,
) -> tuple[list[Evaluated], dict[str, str]]:
    """Run a search until `limit` or `most` evaluations; return those, and the front's networks.

    A network that is proposed again has its result told again at no cost.
    """
    found: list[Evaluated] = []
    texts: dict[str, str] = {}
    known: dict[str, float] = {}
    running: dict[Future[float], tuple[Candidate, list[Options]]] = {}
    asked, more = 0, True
    while seconds() < limit:
        while more and len(running) < workers and asked < most and seconds() < limit:
            options = peer.ask()
            if options is None:
                more = False
                break
            one = candidate(options)
            twins = [given for c, given in running.values() if c.id == one.id]
            if one.id in known:
                peer.tell(options, known[one.id])
            elif twins:
                twins[0].append(options)
                break
            else:
                asked += 1
                running[submit(one)] = (one, [options])
        if not running:
            break
        done, _ = wait(running, max(0.0, limit - seconds()), FIRST_COMPLETED)
        for future in done:
            one, given = running.pop(future)
            known[one.id] = accuracy = future.result()
            found.append(Evaluated(seconds(), one.id, one.multiplies, accuracy))
            texts[one.id] = one.text
            for options in given:
                # A training that diverged is no better than guessing.
                peer.tell(options, accuracy if np.isfinite(accuracy) else 0.0)
    kept = on_some_front(found)
    return found, {name: text for name, text in texts.items() if name in kept}


def play(config: RunConfig, overrides: list[str], given: argparse.Namespace) -> Run:
    """Return what a search found."""
    data = open_dataset(config.data, seed=config.seed)
    chance, high = 1 / len(data.classes), config.interval[1]
    table = tabulate(build(config.space, Input(*data.shape), len(data.classes)), high)
    peer = peer_of(given.search, table, high, config.seed, chance, given.workers)
    threads = max(1, cores() // given.workers)
    executor: Executor
    if given.workers == 1:
        start_worker(overrides, threads)
        executor = Inline()
    else:
        executor = ProcessPoolExecutor(
            given.workers, get_context("spawn"), start_worker, (overrides, threads)
        )

    def submit(one: Candidate) -> Future[float]:
        return executor.submit(train, one.text, one.id, config.epochs, config.seed)

    def candidate(options: Options) -> Candidate:
        return table.candidate(options)

    def seconds() -> float:
        return time.time() - given.began

    began = seconds()
    evaluated, archs = searched(
        peer,
        candidate,
        submit,
        seconds,
        limit=given.limit,
        workers=given.workers,
        most=given.most,
    )
    executor.shutdown(cancel_futures=True)
    return Run(
        given.search,
        config.seed,
        table.cheapest()[0],
        high,
        chance,
        given.limit,
        began,
        given.workers,
        tuple(evaluated),
        archs,
        machine(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("override", nargs="*", default=[])
    parser.add_argument("--search", choices=SEARCHES, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=240.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--most", type=int, default=10**9, help="evaluations")
    parser.add_argument("--began", type=float, default=None, help="seconds since the epoch")
    given = parser.parse_intermixed_args()
    given.began = time.time() if given.began is None else given.began
    overrides = [*given.override, f"seed={given.seed}"]
    save(play(compose(overrides), overrides, given), given.file)


if __name__ == "__main__":
    main()
