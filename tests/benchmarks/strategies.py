"""Regret of every strategy on tables of networks, beside plain Optuna.

    python tests/benchmarks/strategies.py [--tables NAME…] [--strategies NAME…] [--seeds 20]
    python tests/benchmarks/strategies.py --overhead

A strategy is told one seed's accuracy; regret is the hypervolume of the best front of mean
accuracies less that of the encodings evaluated at full length, times 10,000 here; of the best, the
highest mean accuracy within the budget less that of the encodings evaluated.
"""

import argparse
import math
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tables import Table, integers, made_up, read

import search.spaces.stages
from search.config.space import SpaceConfig
from search.config.strategy import OPTIONS, StrategyConfig
from search.jobs import Exhausted, Job, Options, Result
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
# Proposals over budget cost no evaluation, but they must end some time.
_MOST_PROPOSALS = 5000


def propose_jobs(
    config: StrategyConfig, table: Table, seed: int, aim: Aim = "front"
) -> Iterator[Job]:
    """Yield the jobs of a strategy of the project, each with its result told."""
    strategy = build(
        config,
        table.budget_table,
        0,
        table.high,
        seed=seed,
        epochs=table.epochs[-1],
        chance=table.chance,
        aim=aim,
    )
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

    As its documentation shows: one categorical parameter a decision, two objectives, or accuracy
    alone where the aim is the best, the budget in `constraints_func`.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chain = table.budget_table.chain

    def constraints(trial: optuna.trial.FrozenTrial) -> tuple[float]:
        return (trial.user_attrs["cost"] - table.high,)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samplers = {
            "tpe": optuna.samplers.TPESampler,
            "nsgaii": optuna.samplers.NSGAIISampler,
        }
        chosen = samplers[sampler](seed=seed, constraints_func=constraints)
        directions = ["maximize"] if aim == "best" else ["maximize", "minimize"]
        study = optuna.create_study(directions=directions, sampler=chosen)
        for _ in range(_MOST_PROPOSALS):
            trial = study.ask()
            options: Options = ()
            while offered := chain.options(len(options), options):
                name = f"{len(options)}:{'/'.join(map(str, offered))}"
                options += (trial.suggest_categorical(name, list(offered)),)
            cost = table.costs[options]
            trial.set_user_attr("cost", cost)
            values = [table.accuracies[options][-1][seed % 3], math.log(cost)]
            study.tell(trial, values[: len(directions)])
            if cost <= table.high:
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
