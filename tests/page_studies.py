"""Studies for the tests of pages: every optional part present, and texts that try to break out."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.jobs import Candidate, Curve, Result, failed
from search.networks.arch import Arch, Block, Head, Input, Stem
from search.study.landmarks import Landmark
from search.study.latency import Latency, record
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

HOSTILE = (
    '</script><img src=x onerror="window.broken=1"><!--<script>window.broken=1</script>'
    "\u2028&amp;'"
)
CLASSES = ("one", HOSTILE, "three")
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
)
PNG = f"{_PIXEL}=="
_OPS: Sequence[Sequence[str]] = (("conv",), ("separable",), ("conv", "inverted"), ("inverted",))


def info(high: int = 60_000, **changes: Any) -> StudyInfo:
    data = {
        "name": HOSTILE,
        "shape": [8, 8, 1],
        "classes": list(CLASSES),
        "class_counts": [9, 3, 5],
    }
    return replace(StudyInfo(1000, 200_000, 0, high, 4000, True, 1 / 3, 8, data), **changes)


def balanced_elsewhere() -> StudyInfo:
    """Return a study of balanced accuracy, confirmed on images that the search did not use."""
    plain = info()
    data = {**plain.data, "confirmation_images": 1234}
    return replace(plain, objective="balanced_accuracy", data=data)


def arch(rng: random.Random) -> Arch:
    ops = _OPS[rng.randrange(len(_OPS))]
    blocks = [
        Block(op, rng.choice((8, 12, 16)), stride=2 if place == 0 else 1, expansion=e)
        for place in range(rng.randint(1, 3))
        for op in [ops[place % len(ops)]]
        for e in [2 if op == "inverted" else 1]
    ]
    return Arch(Input(8, 8, 1), Stem(4), tuple(blocks), Head(), len(CLASSES))


def trials(count: int, seed: int = 0, high: int = 60_000) -> list[Trial]:
    """Return trials of random networks within the budget; some short, one failed."""
    rng, found = random.Random(seed), list[Trial]()
    while len(found) < count:
        candidate = Candidate.of(arch(rng))
        if candidate.multiplies > high:
            continue
        number = len(found)
        accuracy = 0.95 - 0.4 / math.log10(candidate.multiplies) ** 2 - rng.random() * 0.1
        details = {"balanced_accuracy": accuracy - 0.05}
        result = Result(accuracy, 1 - accuracy, 1.5, details=details)
        job = candidate.job(2 if number % 7 == 6 else 8, 0)
        if number == 5:
            result = failed(HOSTILE, 1.0)
        found.append(
            Trial(
                number,
                job,
                candidate.text,
                candidate.id,
                candidate.multiplies,
                candidate.params,
                number,
                result,
            )
        )
    return found


def fill(study: Study, count: int) -> None:
    """Record trials, a confirmation of the front, and one record of every kind that is drawn."""
    study.compute_on({"platform": "cpu", "device_kind": "cpu", "jax": "0.10.2", "cores": "2"})
    rng = random.Random(1)
    for trial in trials(count):
        study.add(trial)
    for number, trial in enumerate(study.begin_confirmation(3)):
        accuracy = 0.15 * math.log10(trial.multiplies) + 0.01 * rng.random()
        details = {"balanced_accuracy": accuracy - 0.02 * rng.random()}
        result = Result(accuracy, 0.3, 1.0, details=details, curve=curve(accuracy))
        study.add_confirmation(replace(trial, number=number, result=result))
    found, confirmed = study.front(study.trials())
    assert confirmed
    for member in found:
        study.record("curve", str(member.trial), curve(0.9).as_json())
    for name, cost in ((HOSTILE, 5_000), ("mobilenet_v2 × 0.1", 30_000)):
        study.add_landmark(landmark(name, cost))
    best = found[-1].arch_id
    study.record("final", best, final(best))
    record(study, latencies([(row.arch_id, row.multiplies) for row in found]))
    sheet = [{"name": name, "count": 9, "images": 1, "png": PNG} for name in CLASSES]
    study.record("contact_sheet", "train", {"classes": sheet})


def curve(last: float) -> Curve:
    """Return the curve of eight epochs without validation; it ends at this training accuracy."""
    epochs = range(1, 9)
    none, rate = (math.nan,) * 8, (0.1,) * 8
    rising = tuple(last - 0.05 * (8 - epoch) for epoch in epochs)
    return Curve(tuple(epochs), rising[::-1], rising, none, none, rate, rate)


def latencies(networks: Sequence[tuple[str, int]]) -> list[Latency]:
    """Return measurements of networks (id, multiplies): the costlier, the slower."""
    return [
        Latency(arch_id, cost, "jax", batch, "cpu", HOSTILE, 2, 30, *(ms, 0.9 * ms, 1.2 * ms))
        for arch_id, cost in networks
        for batch in (1, 64)
        for ms in [0.1 + cost * batch / 1e5]
    ]


def landmark(name: str, cost: int) -> Landmark:
    return Landmark(
        name,
        0.1,
        "0" * 12,
        cost,
        100,
        0.85,
        0.8,
        0.4,
        epochs=8,
        seed=0,
        seconds=1.0,
        status="ok",
        error="",
    )


def final(arch_id: str) -> dict[str, Any]:
    return {
        "arch_id": arch_id,
        "key": "0",
        "name": HOSTILE,
        "from": "scratch",
        "folder": f"finals/{arch_id}",
        "number": 0,
        "multiplies": 9000,
        "params": 900,
        "accuracy": 0.91,
        "accuracy_std": 0.01,
        "balanced_accuracy": 0.9,
        "balanced_accuracy_std": 0.01,
        "nll": 0.3,
        "ece": 0.02,
        "ece_bins": [],
        "per_class": [0.8, 1.0, 0.8],
        "teacher": None,
        "epochs": 80,
        "seeds": 3,
        "seed_numbers": [1, 2, 3],
        "reading": 1,
        "data": {
            "own": True,
            "name": HOSTILE,
            "test": "0" * 64,
            "train_images": 14,
            "test_images": 18,
            "classes": list(CLASSES),
        },
        "confusion": [[5, 1, 0], [0, 7, 0], [1, 0, 4]],
    }


def study_folder(place: Path, count: int = 60, about: StudyInfo | None = None) -> Path:
    """Make a study with everything in the folder `place`."""
    about = about or info()
    with Study.open(place, {"strategy": {"name": HOSTILE}, "seed": 0}, about) as study:
        fill(study, count)
        study.write("config.yaml", f"# {HOSTILE}\nbudget: 60k\n")
    return place


def group_folders(place: Path) -> list[Path]:
    """Make six studies: two budgets, three seeds, whose folders sort as text."""
    made = []
    for high in (9_000, 60_000):
        for seed in range(3):
            folder = place / f"{high}-{seed}"
            settings = {"strategy": {"name": "random"}, "seed": seed, "budget": high}
            with Study.open(folder, settings, info(high)) as study:
                for trial in trials(40, seed, high):
                    study.add(replace(trial, job=replace(trial.job, seed=seed)))
            made.append(folder)
    return sorted(made)
