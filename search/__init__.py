"""convbudget: the most accurate small convolutional network for a compute budget.

Search
    run             the command's search from Python, with parts of one's own where wanted
    Outcome         what it returns: trials, front, hypervolume
    front           the front of a study on the disk: members, rows for pandas, its page
    load            a trained model: of a study, a shipped front, a folder of `Model.save`
    Study           a study's folder: every trial, settings, front

Networks
    Arch, Input, Stem, Block, Head    a network, described
    zoo             published networks: `zoo.names()`, `zoo.network(name)`
    build           a fresh `flax.nnx` module of an Arch, or of a network of the zoo by its name
    cost_of         exact multiplies and parameters, layer by layer

A space, an evaluator, a strategy of one's own
    Chain           what a space has to say: decisions with integer prices
    tabulate        a `BudgetTable` of a chain: counting, sampling, mutation inside a budget
    Candidate       an encoding, priced, with what it stands for
    Job, Result     one training to be done, and what came of it
    Curve           how a training went, epoch by epoch
    Infeasible      raised by an evaluator for a candidate that cannot be evaluated
    Strategy        `ask` and `tell`; `Exhausted` where nothing is left
    hypervolume     area under a front
    import search.testing for suites that a strategy, chain, executor or evaluator must pass

Errors
    UserError       a value that breaks a rule: the value, the rule, the fix
    Interrupted     the user stopped a search; the same call goes on
"""

from typing import TYPE_CHECKING, Any

from search.lazy import names_from

if TYPE_CHECKING:
    from search.api import run
    from search.engine.model import build
    from search.errors import Interrupted, UserError
    from search.export.load import load
    from search.export.model import Model
    from search.jobs import (
        Candidate,
        Curve,
        Evaluator,
        Exhausted,
        Infeasible,
        Job,
        Option,
        Options,
        Result,
        Strategy,
    )
    from search.networks import zoo
    from search.networks.arch import Arch, Block, Head, Input, Stem
    from search.networks.cost import Cost, cost_of
    from search.pareto import hypervolume
    from search.report.notebook import front
    from search.runner.outcome import Outcome
    from search.spaces.budget_table import BudgetTable, tabulate
    from search.spaces.chain import Chain
    from search.study.study import Study
    from search.study.trials import FrontEntry, Trial

    __version__: str

__all__ = [
    "Arch",
    "Block",
    "BudgetTable",
    "Candidate",
    "Chain",
    "Cost",
    "Curve",
    "Evaluator",
    "Exhausted",
    "FrontEntry",
    "Head",
    "Infeasible",
    "Input",
    "Interrupted",
    "Job",
    "Model",
    "Option",
    "Options",
    "Outcome",
    "Result",
    "Stem",
    "Strategy",
    "Study",
    "Trial",
    "UserError",
    "__version__",
    "build",
    "cost_of",
    "front",
    "hypervolume",
    "load",
    "run",
    "tabulate",
    "zoo",
]
# On demand: `import search` alone must not wait for JAX.
_lookup = names_from(
    __name__,
    {
        "Arch": "search.networks.arch",
        "Block": "search.networks.arch",
        "BudgetTable": "search.spaces.budget_table",
        "Candidate": "search.jobs",
        "Chain": "search.spaces.chain",
        "Cost": "search.networks.cost",
        "Curve": "search.jobs",
        "Evaluator": "search.jobs",
        "Exhausted": "search.jobs",
        "FrontEntry": "search.study.trials",
        "Head": "search.networks.arch",
        "Infeasible": "search.jobs",
        "Input": "search.networks.arch",
        "Interrupted": "search.errors",
        "Job": "search.jobs",
        "Model": "search.export.model",
        "Option": "search.jobs",
        "Options": "search.jobs",
        "Outcome": "search.runner.session",
        "Result": "search.jobs",
        "Stem": "search.networks.arch",
        "Strategy": "search.jobs",
        "Study": "search.study.study",
        "Trial": "search.study.trials",
        "UserError": "search.errors",
        "build": "search.engine.model",
        "cost_of": "search.networks.cost",
        "front": "search.report.notebook",
        "hypervolume": "search.pareto",
        "load": "search.export.load",
        "run": "search.api",
        "tabulate": "search.spaces.budget_table",
        "zoo": "search.networks",
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("convbudget")
    return _lookup(name)


def __dir__() -> list[str]:
    return sorted(__all__)
