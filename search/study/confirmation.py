"""The front measured again with fresh seeds, so that luck in the search does not count.

The best of many noisy figures is too high on average. So the architectures of the search's front
are trained again with seeds that the search never used, and judged by the means of those alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from search.pareto import Objective, front
from search.study.trials import FrontEntry, Trial, front_entries, front_entry


def fresh_seeds(seed: int, used: Iterable[int], count: int, purpose: str = "confirm") -> list[int]:
    """Return `count` consecutive seeds, derived from the search's `seed`, that are not `used`.

    A larger count extends a smaller one, so a longer confirmation continues a shorter one. Each
    `purpose` has seeds of its own.
    """
    taken = set(used)
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    # A multiple of 1000, which is easy to read, and far from the small numbers that people choose.
    first = 1000 * (1 + int.from_bytes(digest[:4], "big") % 2_000_000)
    found: list[int] = []
    while len(found) < count:
        if first not in taken:
            found.append(first)
        first += 1
    return found


def due(
    trials: Sequence[Trial],
    epochs: int,
    again: Sequence[Trial],
    seeds: Sequence[int],
    objective: Objective = "accuracy",
    *,
    retry: bool = True,
) -> list[Trial]:
    """Return the front's trials that are still to be trained with `seeds`, each with its new job.

    Ordered by seed first. Pairs of architecture and seed that `again` holds are left out; with
    `retry`, failures of the surroundings that format 1 stored are to be trained once more.
    """
    done = {(trial.arch_id, trial.job.seed) for trial in again if not (retry and trial.retryable)}
    rows = front_entries(trials, epochs, objective)
    by_number = {trial.number: trial for trial in trials}
    return [
        replace(by_number[row.trial], job=replace(row.job, epochs=epochs, seed=seed), same_as=None)
        for seed in seeds
        for row in rows
        if (row.arch_id, seed) not in done
    ]


def confirmed(
    trials: Sequence[Trial],
    epochs: int,
    again: Sequence[Trial],
    seeds: Sequence[int],
    objective: Objective = "accuracy",
) -> list[FrontEntry] | None:
    """Return the front of the means over `seeds`, or None while some trainings are missing.

    `accuracy` is the mean over the trainings `again`, `search_accuracy` what the search measured;
    likewise the balanced accuracy. The means of the `objective` rank.
    An architecture that failed with one of the seeds has no mean and leaves the front.
    """
    if not seeds or due(trials, epochs, again, seeds, objective, retry=False):
        return None
    wanted = set(seeds)
    measured: dict[str, dict[int, Trial]] = {}
    for trial in again:
        if trial.job.seed in wanted and trial.result.status == "ok":
            measured.setdefault(trial.arch_id, {}).setdefault(trial.job.seed, trial)
    searched: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.completed(epochs) and trial.same_as is None:
            searched.setdefault(trial.arch_id, []).append(trial)
    rows = []
    for arch_id, by_seed in measured.items():
        if len(by_seed) == len(wanted) and arch_id in searched:
            before = front_entry(searched[arch_id])
            row = front_entry(list(by_seed.values()))
            row = replace(row, trial=before.trial, search_accuracy=before.accuracy)
            rows.append(replace(row, search_balanced_accuracy=before.balanced_accuracy))
    chosen = front([(row.multiplies, row.ranked_by(objective)) for row in rows])
    return [rows[index] for index in chosen] or None
