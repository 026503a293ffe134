"""The front measured again with fresh seeds, so that luck in the search does not count.

The best of many noisy figures is too high on average. So the architectures of the search's front
are trained again with seeds that the search never used, and judged by the means of those alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from search.pareto import front
from search.study.trials import FrontEntry, Trial, front_entries, front_entry


def fresh_seeds(seed: int, used: Iterable[int], count: int) -> list[int]:
    """Return `count` consecutive seeds that belong to the search with `seed` and are not `used`.

    The first of more is the first of fewer, so that a longer confirmation goes on with a short one.
    """
    taken = set(used)
    digest = hashlib.sha256(f"confirm {seed}".encode()).digest()
    # Rounded, for people will read them; far from the small numbers that people choose.
    first = 1000 * (1 + int.from_bytes(digest[:4], "big") % 2_000_000)
    found: list[int] = []
    while len(found) < count:
        if first not in taken:
            found.append(first)
        first += 1
    return found


def due(
    trials: Sequence[Trial], epochs: int, again: Sequence[Trial], seeds: Sequence[int]
) -> list[Trial]:
    """Return the trials of the search whose architecture must be trained again, with which job.

    All of one seed come before those of the next; what `again` holds is left out.
    """
    done = {(trial.arch_id, trial.job.seed) for trial in again if not trial.retryable}
    rows = front_entries(trials, epochs)
    by_number = {trial.number: trial for trial in trials}
    return [
        replace(by_number[row.trial], job=replace(row.job, epochs=epochs, seed=seed), same_as=None)
        for seed in seeds
        for row in rows
        if (row.arch_id, seed) not in done
    ]


def confirmed(
    trials: Sequence[Trial], epochs: int, again: Sequence[Trial], seeds: Sequence[int]
) -> list[FrontEntry] | None:
    """Return the front of the means over `seeds`, or None while some of them are missing.

    Accuracies are of `again` alone, `search_accuracy` is the search's figure. An architecture that
    failed with one of the seeds has no mean, and leaves the front.
    """
    if not seeds or due(trials, epochs, again, seeds):
        return None
    wanted = set(seeds)
    measured: dict[str, list[Trial]] = {}
    for trial in again:
        if trial.job.seed in wanted and trial.result.status == "ok":
            measured.setdefault(trial.arch_id, []).append(trial)
    searched: dict[str, list[Trial]] = {}
    for trial in trials:
        full = trial.job.epochs == epochs and trial.result.status == "ok"
        if full and trial.same_as is None:
            searched.setdefault(trial.arch_id, []).append(trial)
    rows = []
    for arch_id, group in measured.items():
        if len(group) == len(wanted) and arch_id in searched:
            before = front_entry(searched[arch_id])
            rows.append(
                replace(front_entry(group), trial=before.trial, search_accuracy=before.accuracy)
            )
    chosen = front([(row.multiplies, row.accuracy) for row in rows])
    return [rows[index] for index in chosen] or None
