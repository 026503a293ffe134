"""The tables of a study: `trials.csv`, `front.csv`, `front.json`."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from search.errors import UserError
from search.files import canonical_json, finite
from search.jobs import Status
from search.pareto import Objective, hypervolume
from search.study.checks import (
    LARGEST,
    boolean,
    cells_of,
    choice,
    identifier,
    integer,
    mapping,
    member,
    number,
    number_or_nan,
    parsed,
    reading,
    sequence,
    string,
)
from search.study.computed import unlike_most
from search.study.database import NAME
from search.study.finals import Final, checked_finals, firsts, on_own_data
from search.study.landmarks import Landmark
from search.study.latency import Latency, checked, latencies
from search.study.latency import columns as latency_columns
from search.study.rows import options_of
from search.study.study import FIX, Study, StudyInfo
from search.study.trials import FrontEntry, Trial, check_value, front_entry

FRONT_FORMAT = "convbudget-front/1"
# Other programs read these names in this order: later columns may come, these stay.
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
# What a front that is ranked by balanced accuracy has beside those.
_BALANCED_COLUMNS = ("balanced_accuracy_std", "search_balanced_accuracy")
# What the trial was computed on, and in which process.
_PLATFORM = ("platform", "device_kind", "precision", "cores", "jax", "jaxlib")
# What a front with finals on its own data has beside those, by the key of a final's record.
_TEST_COLUMNS = {
    "test_accuracy": "accuracy",
    "test_accuracy_std": "accuracy_std",
    "test_balanced_accuracy": "balanced_accuracy",
    "test_ece": "ece",
    "test_seeds": "seeds",
    "test_epochs": "epochs",
    "test_reading": "reading",
}
_TRIAL_COLUMNS = (
    *(*COLUMNS, "asked_after", "same_as", "error", "balanced_accuracy"),
    *(*_PLATFORM, "worker"),
)


def export(study: Study, trials: Sequence[Trial]) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Write the tables and every architecture's JSON into the study's folder.

    Returns what `front.json` says, and the front, as `study_content` does.
    """
    content, found = study_content(study, trials)
    if study.folder is None:
        return content, found
    study.write("trials.csv", trials_csv(trials))
    finals, latency = study.finals(), content.get("latency", ())
    study.write("front.csv", front_csv(found, study.info.objective, finals, latency))
    again = study.confirmations()
    if again:
        study.write("confirmations.csv", trials_csv(again))
    study.write("front.json", json.dumps(content, indent=1) + "\n")
    folder = study.folder / "archs"
    there = {path.name for path in folder.glob("*.json")}
    for trial in trials:
        name = f"{trial.arch_id}.json"
        if name not in there:
            there.add(name)
            # Thousands of files, all of which are in the database too: not worth the wait.
            study.write(f"archs/{name}", trial.value + "\n", durable=False)
    return content, found


def front_columns(objective: Objective) -> tuple[str, ...]:
    """Return the columns of `front.csv`, which are also the keys of a member in `front.json`."""
    return FRONT_COLUMNS if objective == "accuracy" else (*FRONT_COLUMNS, *_BALANCED_COLUMNS)


