"""Searches of other libraries as their documentation shows them, behind one ask and tell.

Optuna proposes freely and is told of the budget as a constraint; BoTorch's and Vizier's models are
given encodings of which all fit. None knows anything of this project's strategies.
"""

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search.jobs import Option, Options
from search.pareto import Aim
from search.spaces.chain import Chain

Decision = tuple[str, Option]
# Results before a model is asked, as in configs/strategy/surrogate.yaml.
START = 10
# Proposals over budget cost no evaluation, but they must end some time.
MOST_PROPOSALS = 5000


class Peer(Protocol):
    """Proposes encodings within the budget, one at a time, and is told their accuracies."""

    def ask(self) -> Options | None:
        """Return what to evaluate next; None when there is nothing more."""

    def tell(self, options: Options, accuracy: float) -> None:
        """Learn the accuracy of a proposal."""


def decisions(chain: Chain, options: Iterable[Option]) -> list[Decision]:
    """Return each decision's name and option.

    In the project's spaces a name is the stage, the field and which block of the stage it is, so
    that decisions of networks of other depths are the same ones; elsewhere it is the position.
    """
    state, found, seen = chain.start(), list[Decision](), dict[str, int]()
    for position, option in enumerate(options):
        found.append((_name(state, position, seen), option))
        state, _ = chain.step(position, state, option)
    return found


def _name(state: Any, position: int, seen: dict[str, int]) -> str:
    if not hasattr(state, "field"):
        return str(position)
    name = f"{state.stage}.{state.field}"
    seen[name] = seen.get(name, -1) + 1
    return f"{name}{seen[name]}"


def installed(name: str) -> str:
    """Return what keeps a peer from playing, empty where nothing does."""
    modules = {"botorch": ("botorch",), "vizier": ("vizier", "equinox", "tensorflow_probability")}
    missing = [one for one in modules.get(name, ()) if find_spec(one) is None]
    return f"{name} is left out: {', '.join(missing)} not installed" if missing else ""


