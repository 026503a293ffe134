"""Regret of every strategy on tables of networks, beside plain Optuna, BoTorch and Vizier.

    python tests/benchmarks/strategies.py [--tables NAME…] [--strategies NAME…] [--seeds 20]
    python tests/benchmarks/strategies.py --overhead

A strategy is told one seed's accuracy; regret is the hypervolume of the best front of mean
accuracies less that of the encodings evaluated at full length, times 10,000 here; of the best, the
highest mean accuracy within the budget less that of the encodings evaluated.
"""

import argparse
import itertools
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from peers import MODELS, Feasible, OptunaSearch, Peer, columns, installed
from tables import Table, integers, made_up, read

import search.spaces.stages
from search.config.space import SpaceConfig
from search.config.strategy import OPTIONS, StrategyConfig
from search.jobs import Exhausted, Job, Options, Result, Strategy
from search.networks.arch import Input, to_json
from search.networks.cost import cost_of
from search.pareto import Aim
from search.spaces.budget_table import tabulate
from search.strategies import build
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

MARKS = (20, 50, 100, 200)
_HERE = Path(__file__).parent
TABLES: dict[str, Callable[[], Table]] = {
    "mixed": lambda: made_up("mixed", 0),
    "mixed-30": lambda: made_up("mixed-30", 1, noise=0.01, budget_share=0.3),
    "small": lambda: made_up("small", 2, stages=2),
    "integers": lambda: integers("integers", 3),
    "integers-30": lambda: integers("integers-30", 4, budget_share=0.3),
    "digits": lambda: read(_HERE / "digits_table.json.xz"),
    "digits-30": lambda: read(_HERE / "digits_table.json.xz", budget_share=0.3),
}


def made(config: StrategyConfig, table: Table, seed: int, aim: Aim = "front") -> Strategy:
    """Return a strategy of the project for the networks of a table within its budget."""
    return build(
        config,
        table.budget_table,
        0,
        table.high,
        seed=seed,
        epochs=table.epochs[-1],
        chance=table.chance,
        aim=aim,
    )


def propose_jobs(
    config: StrategyConfig, table: Table, seed: int, aim: Aim = "front"
) -> Iterator[Job]:
    """Yield the jobs of a strategy of the project, each with its result told."""
    strategy = made(config, table, seed, aim)
    while True:
        try:
            job = strategy.ask()
        except Exhausted:
            return
        strategy.tell(job, table.result(job, seed % 3))
        yield job


def propose(
    config: StrategyConfig, table: Table, seed: int, aim: Aim = "front"
) -> Iterator[Options]:
    """Yield the encodings that a strategy of the project evaluates at full length."""
    jobs = propose_jobs(config, table, seed, aim)
    return (job.options for job in jobs if job.epochs == table.epochs[-1])


def plain_optuna(sampler: str, table: Table, seed: int, *, aim: Aim = "front") -> Iterator[Options]:
    """Yield the encodings within the budget that Optuna's own search evaluates.

    Two objectives, or accuracy alone where the aim is the best.
    """

    def accuracy(options: Options) -> float:
        return table.accuracies[options][-1][seed % 3]

    def cost(options: Options) -> int:
        return table.costs[options]

    chain = table.budget_table.chain
    peer = OptunaSearch(sampler, chain, cost, table.high, seed, aim=aim, over=accuracy)
    return played(peer, accuracy)


def model_search(name: str, table: Table, seed: int, *, aim: Aim = "front") -> Iterator[Options]:
    """Yield the encodings that another library's model evaluates, all that fit being its pool.

    It begins with one from each of ten equal parts of the range of log-cost, the cheapest first.
    """
    rng = np.random.default_rng(seed)
    fit = [options for options, cost in table.costs.items() if cost <= table.high]
    fit.sort(key=table.costs.__getitem__)
    levels = np.log([table.costs[options] for options in fit])

    def start(count: int) -> list[Options]:
        edges = np.searchsorted(levels, np.linspace(levels[0], levels[-1], count + 1))
        edges[-1] = len(fit)
        parts = itertools.pairwise(edges)
        rest = [fit[int(rng.integers(low, high))] for low, high in parts if high > low][1:]
        return [fit[0], *rest]

    space = Feasible(
        table.budget_table.chain,
        table.costs.__getitem__,
        table.low,
        table.high,
        lambda _: fit,
        start,
        columns(table.budget_table.chain, table.costs),
    )
    peer = MODELS[name](space, chance=table.chance, seed=seed, aim=aim)
    return played(peer, lambda options: table.accuracies[options][-1][seed % 3])


def played(peer: Peer, accuracy: Callable[[Options], float]) -> Iterator[Options]:
    """Yield a peer's proposals, each with its accuracy told."""
    while (options := peer.ask()) is not None:
        peer.tell(options, accuracy(options))
        yield options


def regrets(
    encodings: Iterator[Options], table: Table, marks: tuple[int, ...]
) -> list[tuple[float, float]]:
    """Return the regrets of the area and of the best accuracy after each of `marks` evaluations."""
    seen: list[Options] = []
    found = []
    for mark in marks:
        while len(seen) < mark and (options := next(encodings, None)) is not None:
            seen.append(options)
        found.append((table.best - table.volume(seen), table.highest - table.best_of(seen)))
    return found


