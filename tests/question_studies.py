"""Studies of populations by formula: real networks of a small space, accuracies as given."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from search.config.space import SpaceConfig
from search.jobs import Candidate, Result
from search.networks.arch import Arch, Input
from search.spaces.budget_table import tabulate
from search.spaces.stages import build
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

LOW, HIGH = 60_000, 1_000_000
KINDS = ("conv", "separable", "blueprint", "inverted")
_SPACE = SpaceConfig(
    ops=["conv"],
    expansions=[2],
    stem=[4, 8, 16],
    strides=[2, 2, 2],
    widths=[[4, 8, 16], [8, 16, 32], [16, 32, 64]],
    depths=[1, 2, 3],
)
_INFO = {"name": "fashion_mnist", "classes": [str(digit) for digit in range(10)]}
Accuracy = Callable[[Arch, int, str], float]


def networks(ops: Sequence[str], count: int, seed: int = 0) -> list[Candidate]:
    """Return networks of a small space evenly over log-multiplies."""
    chain = build(replace(_SPACE, ops=[*ops]), Input(28, 28, 1), 10)
    table = tabulate(chain, HIGH)
    rng = np.random.default_rng(seed)
    wanted = np.exp(rng.uniform(np.log(LOW), np.log(HIGH), 3 * count)).astype(int).tolist()
    drawn = table.sample_at(rng, wanted, LOW, HIGH)
    return [*{one.id: one for one in map(table.candidate, drawn)}.values()][:count]


def study(
    folder: Path,
    ops: Sequence[str],
    found: Sequence[Candidate],
    accuracy: Accuracy,
    *,
    seeds: Sequence[int] = (0,),
    lengths: Sequence[int] = (1, 4),
    strategy: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    high: int = HIGH,
) -> Path:
    """Write a study of those networks, each trained at every length with every seed."""
    chosen = {"name": "population", "lengths": [*lengths[:-1]]} if strategy is None else strategy
    described = {
        "data": {"name": "fashion_mnist"},
        "space": {"name": "question", "ops": [*ops]},
        "strategy": dict(chosen),
        "budget": high,
        "budget_low": LOW,
        "epochs": lengths[-1],
        "seed": seeds[0],
        "fingerprints": {"train": "t", "validation": "v"},
        **(settings or {}),
    }
    info = StudyInfo(50_000, 10**8, 0, high, 10**6, True, 0.1, lengths[-1], _INFO)
    family = ops[0] if len(ops) == 1 else "mixed"
    jobs = [(one, epochs, seed) for one in found for seed in seeds for epochs in lengths]
    with Study.open(folder, described, info) as opened:
        for number, (one, epochs, seed) in enumerate(jobs):
            value = round(min(max(accuracy(one.value, epochs, family), 0.1), 0.99), 4)
            result = Result(value, -math.log(value), 1.0)
            about = one.text, one.id, one.multiplies, one.params
            opened.add(Trial(number, one.job(epochs, seed), *about, number, result))
    return folder


def twins(found: Sequence[Candidate], op: str) -> list[Candidate]:
    """Return each network followed by the one of its shape with all blocks of the kind `op`."""
    pairs = []
    for one in found:
        arch = one.value
        blocks = tuple(replace(block, op=op) for block in arch.blocks)
        pairs += [one, Candidate.of(replace(arch, blocks=blocks))]
    return pairs
