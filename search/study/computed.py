"""What results were computed on: which differences make other results, and which hardly do.

A mapping of texts: `platform` (cpu, gpu, tpu), `device_kind`, `precision` as resolved, `cores`, and
the versions of `jax`, `jaxlib` and `convbudget`; empty where unknown, as with a user's evaluator.
"""

from collections.abc import Iterable, Mapping

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


def differences(
    trials: Iterable[Trial], now: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Compare what `trials` were computed on with the present.

    Returns two mappings of a key to `before -> now`: differences in platform, device or precision,
    and those that change the last bits at most. Trials of which nothing is known differ in nothing.
    """
    known = {tuple(sorted(trial.computed.items())) for trial in trials if trial.computed}
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
