"""The tables of a study for people and other programs: `trials.csv`, `front.csv`, `front.json`."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import canonical_json
from search.pareto import hypervolume
from search.study.study import Study, StudyInfo
from search.study.trials import FrontEntry, Trial, front_entry

FRONT_FORMAT = "convbudget-front/1"
# Stable names in a stable order: later columns may come, these stay.
COLUMNS = (
    "arch_id",
    "multiplies",
    "params",
    "accuracy",
    "accuracy_std",
    "seeds",
    "epochs",
    "seed",
    "status",
    "loss",
    "seconds",
    "trial",
    "ops",
)
FRONT_COLUMNS = (*COLUMNS, "search_accuracy", "balanced_accuracy")
_TRIAL_COLUMNS = (*COLUMNS, "asked_after", "same_as", "error", "balanced_accuracy")


def export(study: Study, trials: Sequence[Trial]) -> list[FrontEntry]:
    """Write the tables and every architecture's JSON into the study's folder; return the front."""
    found, confirmed = study.front(trials)
    if study.folder is None:
        return found
    study.write("trials.csv", trials_csv(trials))
    study.write("front.csv", front_csv(found))
    again = study.confirmations()
    if again:
        study.write("confirmations.csv", trials_csv(again))
    content = front_content(study.name, study.info, len(trials), found, confirmed)
    study.write("front.json", json.dumps(content, indent=1) + "\n")
    folder = study.folder / "archs"
    there = {path.name for path in folder.glob("*.json")}
    for trial in trials:
        name = f"{trial.arch_id}.json"
        if name not in there:
            there.add(name)
            # Thousands of files, and all of them are in the database too.
            study.write(f"archs/{name}", trial.value + "\n", durable=False)
    return found


def front_csv(found: Iterable[FrontEntry]) -> str:
    """Return the front as CSV, cheapest first."""
    rows = ([_cell(getattr(row, key)) for key in FRONT_COLUMNS] for row in found)
    return _csv(FRONT_COLUMNS, rows)


def trials_csv(trials: Iterable[Trial]) -> str:
    """Return every trial as CSV, in the order of asking."""

    def cells(trial: Trial) -> list[str]:
        row = front_entry([trial])
        shared = [_cell(getattr(row, key)) for key in COLUMNS]
        same_as = "" if trial.same_as is None else str(trial.same_as)
        balanced = _cell(row.balanced_accuracy)
        return [*shared, str(trial.asked_after), same_as, trial.result.error, balanced]

    return _csv(_TRIAL_COLUMNS, map(cells, trials))


def front_content(
    name: str, info: StudyInfo, trials: int, found: Sequence[FrontEntry], confirmed: bool = False
) -> dict[str, Any]:
    """Return what `front.json` says: the facts of the study, the front, and its hypervolume.

    `found` and `confirmed` are what `Study.front` says of so many `trials`.
    """
    points = [(row.multiplies, row.accuracy) for row in found]
    area = hypervolume(points, low=info.cheapest, high=info.high, chance=info.chance)
    return {
        "format": FRONT_FORMAT,
        "study": name,
        "trials": trials,
        "confirmed": confirmed,
        "hypervolume": area,
        "facts": info.as_json(),
        "members": [_object(row) for row in found],
    }


def read_front(folder: Path) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Read a front from a study, or where only the tables were kept, from its `front.json`.

    Returns the info as in `front.json` (without members) and the members, cheapest first. Raises
    `UserError` when the folder holds neither.
    """
    path = folder / "front.json"
    if path.exists() and not (folder / "study.db").exists():
        return _from_tables(path)
    with Study.read(folder) as study:
        trials = study.trials()
        found, confirmed = study.front(trials)
        return front_content(study.name, study.info, len(trials), found, confirmed), found


def _from_tables(path: Path) -> tuple[dict[str, Any], list[FrontEntry]]:
    try:
        content = json.loads(path.read_text())
        if content["format"] != FRONT_FORMAT:
            raise UserError(
                f"{path} has format {content['format']!r}; this version reads {FRONT_FORMAT!r}"
            )
        return content, [_member(row) for row in content["members"]]
    except (KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is no front ({error}); name a study's folder") from None


def _object(row: FrontEntry) -> dict[str, Any]:
    plain = {key: _finite(getattr(row, key)) for key in FRONT_COLUMNS}
    return {**plain, "options": list(row.options), "value": json.loads(row.value)}


def _member(row: dict[str, Any]) -> FrontEntry:
    # A column that came later is not in every file.
    row = {"search_accuracy": row["accuracy"], "balanced_accuracy": None, **row}
    numbers = {
        key: math.nan if row[key] is None else row[key]
        for key in ("accuracy", "accuracy_std", "loss", "balanced_accuracy")
    }
    rest = {"options": tuple(row["options"]), "value": canonical_json(row["value"])}
    return FrontEntry(**{**{key: row[key] for key in FRONT_COLUMNS}, **numbers, **rest})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    value = _finite(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