def players(names: list[str]) -> dict[str, Callable[[Table, int], Iterator[Options]]]:
    """Return what plays, by name; `a=b` in a name sets an option: `surrogate,start=5`."""
    found: dict[str, Callable[[Table, int], Iterator[Options]]] = {}
    for name in names:
        kind, *settings = name.split(",")
        pairs = dict(pair.split("=") for pair in settings)
        aim = pairs.pop("aim", "front")
        if kind.startswith("plain-"):
            sampler = kind.removeprefix("plain-")
            found[name] = lambda t, s, sampler=sampler, aim=aim: plain_optuna(
                sampler, t, s, aim=aim
            )
            continue
        if kind in MODELS:
            found[name] = lambda t, s, kind=kind, aim=aim: model_search(kind, t, s, aim=aim)
            continue
        options = {key: int(text) if text.isdigit() else text for key, text in pairs.items()}
        config = StrategyConfig(kind, **options)
        found[name] = lambda t, s, config=config, aim=aim: propose(config, t, s, aim)
    return found


def overhead(config: StrategyConfig, results: int = 1000, rounds: int = 200) -> list[float]:
    """Return wall milliseconds of ask, store and tell on the default space after so many results.

    Stored is in a study's own file, durably, as a search does it.
    """
    low, high = 0, 200_000
    chain = search.spaces.stages.build(SpaceConfig(), Input(8, 8, 1), 10)
    table = tabulate(chain, high)
    strategy = build(config, table, low, high, seed=0, epochs=20, chance=0.1)
    rng = np.random.default_rng(0)
    known = dict.fromkeys(table.sample(rng, results, low, high))
    info = StudyInfo(
        table.cheapest()[0], table.most_expensive()[0], low, high, table.count(), True, 0.1, 20, {}
    )
    spent = []
    with tempfile.TemporaryDirectory() as folder, Study.open(Path(folder), {}, info) as study:
        for number, options in enumerate(known):
            job = Job(options, 20, 0)
            study.add(_trial(chain, number, job, float(rng.uniform(0.5, 0.9))))
            strategy.tell(job, Result(float(rng.uniform(0.5, 0.9))))
        for number in range(results, results + rounds):
            begin = time.perf_counter()
            job = strategy.ask()
            asked = time.perf_counter()
            trial = _trial(chain, number, job, float(rng.uniform(0.5, 0.9)))
            trained = time.perf_counter()
            study.add(trial)
            strategy.tell(job, trial.result)
            spent.append(1e3 * (time.perf_counter() - trained + asked - begin))
    return spent


def _trial(chain: search.spaces.stages.StageChain, number: int, job: Job, accuracy: float) -> Trial:
    arch = chain.value(job.options)
    cost = cost_of(arch)
    text, result = to_json(arch), Result(accuracy)
    return Trial(number, job, text, arch.id, cost.multiplies, cost.params, number, result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    own = [name for name in OPTIONS if name not in ("optuna", "halving", "grid")]
    every = [*own, "surrogate,aim=best", "surrogate,aim=both"]
    every += ["optuna,sampler=tpe", "optuna,sampler=nsgaii"]
    every += ["plain-tpe", "plain-nsgaii", "plain-tpe,aim=best"]
    every += [*MODELS, "botorch,aim=best"]
    parser.add_argument("--strategies", nargs="+", default=every)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--marks", nargs="+", type=int, default=list(MARKS))
    parser.add_argument(
        "--overhead", action="store_true", help="time of ask, store and tell instead"
    )
    arguments = parser.parse_args()
    if arguments.overhead:
        for name in (*own, "halving"):
            spent = overhead(StrategyConfig(name))
            print(f"{name}: median {np.median(spent):.1f} ms, 95 % within", end=" ")
            print(f"{np.quantile(spent, 0.95):.1f} ms, first {spent[0]:.0f} ms", flush=True)
        return
    for text in filter(None, map(installed, MODELS)):
        if any(name.startswith(text.split()[0]) for name in arguments.strategies):
            print(text)
    absent = tuple(name for name in MODELS if installed(name))
    arguments.strategies = [n for n in arguments.strategies if n.split(",")[0] not in absent]
    print("regret × 10,000 after", *arguments.marks, "evaluations; ± standard error; ms a proposal")
    for table_name in arguments.tables:
        table = TABLES[table_name]()
        print(f"{table_name}: {len(table.costs)} networks, best front {table.best:.4f}")
        for name, play in players(arguments.strategies).items():
            begin = time.perf_counter()
            rows = np.array(
                [
                    regrets(play(table, s), table, tuple(arguments.marks))
                    for s in range(arguments.seeds)
                ]
            )
            spent = 1e3 * (time.perf_counter() - begin) / arguments.seeds / arguments.marks[-1]
            error = 1e4 * rows.std(axis=0) / math.sqrt(max(1, arguments.seeds - 1))
            mean = 1e4 * rows.mean(axis=0)
            for i, measure in enumerate(("area", "best")):
                cells = zip(mean[:, i], error[:, i], strict=True)
                text = "  ".join(f"{value:7.1f} ±{e:5.1f}" for value, e in cells)
                print(f"  {name:24s} {measure} {text}  {spent:6.1f}", flush=True)


if __name__ == "__main__":
    main()
