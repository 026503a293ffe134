"""Which strategy proposes candidates, and its options."""

from dataclasses import dataclass, fields

from search.config.checks import among, check
from search.config.settings import setting
from search.errors import UserError, shown
from search.networks.blocks import SEARCHABLE_OPS

# The options of each strategy; an option that would have no effect is refused.
OPTIONS: dict[str, tuple[str, ...]] = {
    "random": (),
    "evolution": ("population",),
    "local": ("start",),
    "optuna": ("sampler",),
    "grid": (),
    "surrogate": ("start",),
    "halving": ("inner", "rungs", "reduction"),
    "population": ("lengths", "repeats", "twin"),
}
# Strategies for which no result decides what is proposed: their networks are independent draws.
INDEPENDENT = ("random", "population")
SAMPLERS = ("tpe", "nsgaii")
_INNER = tuple(name for name in OPTIONS if name not in ("halving", "population"))
_DEFAULT = "the strategy's default"


@dataclass(frozen=True)
class StrategyConfig:
    """How candidates are chosen. With `halving` the options of its `inner` may be given, too.

    Raises `UserError` for an unknown name, a value out of range and an option without effect.
    """

    name: str = setting("surrogate", "strategy that proposes candidates", choices=tuple(OPTIONS))
    inner: str | None = setting(
        None,
        "strategy that proposes candidates to halving; null for surrogate",
        choices=_INNER,
        null="surrogate",
    )
    population: int | None = setting(
        None,
        "newest results that evolution keeps as possible parents",
        low=2,
        high=10_000,
        null=_DEFAULT,
    )
    start: int | None = setting(
        None,
        "candidates spread evenly over the costs before local search or the surrogate's model"
        " begins",
        low=2,
        high=10_000,
        null=_DEFAULT,
    )
    sampler: str | None = setting(
        None, "Optuna's sampler; null for tpe", choices=SAMPLERS, null="tpe"
    )
    rungs: int | None = setting(
        None,
        "training lengths of halving, the full one included; null for three, or as many as the"
        " epochs allow",
        low=2,
        high=20,
        null="three, or as many as the epochs allow",
    )
    reduction: int | None = setting(
        None,
        "reduction factor of halving: each rung trains this many times longer than the previous"
        " one, and one in this many candidates is promoted",
        low=2,
        high=10,
        null=_DEFAULT,
    )
    lengths: list[int] | None = setting(
        None,
        "epochs of shorter trainings that a population has of each network beside the full one",
        low=1,
        high=1_000_000,
        null="none",
    )
    repeats: int | None = setting(
        None, "seeds with which a population trains each network", low=1, high=100, null="one"
    )
    twin: str | None = setting(
        None,
        "kind of block that replaces every other in a second network, trained after each of a"
        " population",
        choices=SEARCHABLE_OPS,
        null="none",
    )

    def __post_init__(self) -> None:
        """Raise `UserError` that names the key, its value, the rule and the fix."""
        check(self, "strategy")
        allowed = {*OPTIONS[self.name]}
        if self.name == "halving":
            among("strategy.inner", self.proposer, _INNER)
            allowed |= set(OPTIONS[self.proposer])
        for option in (field.name for field in fields(self) if field.name != "name"):
            value = getattr(self, option)
            if value is not None and option not in allowed:
                owners = [name for name, options in OPTIONS.items() if option in options]
                raise UserError(
                    f"strategy.{option}={shown(value)} has no effect with strategy={self.name}; it"
                    f" belongs to {' or '.join(owners)}: leave it out"
                )

    @property
    def proposer(self) -> str:
        """The strategy that chooses candidates: halving's inner one, or the strategy itself."""
        if self.name != "halving":
            return self.name
        return "surrogate" if self.inner is None else self.inner