class OptunaSearch:
    """Optuna's sampler with one categorical parameter a decision and `constraints_func`.

    `aim=best`: accuracy is the one objective; else cost is the other. `over` gives the accuracy
    told of proposals over the budget, which cost nothing; samplers rank those by their violation
    alone.
    """

    def __init__(
        self,
        sampler: str,
        chain: Chain,
        cost: Callable[[Options], int],
        high: int,
        seed: int,
        *,
        aim: Aim = "front",
        over: Callable[[Options], float] = lambda _: 0.0,
        parallel: bool = False,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def constraints(trial: optuna.trial.FrozenTrial) -> tuple[float]:
            return (trial.user_attrs["cost"] - high,)

        kind: Any = {
            "tpe": optuna.samplers.TPESampler,
            "nsgaii": optuna.samplers.NSGAIISampler,
        }[sampler]
        # What its documentation advises for trials side by side.
        liar = {"constant_liar": True} if parallel and sampler == "tpe" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = kind(seed=seed, constraints_func=constraints, **liar)
        directions = ["maximize"] if aim == "best" else ["maximize", "minimize"]
        self._study = optuna.create_study(directions=directions, sampler=chosen)
        self._chain, self._cost, self._high, self._over = chain, cost, high, over
        self._objectives, self._asked = len(directions), 0
        self._waiting: dict[Options, list[Any]] = {}

    def ask(self) -> Options | None:
        """Return the next proposal within the budget."""
        while self._asked < MOST_PROPOSALS:
            self._asked += 1
            trial = self._study.ask()
            options = self._proposed(trial)
            self._waiting.setdefault(options, []).append(trial)
            if self._cost(options) <= self._high:
                return options
            self.tell(options, self._over(options))
        return None

    def tell(self, options: Options, accuracy: float) -> None:
        """Tell Optuna accuracy and log-cost."""
        trial, cost = self._waiting[options].pop(0), self._cost(options)
        trial.set_user_attr("cost", cost)
        values = [accuracy, math.log(cost)][: self._objectives]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(trial, values)

    def _proposed(self, trial: Any) -> Options:
        state, options, seen = self._chain.start(), list[Option](), dict[str, int]()
        while offered := self._chain.options(len(options), state):
            name = f"{_name(state, len(options), seen)}:{'/'.join(map(str, offered))}"
            option = trial.suggest_categorical(name, list(offered))
            state, _ = self._chain.step(len(options), state, option)
            options.append(option)
        return tuple(options)


@dataclass(frozen=True, eq=False)
class Feasible:
    """What a model is handed: encodings within the budget, and how it sees them.

    `pool(best)` returns some or all encodings that fit, `best` being those of the front so far;
    `start(n)` the first ones to evaluate; `low` and `high` the cheapest cost and the budget;
    `names` the one-hot columns.
    """

    chain: Chain
    cost: Callable[[Options], int]
    low: int
    high: int
    pool: Callable[[Sequence[Options]], Sequence[Options]]
    start: Callable[[int], Sequence[Options]]
    names: dict[Decision, int]

    def features(self, encodings: Sequence[Options]) -> NDArray[np.float64]:
        """Return one-hot decisions and, last, the share of log-cost: [n, columns + 1]."""
        found = np.zeros((len(encodings), len(self.names) + 1))
        span = math.log(self.high) - math.log(self.low)
        for row, options in zip(found, encodings, strict=True):
            for decision in decisions(self.chain, options):
                if (column := self.names.get(decision)) is not None:
                    row[column] = 1
            row[-1] = (math.log(self.cost(options)) - math.log(self.low)) / (span or 1.0)
        return found


def columns(chain: Chain, encodings: Iterable[Options]) -> dict[Decision, int]:
    """Return a column for each decision that occurs."""
    found = dict.fromkeys(one for options in encodings for one in decisions(chain, options))
    return {decision: column for column, decision in enumerate(found)}


class ModelSearch(ABC):
    """What all searches by a model over feasible encodings share: first encodings, then a model."""

    def __init__(self, space: Feasible, *, chance: float, seed: int, aim: Aim = "front") -> None:
        self.space, self.chance, self.seed, self.aim = space, chance, seed, aim
        self.results: dict[Options, float] = {}
        self.pending: dict[Options, None] = {}
        self._start = [*dict.fromkeys(space.start(START))]
        # Features of a pool that stays the same are computed once.
        self._rows: dict[Options, NDArray[np.float64]] = {}

    def ask(self) -> Options | None:
        """Return the next encoding; never one that was asked before."""
        chosen = self._next()
        if chosen is not None:
            self.pending[chosen] = None
        return chosen

    def _next(self) -> Options | None:
        while self._start:
            first = self._start.pop(0)
            if first not in self.pending and first not in self.results:
                return first
        pool = [o for o in self.space.pool(self._front()) if not self._known(o)]
        if not pool:
            return None
        # Without any result, workers side by side get what the pool offers first.
        return self.propose(pool) if len(self.results) > 1 else pool[0]

    @abstractmethod
    def propose(self, pool: Sequence[Options]) -> Options:
        """Return the encoding of `pool` that is worth the most."""

    def tell(self, options: Options, accuracy: float) -> None:
        """Learn a result; one that failed counts as guessing."""
        self.pending.pop(options, None)
        self.results[options] = accuracy if math.isfinite(accuracy) else self.chance

    def rows(self, encodings: Sequence[Options]) -> NDArray[np.float64]:
        """Return the features of encodings [n, columns]."""
        new = [options for options in encodings if options not in self._rows]
        if new:
            self._rows.update(zip(new, self.space.features(new), strict=True))
        return np.stack([self._rows[options] for options in encodings])

    def _known(self, options: Options) -> bool:
        return options in self.results or options in self.pending

    def _front(self) -> list[Options]:
        from search.pareto import front

        known = list(self.results)
        return [known[i] for i in front([(self.space.cost(o), self.results[o]) for o in known])]


class BoTorchSearch(ModelSearch):
    """BoTorch's `SingleTaskGP` over one-hot decisions and log-cost, and its analytic improvement.

    `aim=front`: expected hypervolume improvement of accuracy and log-cost, the latter exact;
    `aim=best`: log expected improvement of accuracy. Pending encodings count with their mean.
    """

    def propose(self, pool: Sequence[Options]) -> Options:
        """Return the encoding of the largest improvement; the model is fitted anew each time."""
        import torch
        from botorch import fit_gpytorch_mll
        from botorch.acquisition import LogExpectedImprovement
        from botorch.acquisition.multi_objective import ExpectedHypervolumeImprovement
        from botorch.models import SingleTaskGP
        from botorch.models.deterministic import GenericDeterministicModel
        from botorch.models.model import ModelList
        from botorch.models.transforms import Standardize
        from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
        from gpytorch.mlls import ExactMarginalLogLikelihood

        torch.manual_seed(self.seed * 10_000 + len(self.results))
        known = list(self.results)
        x = torch.from_numpy(self.rows(known))
        y = torch.tensor([self.results[o] for o in known], dtype=torch.float64)[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            with torch.no_grad():
                if self.pending:
                    waiting = torch.from_numpy(self.rows(list(self.pending)))
                    x = torch.cat([x, waiting])
                    y = torch.cat([y, model.posterior(waiting).mean])
                improvement: Any
                if self.aim == "best":
                    improvement = LogExpectedImprovement(model, best_f=y.max())
                else:
                    cheap = GenericDeterministicModel(lambda rows: 1 - rows[..., -1:])
                    reference = torch.tensor([self.chance, 0.0], dtype=torch.float64)
                    points = torch.cat([y, 1 - x[:, -1:]], 1)
                    improvement = ExpectedHypervolumeImprovement(
                        ModelList(model, cheap),
                        reference,
                        FastNondominatedPartitioning(reference, points),
                    )
                offered = torch.from_numpy(self.rows(pool))[:, None]
                worth = torch.cat([improvement(part) for part in offered.split(4096)])
        return pool[int(worth.argmax())]


class VizierSearch(ModelSearch):
    """Vizier's GP-UCB-PE (arXiv:2408.11527), which proposes one-hot weights; the nearest fits.

    Its designers know flat spaces only, so a proposal is a level of each decision, and of log-cost.
    The pool's encoding of the largest product with it is evaluated and told in its place.
    """

    def __init__(self, space: Feasible, *, chance: float, seed: int, aim: Aim = "front") -> None:
        super().__init__(space, chance=chance, seed=seed, aim=aim)
        import jax
        from vizier import algorithms
        from vizier import pyvizier as vz
        from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit

        # Its covariances need it.
        jax.config.update("jax_enable_x64", True)
        self._vz, self._completed = vz, algorithms.CompletedTrials
        self._active, self._told = algorithms.ActiveTrials, 0
        problem = vz.ProblemStatement()
        self._groups: dict[str, list[Option]] = {}
        for name, option in space.names:
            self._groups.setdefault(name, []).append(option)
        for name, offered in self._groups.items():
            problem.search_space.root.add_categorical_param(name, [*map(str, offered), "absent"])
        problem.search_space.root.add_float_param("cost", 0.0, 1.0)
        goal = vz.ObjectiveMetricGoal.MAXIMIZE
        problem.metric_information.append(vz.MetricInformation(name="accuracy", goal=goal))
        if aim != "best":
            problem.metric_information.append(vz.MetricInformation(name="cheapness", goal=goal))
        self._designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(seed))

    def tell(self, options: Options, accuracy: float) -> None:
        """Tell Vizier what was evaluated, under its own encoding."""
        super().tell(options, accuracy)
        vz, taken = self._vz, dict(decisions(self.space.chain, options))
        cost = float(self.rows([options])[0, -1])
        words = {name: str(taken.get(name, "absent")) for name in self._groups}
        self._told += 1
        trial = vz.Trial(id=self._told, parameters={**words, "cost": min(1.0, max(0.0, cost))})
        measured = {"accuracy": self.results[options]}
        if self.aim != "best":
            measured["cheapness"] = 1 - cost
        trial.complete(vz.Measurement(metrics=measured))
        self._designer.update(self._completed([trial]), self._active())

    def propose(self, pool: Sequence[Options]) -> Options:
        """Return the pool's encoding nearest to Vizier's proposal."""
        (suggested,) = self._designer.suggest(1)
        given = suggested.parameters
        wanted = np.zeros(len(self.space.names) + 1)
        for (name, option), column in self.space.names.items():
            wanted[column] = given.get_value(name) == str(option)
        wanted[-1] = float(given.get_value("cost"))
        return pool[int(np.abs(self.rows(pool) - wanted).sum(1).argmin())]


MODELS: dict[str, type[ModelSearch]] = {"botorch": BoTorchSearch, "vizier": VizierSearch}
