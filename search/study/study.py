"""The folder of a study: who may write it, what defines it, and how it is found again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import InUse, Lock, lock, reported, write
from search.study.confirmation import confirmed, due, fresh_seeds
from search.study.database import NAME, Database
from search.study.trials import FrontEntry, Trial, front_entries

_LOCK = ".lock"
# What a folder may hold that a first start, killed early, left behind.
_OURS = {_LOCK, NAME, f"{NAME}-journal", "config.yaml", "run.log"}


@dataclass(frozen=True)
class StudyInfo:
    """What every reader of a study must know beside its trials.

    `cheapest` and `most_expensive`: costs of the space in multiplies; `low` and `high`: the budget;
    `within`: how many option lists fit it; `exact`: whether costs were not binned; `chance`:
    accuracy of guessing; `epochs`: length of a full training; `data`: what `load` needs to predict
    (name, classes, mean, std), empty for a user's own evaluator.
    """

    cheapest: int
    most_expensive: int
    low: int
    high: int
    within: int
    exact: bool
    chance: float
    epochs: int
    data: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return what files keep, where the most expensive cost is called `dearest`."""
        values = dict(vars(self))
        return {"dearest" if key == "most_expensive" else key: values[key] for key in values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "StudyInfo":
        """Undo `as_json`."""
        return cls(**{"most_expensive" if key == "dearest" else key: values[key] for key in values})


class Study:
    """One study, open for writing (one process at a time) or for reading.

    `folder` is None for a study in memory. Use it as a context manager, or call `close`.
    """

    def __init__(self, folder: Path | None, database: Database, lock: Lock | None) -> None:
        self.folder = folder
        self._database = database
        self._lock = lock
        self._meta = database.meta()

    @classmethod
    def open(cls, folder: Path | None, settings: Mapping[str, Any], info: StudyInfo) -> "Study":
        """Make the study, or go on with it.

        `settings` is all that defines its results. Raises `UserError` when the folder holds
        something else, is in use, was made with other settings or by a newer version, is corrupt,
        or cannot be written.
        """
        lock = None
        if folder is not None:
            _refuse_strangers(folder)
            with reported(folder):
                folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder)
        try:
            database = Database(folder / NAME if folder else None)
            try:
                meta = database.meta()
                if "settings" in meta:
                    _refuse_changes(folder, meta["settings"], settings)
                else:
                    # One transaction: a study has both or, after a kill, neither.
                    database.set_meta({"settings": settings, "facts": info.as_json()})
                return cls(folder, database, lock)
            except BaseException:
                database.close()
                raise
        except BaseException:
            if lock is not None:
                lock.close()
            raise

    @classmethod
    def read(cls, folder: Path) -> "Study":
        """Open for reading; another process may be writing. Raises `UserError` if it is none."""
        study = cls(folder, Database(folder / NAME, writable=False), None)
        if "facts" not in study._meta:
            study.close()
            raise UserError(f"{folder} is a study that never started; run its command again")
        return study

    def __enter__(self) -> "Study":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> StudyInfo:
        """What every reader must know beside the trials."""
        return StudyInfo.from_json(self._meta["facts"])

    @property
    def settings(self) -> dict[str, Any]:
        """All that defines the study's results."""
        return dict(self._meta["settings"])

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name if self.folder else "study"

    def trials(self) -> list[Trial]:
        """Return every recorded trial by number."""
        return self._database.trials()

    def add(self, trial: Trial) -> None:
        """Record a trial; once this returns it survives a kill."""
        self._database.add(trial)

    def front(self, trials: Sequence[Trial]) -> tuple[list[FrontEntry], bool]:
        """Return the front, and whether its figures are means over fresh seeds.

        They are once every member of the search's front was trained with all of those seeds.
        """
        epochs, seeds = self.info.epochs, self.confirm_seeds
        rows = confirmed(trials, epochs, self.confirmations(), seeds) if seeds else None
        return (front_entries(trials, epochs), False) if rows is None else (rows, True)

    @property
    def confirm_seeds(self) -> list[int]:
        """The fresh seeds of the confirmation that was begun last; none before the first."""
        return list(self._meta.get("confirm_seeds", []))

    def begin_confirmation(self, count: int) -> list[Trial]:
        """Note that the front is to be confirmed with `count` seeds; return what is to be trained.

        Fewer seeds than before leave what is there.
        """
        trials = self.trials()
        used = [trial.job.seed for trial in trials]
        seeds = self.confirm_seeds
        if count > len(seeds):
            own = int(self.settings.get("seed", 0))
            seeds = [*seeds, *fresh_seeds(own, [*used, *seeds], count - len(seeds))]
            self._database.set_meta({"confirm_seeds": seeds})
            self._meta["confirm_seeds"] = seeds
        return due(trials, self.info.epochs, self.confirmations(), seeds)

    def confirmations(self) -> list[Trial]:
        """Return every training with a fresh seed, in the order of their end."""
        return self._database.confirmations()

    def add_confirmation(self, trial: Trial) -> None:
        """Record a training with a fresh seed; once this returns it survives a kill."""
        self._database.add_confirmation(trial)

    def write(self, name: str, content: str | bytes, *, durable: bool = True) -> None:
        """Replace a file of the folder, whole or not at all; nothing for a study in memory."""
        if self.folder is not None:
            write(self.folder / name, content, durable=durable)

    def close(self) -> None:
        """Close the file and let other processes write."""
        self._database.close()
        if self._lock is not None:
            self._lock.close()


def check_name(name: str) -> str:
    """Return `name` if it can name a study's folder, else raise `UserError`."""
    if not re.fullmatch(r"[\w+=,-][\w.+=,-]{0,199}", name):
        raise UserError(
            f"study={name} cannot name a folder; use letters, digits, dots, dashes and"
            " underscores, and outputs= for the place"
        )
    return name


def locate(text: str | Path) -> Path:
    """Return the folder of a study given by its path, or by its name under `outputs/`.

    Then the fronts that come with the program are looked through. Raises `UserError` for none.
    """
    package = Path(__file__).parents[1]
    places = (
        Path(),
        Path("outputs"),
        package / "_reference",
        package.parent / "outputs" / "reference",
    )
    for place in places:
        if (place / text).is_dir():
            return place / text
    raise UserError(f"{text} is no folder of a study; name one, such as outputs/NAME")


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = list(value) if isinstance(value, tuple) else value
    return flat


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not the folder of a study; choose another study=")
    if not folder.is_dir():
        return
    database = folder / NAME
    # An empty file holds no results: those beside it would be overwritten.
    if database.exists() and (database.is_dir() or database.stat().st_size):
        return
    strangers = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OURS)
    if strangers:
        held = "an empty" if database.exists() else "no"
        raise UserError(
            f"{folder} is no study: it holds {strangers[0]!r} and {held} {NAME}; choose another"
            " study="
        )


def _refuse_changes(
    folder: Path | None, stored: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    before, now = flatten(stored), flatten(given)
    changed = [
        f"{key} {_shown(before, key)} -> {_shown(now, key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise UserError(
            f"{folder} was made with other settings: {', '.join(changed)}; go on with those, or"
            " choose another study="
        )


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return str(settings[key]) if key in settings else "(absent)"


def _locked(folder: Path) -> Lock:
    try:
        return lock(folder / _LOCK)
    except InUse as owner:
        raise UserError(
            f"{folder} is being written by {owner}; wait for it, or choose another study="
        ) from None
