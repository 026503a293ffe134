"""The trainings that the answer is computed from, one row each, and their CSV."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, get_args

from search.errors import UserError, shown
from search.files import canonical_json
from search.jobs import Status
from search.networks.arch import Arch, to_json
from search.networks.blocks import BLOCKS
from search.networks.cost import cost_of
from search.question.table import (
    COUNT,
    INDEX,
    SHARE,
    SHARE_OR_NONE,
    SIZE,
    SIZE_OR_NONE,
    TEXT,
    Rule,
    from_csv,
    one_of,
)

Design = Literal["population", "twins"]
MIXED = "mixed"
FAMILIES = (*BLOCKS, MIXED)


@dataclass(frozen=True)
class Training:
    """One training: the columns of `trials.csv`, then what follows from its network.

    `data`: what it was trained on; `design`: drawn for a population, or one of a pair of twins;
    `family`: the kind of all blocks that its space offers, `mixed` for several; `shape`: id of the
    network but for its kinds of block, equal for twins; `depth`: number of blocks; `width`: mean
    log2 of the blocks' channels;
    `standard`: share of the blocks' multiplies in k×k convolutions with k > 1 that are not
    depthwise, and of it `standard_first`, `standard_middle`, `standard_last` in the thirds of the
    blocks; `place`: mean position of standard blocks minus that of the others, from -1 (all first)
    to 1, NaN unless there are both; `latency_ms`: median time of one call by `latency_of`, NaN
    where not measured. `accuracy` is NaN where the training failed.
    """

    arch_id: str
    multiplies: int
    params: int
    accuracy: float
    accuracy_std: float
    seeds: int
    epochs: int
    seed: int
    status: str
    loss: float
    seconds: float
    trial: int
    ops: str
    study: str
    data: str
    design: Design
    family: str
    shape: str
    depth: int
    width: float
    standard: float
    standard_first: float
    standard_middle: float
    standard_last: float
    place: float
    latency_ms: float
    latency_of: str


@dataclass(frozen=True)
class Anatomy:
    """What is derived from an Arch; the fields are those of `Training`."""

    params: int
    shape: str
    depth: int
    width: float
    standard: float
    standard_first: float
    standard_middle: float
    standard_last: float
    place: float


def anatomy(arch: Arch) -> Anatomy:
    """Return depth, width and where the standard convolutions of a network are.

    Raises `UserError` for a network without blocks, which is of no family.
    """
    count = len(arch.blocks)
    if not count:
        raise UserError(f"{arch.id} has no blocks, so it is of no kind; leave its study out")
    cost = cost_of(arch)
    inside, thirds = 0, [0, 0, 0]
    for layer in cost.layers:
        if layer.block is not None:
            inside += layer.multiplies
            if layer.kind == "standard" and layer.kernel > 1:
                thirds[3 * layer.block // count] += layer.multiplies
    positions: dict[bool, list[float]] = {True: [], False: []}
    for index, block in enumerate(arch.blocks):
        positions[block.op == "conv"].append(index / max(1, count - 1))
    standard, other = positions[True], positions[False]
    plain = json.loads(to_json(arch))
    for block in plain["blocks"]:
        del block["op"]
    first, middle, last = (part / inside for part in thirds)
    return Anatomy(
        params=cost.params,
        shape=hashlib.sha256(canonical_json(plain).encode()).hexdigest()[:12],
        depth=count,
        width=fmean(math.log2(block.channels) for block in arch.blocks),
        standard=sum(thirds) / inside,
        standard_first=first,
        standard_middle=middle,
        standard_last=last,
        place=fmean(standard) - fmean(other) if standard and other else math.nan,
    )


def ordered(trainings: Iterable[Training]) -> list[Training]:
    """Return trainings in the one order that does not depend on how studies were named."""

    def key(one: Training) -> tuple[object, ...]:
        family = FAMILIES.index(one.family)
        return (one.design, family, one.multiplies, one.arch_id, one.epochs, one.seed, one.study)

    return sorted(trainings, key=key)


_RULES: dict[str, Rule] = {
    **dict.fromkeys(("multiplies", "params", "seeds", "epochs", "depth"), COUNT),
    **dict.fromkeys(("seed", "trial"), INDEX),
    **dict.fromkeys(("standard", "standard_first", "standard_middle", "standard_last"), SHARE),
    **dict.fromkeys(("width", "seconds"), SIZE),
    **dict.fromkeys(("accuracy_std", "latency_ms"), SIZE_OR_NONE),
    **dict.fromkeys(("arch_id", "study", "data", "shape"), TEXT),
    "accuracy": SHARE_OR_NONE,
    "place": (lambda x: math.isnan(x) or -1 <= x <= 1, "from -1 to 1, or empty"),
    "status": one_of(get_args(Status)),
    "design": one_of(get_args(Design)),
    "family": one_of(FAMILIES),
}


def read_csv(path: Path) -> list[Training]:
    """Read the table of trainings; raises `UserError` for another file, and an empty one."""
    found = from_csv(Training, path, _RULES)
    if not found:
        raise UserError(
            f"{path} has no trainings; name a trials.csv that convbudget question wrote"
        )
    data = sorted({one.data for one in found})
    if len(data) > 1:
        raise UserError(
            f"{path} has trainings on {shown(data[0])} and on {shown(data[1])}, which cannot be"
            " compared; leave one of them out"
        )
    for one in found:
        if one.status == "ok" and math.isnan(one.accuracy):
            raise UserError(
                f"{path}: trial {one.trial} of {shown(one.study)} is ok and has no accuracy; give"
                " it one from 0 to 1, or the status failed"
            )
    return found
