"""Read the studies of a comparison, and refuse those that cannot be compared."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.strategy import INDEPENDENT
from search.errors import UserError, shown
from search.networks.arch import FORMAT, from_json
from search.networks.cost import multiplies_of
from search.pareto import Objective
from search.study.settings import counted_as, flatten
from search.study.study import Study, StudyInfo, locate
from search.study.trials import FrontEntry, Trial

# Settings of `data` that change how images are treated in training, not which images there are.
_TREATMENT = {"shift", "flip", "cutout", "mixup", "mean", "std"}
# Groups that a search with parts of one's own does without.
_LEFT_OUT = {"data", "train"}
_SPLIT = {"train", "validation", "validation_fraction", "test", "test_fraction"}


@dataclass(frozen=True)
class Entry:
    """One study as read from its folder.

    `front` holds means over fresh seeds where `confirmed`, else the search's own results.
    """

    path: Path
    settings: Mapping[str, Any]
    info: StudyInfo
    trials: tuple[Trial, ...]
    front: tuple[FrontEntry, ...]
    confirmed: bool

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def seed(self) -> int:
        """The seed of the search."""
        return int(self.settings.get("seed", 0))

    @property
    def strategy(self) -> str:
        """The name of the strategy."""
        strategy = self.settings.get("strategy")
        return str(strategy.get("name") if isinstance(strategy, Mapping) else strategy)

    @property
    def independent(self) -> bool:
        """Whether its networks are independent draws: random ones, and no twins of them."""
        strategy = self.settings.get("strategy")
        twin = isinstance(strategy, Mapping) and strategy.get("twin")
        return self.strategy in INDEPENDENT and not twin

    @property
    def objective(self) -> Objective:
        """What the search maximised; studies made before there was a choice, accuracy."""
        chosen = self.settings.get("objective")
        return "balanced_accuracy" if chosen == "balanced_accuracy" else "accuracy"

    def finished(self) -> list[Trial]:
        """Return the successful trials of full length."""
        return [trial for trial in self.trials if trial.completed(self.info.epochs)]


def read(studies: Sequence[str | Path]) -> list[Entry]:
    """Read studies, each given by folder or name; one given twice is read once.

    Raises `UserError` for a folder without a study or without a completed trial, and for studies
    that cannot be compared.
    """
    paths = {path.resolve(): path for path in map(locate, studies)}
    entries = [_entry(path) for path in paths.values()]
    check(entries)
    return entries


def check(entries: Sequence[Entry]) -> None:
    """Raise `UserError`, naming two studies and the reason, unless all can be compared.

    They must share the data, the rule that splits it and, for equal seeds, the very images; the
    rule that counts multiplies; and the accuracy of chance. Studies with equal settings must differ
    in their seed, or one measurement would count twice.
    """
    for entry in entries:
        _check_counting(entry)
    first = entries[0]
    for other in entries[1:]:
        _check_data(first, other)
        if first.info.chance != other.info.chance:
            raise _refusal(
                first,
                other,
                f"chance is {first.info.chance:.4g} and {other.info.chance:.4g}",
                "areas would begin at different accuracies",
            )
    _check_images(entries)
    _check_repeats(entries)
    _check_costs(entries)


def _entry(path: Path) -> Entry:
    if not (path / "study.db").exists() and (path / "front.json").exists():
        raise UserError(
            f"{path} keeps its front alone; a comparison needs all trials, which are in study.db"
        )
    with Study.read(path) as study:
        trials = tuple(study.trials())
        front, confirmed = study.front(trials)
        entry = Entry(path.resolve(), study.settings, study.info, trials, tuple(front), confirmed)
    if not entry.finished():
        raise UserError(f"{path} has no finished trial yet; run its command again, or leave it out")
    return entry


def _check_data(first: Entry, other: Entry) -> None:
    ours, theirs = (flatten(entry.settings.get("data", {})) for entry in (first, other))
    ours["classes"], theirs["classes"] = (
        list(entry.info.data.get("classes", [])) for entry in (first, other)
    )
    shares = [entry.settings.get("confirm", {}).get("fraction", 0.0) for entry in (first, other)]
    if shares[0] != shares[1]:
        raise _refusal(
            first,
            other,
            f"confirm.fraction is {_short(shares[0])} and {_short(shares[1])}",
            "accuracies on another split say nothing of each other",
        )
    for key in sorted(ours.keys() | theirs.keys()):
        if key in _TREATMENT or ours.get(key) == theirs.get(key):
            continue
        kind = "another split" if key in _SPLIT else "other data"
        given = [_short(values.get(key, "(absent)")) for values in (ours, theirs)]
        raise _refusal(
            first,
            other,
            f"data.{_short(key)} is {given[0]} and {given[1]}",
            f"accuracies on {kind} say nothing of each other",
        )


def _check_images(entries: Sequence[Entry]) -> None:
    """Require equal images for equal seeds; other seeds draw another validation part."""
    known: dict[int, Entry] = {}
    for entry in entries:
        first = known.setdefault(entry.seed, entry)
        ours, theirs = (flatten(e.settings.get("fingerprints", {})) for e in (first, entry))
        for part in sorted(ours.keys() | theirs.keys()):
            if ours.get(part) != theirs.get(part):
                raise _refusal(
                    first,
                    entry,
                    f"both have seed {entry.seed} but other {part} images"
                    f" ({_short(ours.get(part))} and {_short(theirs.get(part))})",
                    "the data changed between them",
                )


def _check_repeats(entries: Sequence[Entry]) -> None:
    known: dict[str, Entry] = {}
    for entry in entries:
        key = json.dumps(flatten(entry.settings), sort_keys=True, default=str)
        if key in known:
            raise _refusal(
                known[key],
                entry,
                "their settings and seeds are the same",
                "that is one measurement, not two seeds; leave one out",
            )
        known[key] = entry


def _check_costs(entries: Sequence[Entry]) -> None:
    """Require one cost for one architecture."""
    known: dict[str, tuple[int, Entry]] = {}
    for entry in entries:
        for trial in entry.trials:
            count, owner = known.setdefault(trial.arch_id, (trial.multiplies, entry))
            if count != trial.multiplies:
                raise _refusal(
                    owner,
                    entry,
                    f"{trial.arch_id} has {count:,} multiplies in one and {trial.multiplies:,} in"
                    " the other",
                    "they were counted by different rules",
                )


def _check_counting(entry: Entry) -> None:
    """Count every architecture again, because a version may have counted by another rule."""
    for trial in {trial.arch_id: trial for trial in entry.trials}.values():
        value = json.loads(trial.value)
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            continue
        counted = multiplies_of(from_json(trial.value, source=f"{entry.name}: {trial.arch_id}"))
        if counted != trial.multiplies:
            raise UserError(
                f"{shown(entry.name, 100)} was counted by another rule: it holds"
                f" {trial.multiplies:,} multiplies for {trial.arch_id}, this version counts"
                f" {counted:,}; search again or leave it out"
            )


def _refusal(first: Entry, other: Entry, fact: str, reason: str) -> UserError:
    names = " and ".join(shown(entry.name, 100) for entry in (first, other))
    return UserError(f"{names} cannot be compared: {fact}; {reason}")


def _short(value: object) -> str:
    return shown(value, 40)


def settings_of(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Yield the settings of each study with dotted keys, without seed and fingerprints.

    A setting that came after one of the studies counts there as `counted_as` says, as it does when
    that study goes on; so that value is left out of the others.
    """
    flats = [flatten(entry.settings) for entry in entries]
    defaults = counted_as()
    late = {key for key in defaults if any(_came_later(key, flat) for flat in flats)}
    for flat in flats:
        yield {
            key: value
            for key, value in flat.items()
            if key != "seed"
            and not key.startswith("fingerprints.")
            and not (key in late and value == defaults[key])
        }


def _came_later(key: str, settings: Mapping[str, Any]) -> bool:
    """Say whether a study was made before there was this key, and not without its whole group."""
    group, dot, _ = key.rpartition(".")
    if key in settings or group in settings:
        return False
    own = any(other.startswith(f"{group}.") for other in settings)
    return not dot or own or group not in _LEFT_OUT