def front_csv(
    found: Iterable[FrontEntry],
    objective: Objective = "accuracy",
    finals: Sequence[Final] = (),
    measured: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Return the front as CSV, cheapest first; `finals` are what `Study.finals` returned.

    Where a member has finals on its own data, the first of them has columns behind the others; each
    latency `measured` has one behind those.
    """
    head, rows = front_table([*found], objective, finals, measured)
    return _csv(head, ([_cell(value) for value in row.values()] for row in rows))


def front_table(
    found: Sequence[FrontEntry],
    objective: Objective,
    finals: Sequence[Final],
    measured: Iterable[Mapping[str, Any]],
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Return the columns of `front.csv`, and for each member its values by column."""
    columns, latency = front_columns(objective), latency_columns(measured)
    own = firsts(on_own_data(finals))
    tests = _TEST_COLUMNS if any(row.arch_id in own for row in found) else {}
    rows = [
        {
            **{key: getattr(row, key) for key in columns},
            **{name: own.get(row.arch_id, {}).get(key) for name, key in tests.items()},
            **{name: medians.get(row.arch_id) for name, medians in latency.items()},
        }
        for row in found
    ]
    return (*columns, *tests, *latency), rows


def trials_csv(trials: Iterable[Trial]) -> str:
    """Return trials as CSV, in the order given."""

    def cells(trial: Trial) -> list[str]:
        row = front_entry([trial])
        shared = [_cell(getattr(row, key)) for key in COLUMNS]
        same_as = "" if trial.same_as is None else str(trial.same_as)
        balanced = _cell(row.balanced_accuracy)
        platform = [trial.computed.get(key, "") for key in _PLATFORM]
        asked_after, error, worker = str(trial.asked_after), trial.result.error, row.worker
        return [*shared, asked_after, same_as, error, balanced, *platform, worker]

    return _csv(_TRIAL_COLUMNS, map(cells, trials))


def front_content(
    name: str,
    info: StudyInfo,
    trials: int,
    found: Sequence[FrontEntry],
    confirmed: bool = False,
    landmarks: Sequence[Landmark] = (),
    measured: Iterable[Trial] = (),
    finals: Sequence[Final] = (),
    latency: Sequence[Latency] = (),
) -> dict[str, Any]:
    """Return the content of `front.json`: the study's info, its front and the hypervolume.

    `found` and `confirmed` are what `Study.front` returned; `trials` is their number. Of the known
    networks in `landmarks` those that succeeded have a key of that name, where there are some; so
    have `latency` and `finals`, those on other data apart from the study's own. `unseen`, likewise:
    how many images that the search never saw the accuracies were measured on; `mixed`: in what
    `measured`, trials and confirmations, were computed differently, and the architectures whose
    were computed unlike most.
    """
    differences, unlike = unlike_most(measured)
    mixed = {"differences": differences, "arch_ids": sorted(unlike)}
    points = [(row.multiplies, row.ranked_by(info.objective)) for row in found]
    area = hypervolume(points, low=info.cheapest, high=info.high, chance=info.chance)
    own = on_own_data(finals)
    elsewhere = [dict(final) for final in finals if not final["data"]["own"]]
    succeeded = [one.as_json() for one in landmarks if one.status == "ok"]
    return {
        "format": FRONT_FORMAT,
        "study": name,
        "trials": trials,
        "confirmed": confirmed,
        **({"unseen": info.unseen} if confirmed and info.unseen else {}),
        **({"mixed": mixed} if differences else {}),
        "hypervolume": area,
        "facts": info.as_json(),
        "members": [_object(row, info.objective) for row in found],
        **({"landmarks": succeeded} if succeeded else {}),
        **({"latency": [one.as_json() for one in latency]} if latency else {}),
        **({"finals": own} if own else {}),
        **({"finals_on_other_data": elsewhere} if elsewhere else {}),
    }


def read_front(folder: Path) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Read a front from a study or, where only the tables were kept, from its `front.json`.

    Returns the content of `front.json`, and its members, cheapest first. Raises `UserError` when
    the folder holds neither, or what it holds is damaged.
    """
    path = folder / "front.json"
    if path.exists() and not (folder / NAME).exists():
        return _from_tables(path)
    # Of most trials a front needs the figures alone; values of its members are checked here.
    with Study.read(folder) as study, reading(folder / NAME, FIX):
        return study_content(study, study.trials(values=False))


def study_content(study: Study, trials: Sequence[Trial]) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Return the content of `front.json` and the front of a study that has these `trials`."""
    found, confirmed = study.front(trials)
    content = front_content(
        study.name,
        study.info,
        len(trials),
        found,
        confirmed,
        study.landmarks(),
        [*trials, *study.confirmations()],
        study.finals(),
        latencies(study),
    )
    return content, found


def _from_tables(path: Path) -> tuple[dict[str, Any], list[FrontEntry]]:
    with reading(path, "name a study's folder, or export the front again"):
        content = mapping(parsed(path.read_bytes().decode(), "the file"), "the file")
        if content.get("format") != FRONT_FORMAT:
            found = f"{content.get('format')!r:.60}"
            raise UserError(f"{path} has format {found}; this version reads {FRONT_FORMAT!r}")
        string(member(content, "study", "the file"), "study")
        integer(member(content, "trials", "the file"), "trials")
        boolean(content.get("confirmed", False), "confirmed")
        integer(content.get("unseen", 0), "unseen")
        mixed = mapping(content.get("mixed", {}), "mixed")
        for key in ("differences", "arch_ids"):
            for text in sequence(mixed.get(key, []), f"mixed.{key}"):
                string(text, f"mixed.{key}")
        number(member(content, "hypervolume", "the file"), "hypervolume", 0, 1)
        StudyInfo.from_json(member(content, "facts", "the file"))
        for key in ("finals", "finals_on_other_data"):
            checked_finals(sequence(content.get(key, []), key), key)
        for at, one in enumerate(sequence(content.get("landmarks", []), "landmarks")):
            known = Landmark.from_json(one, f"landmarks[{at}]")
            number(known.accuracy, f"landmarks[{at}].accuracy", 0, 1)
        members = sequence(member(content, "members", "the file"), "members")
        if "latency" in content:
            content["latency"] = checked(sequence(content["latency"], "latency"), "latency")
        return content, [_member(row, f"members[{at}]") for at, row in enumerate(members)]


def _object(row: FrontEntry, objective: Objective) -> dict[str, Any]:
    plain = {key: finite(getattr(row, key)) for key in front_columns(objective)}
    worker = {"worker": row.worker} if row.worker else {}
    return {**plain, **worker, "options": list(row.options), "value": json.loads(row.value)}


def _member(values: object, where: str) -> FrontEntry:
    row = mapping(values, where)
    # Columns that came later are not in every file.
    later = ("balanced_accuracy", *_BALANCED_COLUMNS)
    row = {**dict.fromkeys(later), "search_accuracy": row.get("accuracy"), "worker": "", **row}
    cell = cells_of(row, where)

    value, params = cell("value")[0], cell("params")
    check_value(value)
    return FrontEntry(
        arch_id=identifier(*cell("arch_id")),
        multiplies=integer(*cell("multiplies")),
        params=None if params[0] is None else integer(*params),
        accuracy=number(*cell("accuracy")),
        accuracy_std=number_or_nan(*cell("accuracy_std")),
        seeds=integer(*cell("seeds"), 1),
        epochs=integer(*cell("epochs"), 1),
        seed=integer(*cell("seed"), -LARGEST),
        status=cast(Status, choice(*cell("status"), get_args(Status))),
        loss=number_or_nan(*cell("loss")),
        seconds=number(*cell("seconds"), 0),
        trial=integer(*cell("trial")),
        ops=string(*cell("ops")),
        search_accuracy=number(*cell("search_accuracy")),
        balanced_accuracy=number_or_nan(*cell("balanced_accuracy")),
        balanced_accuracy_std=number_or_nan(*cell("balanced_accuracy_std")),
        search_balanced_accuracy=number_or_nan(*cell("search_balanced_accuracy")),
        options=options_of(sequence(*cell("options"))),
        value=canonical_json(value),
        worker=string(*cell("worker")),
    )


def _cell(value: Any) -> str:
    value = finite(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
