"""What results were computed on: which differences make other results, and which hardly do.

A mapping of texts: `platform` (cpu, gpu, tpu), `device_kind`, `precision` as resolved, `cores`, and
the versions of `jax`, `jaxlib` and `convbudget`; empty where unknown, as with a user's evaluator.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from search.errors import UserError
from search.study.trials import Trial

# These may change the order of a sum, hence the last bits; a search could then take another way,
# but its results are as good. Every other key names another machine or another arithmetic.
_TOLERATED = {"cores", "jax", "jaxlib", "convbudget"}


def platform_of(computed: Mapping[str, str]) -> str:
    """Return what results must share to be one measurement: `cpu, float32`; empty if unknown."""
    keys = sorted(computed.keys() - _TOLERATED, key=lambda key: (key != "platform", key))
    return ", ".join(dict.fromkeys(computed[key] for key in keys if computed[key]))


def platforms(trials: Iterable[Trial]) -> list[str]:
    """Return every platform that the trials were computed on, as far as it is known."""
    return sorted({platform_of(trial.computed) for trial in trials} - {""})


def variants(trials: Iterable[Trial]) -> list[str]:
    """Return in which versions or numbers of cores the trials differ: `cores 2 and 4`."""
    values: dict[str, set[str]] = {key: set() for key in sorted(_TOLERATED)}
    for trial in trials:
        for key, found in values.items():
            if key in trial.computed:
                found.add(trial.computed[key])
    return [f"{key} {' and '.join(sorted(v))}" for key, v in values.items() if len(v) > 1]


def unlike_most(trials: Iterable[Trial]) -> tuple[list[str], set[str]]:
    """Return what differs between the trials, and the `arch_id` of those unlike most of them.

    The differences are those of platforms and of `variants`; where there are none, none is unlike.
    """
    known = [trial for trial in trials if trial.computed]
    found = platforms(known)
    told = [*([" and ".join(found)] if len(found) > 1 else []), *variants(known)]
    if not told:
        return [], set()
    usual = Counter(_items(trial) for trial in known).most_common(1)[0][0]
    return told, {trial.arch_id for trial in known if _items(trial) != usual}


def _items(trial: Trial) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(trial.computed.items()))


def differences(
    trials: Iterable[Trial], now: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Compare what `trials` were computed on with the present.

    Returns two mappings of a key to `before -> now`: differences in platform, device or precision,
    and those that change the last bits at most. Trials of which nothing is known differ in nothing.
    """
    known = {_items(trial) for trial in trials if trial.computed}
    if not now:
        return {}, {}
    before: dict[str, set[str]] = {}
    for items in known:
        stored = dict(items)
        for key in stored.keys() | now.keys():
            before.setdefault(key, set()).add(stored.get(key, "unknown"))
    changed = {
        key: f"{' and '.join(sorted(values))} -> {now.get(key, 'unknown')}"
        for key, values in sorted(before.items())
        if values != {now.get(key, "unknown")}
    }
    serious = {key: text for key, text in changed.items() if key not in _TOLERATED}
    return serious, {key: text for key, text in changed.items() if key in _TOLERATED}


def notes_on(
    trials: Iterable[Trial], now: Mapping[str, str], refusal: tuple[str, str] | None = None
) -> list[str]:
    """Return what to tell a user whose study goes on with results computed as `now` says.

    Raises `UserError` where platform, device or precision differ: `refusal` is what it says before
    and after the change; None allows that.
    """
    serious, slight = differences(trials, now)
    notes = []
    if serious:
        change = ", ".join(f"{key} {text}" for key, text in serious.items())
        if refusal is not None:
            raise UserError(f"{refusal[0]}: {change}; {refusal[1]}")
        notes.append(f"mixed: this study goes on with {change}; trials.csv tells the rows")
    if slight:
        change = ", ".join(f"{key} {text}" for key, text in slight.items())
        notes.append(f"{change}: the last bits of new results may differ from earlier ones")
    return notes
