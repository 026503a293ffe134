"""Which networks are trained to the end: members of a study's front, or networks of the zoo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from search.errors import UserError, nearest, shown
from search.jobs import Candidate
from search.networks import zoo
from search.networks.arch import Arch, Input
from search.study.trials import FrontEntry
from search.units import format_multiplies, parse_multiplies


@dataclass(frozen=True)
class Network:
    """A network to be trained to the end.

    `name`: what the zoo calls it, with its width, empty for a member of the front; `origin`: the
    id of the member whose weights it may begin with.
    """

    candidate: Candidate
    name: str = ""
    origin: str = ""

    @property
    def arch(self) -> Arch:
        """The network."""
        found: Arch = self.candidate.value
        return found


@dataclass(frozen=True)
class Choice:
    """Which members: the most accurate by default, within `at`, the one with `id`, or all."""

    at: str | None = None
    id: str | None = None
    all: bool = False


def members(found: Sequence[FrontEntry], name: str, choice: Choice) -> list[Network]:
    """Return the chosen members of the front of the study `name`, cheapest first.

    Raises `UserError` where there is none, and for members that are no networks.
    """
    if not found:
        raise UserError(f"{name} has no front yet; run its command until a trial succeeds")
    rows = [*found] if choice.all else [member(found, name, choice)]
    networks = [Network(row.job.candidate, origin=row.arch_id) for row in rows]
    for one in networks:
        if not isinstance(one.candidate.value, Arch):
            raise UserError(
                f"{name} searched a space of one's own, whose {shown(one.candidate.id)} is no"
                " network (an Arch); there is nothing to train"
            )
    return networks


def member(found: Sequence[FrontEntry], name: str, choice: Choice) -> FrontEntry:
    """Return the one member that `choice` names; raises `UserError` where there is none."""
    if choice.id is not None:
        same = [row for row in found if choice.id and row.arch_id.startswith(choice.id)]
        if not same:
            ids = [row.arch_id for row in found]
            raise UserError(
                f"{shown(choice.id)} is not on the front of {name}; {nearest(choice.id[:40], ids)}"
            )
        if len(same) > 1:
            ids = [row.arch_id for row in same]
            raise UserError(f"{shown(choice.id)} begins several ids: {', '.join(ids)}; give more")
        return same[0]
    if choice.at is None:
        return found[-1]
    limit = parse_multiplies(choice.at, "--at")
    inside = [row for row in found if row.multiplies <= limit]
    if not inside:
        raise UserError(
            f"--at {shown(choice.at)}: nothing on the front of {name} costs so little; the"
            f" cheapest costs {format_multiplies(found[0].multiplies)}"
        )
    return inside[-1]


def of_zoo(text: str, budget: int, shape: Input, classes: int) -> Network:
    """Return the network of `NAME[@BUDGET]`, as wide as it fits; `budget` where none is given.

    Raises `UserError` for an unknown name and where nothing fits.
    """
    name, at, limit = text.partition("@")
    check_size(name, shape, classes)
    budget = parse_multiplies(limit, "--zoo") if at else budget
    width, arch = zoo.widest(name, budget, input=shape, classes=classes)
    return Network(Candidate.of(arch), f"{name} x{width:g}")


def check_size(name: str, shape: Input, classes: int) -> None:
    """Raise `UserError`, with those that fit, where images are too small for a zoo network."""
    if name not in zoo.names():
        return
    fitting = [one for one in zoo.names() if _fits(one, shape, classes)]
    if name not in fitting:
        known = f"of the zoo these fit: {', '.join(fitting)}" if fitting else "none of the zoo fits"
        raise UserError(f"{name} needs larger images than {shape.height}x{shape.width}; {known}")


def _fits(name: str, shape: Input, classes: int) -> bool:
    try:
        zoo.network(name, input=shape, classes=classes)
    except UserError:
        return False
    return True


def adapted(network: Network, shape: Input, classes: int) -> Network:
    """Return the network for images of another shape or with other classes.

    Raises `UserError` where the images are too small for its strides.
    """
    arch = replace(network.arch, input=shape, classes=classes)
    return replace(network, candidate=Candidate.of(arch))
