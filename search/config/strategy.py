"""Which strategy proposes, and the few options it has."""

from collections.abc import Iterable
from dataclasses import dataclass

from search.errors import UserError, nearest

# What each strategy's options are; an option that does nothing is refused.
OPTIONS: dict[str, tuple[str, ...]] = {
    "random": (),
    "evolution": ("population",),
    "local": ("start",),
    "optuna": ("sampler",),
    "grid": (),
    "surrogate": ("start",),
    "halving": ("inner", "rungs", "reduction"),
}
SAMPLERS = ("tpe", "nsgaii")
_INTEGERS = {
    "population": (2, 10_000),
    "start": (2, 10_000),
    "rungs": (2, 20),
    "reduction": (2, 10),
}


@dataclass
class StrategyConfig:
    """How candidates are chosen; options left null have the strategy's own default.

    `name`: random, evolution, local, optuna, grid, surrogate or halving. `inner`: the strategy
    that proposes to halving; its options may be given, too. `population`: candidates that
    evolution keeps. `start`: candidates spread over the costs before local search or the
    surrogate begins. `sampler`: Optuna's, tpe or nsgaii. `rungs`: lengths of training in halving,
    the full one included; `reduction`: how many times as long each rung is as the one before.
    """

    name: str = "surrogate"
    inner: str | None = None
    population: int | None = None
    start: int | None = None
    sampler: str | None = None
    rungs: int | None = None
    reduction: int | None = None

    def validate(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        _known("name", self.name, OPTIONS)
        allowed = set(OPTIONS[self.name])
        if self.name == "halving":
            others = [name for name in OPTIONS if name != "halving"]
            _known("inner", self.proposer, others)
            allowed |= set(OPTIONS[self.proposer])
        for option in ("inner", "population", "start", "sampler", "rungs", "reduction"):
            value = getattr(self, option)
            if value is not None and option not in allowed:
                raise UserError(self._idle(option, value))
        if self.sampler is not None:
            _known("sampler", self.sampler, SAMPLERS)
        for option, (least, most) in _INTEGERS.items():
            value = getattr(self, option)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and least <= value <= most):
                raise UserError(
                    f"strategy.{option}={value} must be an integer from {least} to {most}"
                )

    @property
    def proposer(self) -> str:
        """The strategy that chooses candidates: halving's inner one, or the strategy itself."""
        if self.name != "halving":
            return self.name
        return "surrogate" if self.inner is None else self.inner

    def _idle(self, option: str, value: object) -> str:
        owners = " or ".join(name for name, options in OPTIONS.items() if option in options)
        return (
            f"strategy.{option}={value} does nothing for strategy={self.name}; it belongs to"
            f" {owners}: leave it out"
        )


def _known(option: str, value: object, known: Iterable[str]) -> None:
    names = list(known)
    if value not in names:
        raise UserError(f"strategy.{option}={value} is unknown; {nearest(str(value), names)}")
