"""What the holder of a study and the workers that joined it write for each other: files of JSON.

Each worker has a folder of its own under `workers` in the study's: its heartbeat, the job that the
holder hands it, and the result that it hands back. All three are there from the beginning and only
ever replaced, because a network file system may hide a new file for half a minute. Nothing is ever
unpickled.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from search.errors import SurroundingsError, UserError
from search.files import canonical_json, finite, reported, writing
from search.jobs import Candidate, Job, Result, Status
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
    read_object,
    sequence,
    string,
)
from search.study.curves import curve_from_json
from search.study.rows import options_of, value_text

# In a study's folder, and in a worker's.
WORKERS = "workers"
HEARTBEAT, JOB, RESULT = "worker.json", "job.json", "result.json"
_FORMAT = "convbudget-spool/1"
_KINDS = ("result", "surroundings", "wrong", "nothing")

Told = Result | SurroundingsError | UserError | None
"""What comes of a task: a result, a failure that is none of the candidate's, or nothing asked."""


@dataclass(frozen=True)
class Task:
    """What a worker is asked for, by an `attempt` that no other task has.

    `number` of the trial and its `job`, None to do nothing; `confirming`: whether it is scored on
    the confirmation part; `refused`: why the worker is not wanted, empty where it is.
    """

    attempt: str
    number: int = 0
    job: Job | None = None
    confirming: bool = False
    refused: str = ""


def new_attempt() -> str:
    """Return what tells one task from all others."""
    return secrets.token_hex(8)


def write_task(seat: Path, task: Task) -> None:
    """Hand a task to the worker whose folder is `seat`; raises `OSError`."""
    job: dict[str, Any] | None = None
    if task.job is not None:
        found = task.job.candidate
        job = {
            "options": task.job.options,
            "epochs": task.job.epochs,
            "seed": task.job.seed,
            "arch_id": found.id,
            "multiplies": found.multiplies,
            "params": found.params,
            "value": found.text,
        }
    said = {"number": task.number, "confirming": task.confirming, "refused": task.refused}
    _write(seat / JOB, {"attempt": task.attempt, "job": job, **said})


def read_task(seat: Path) -> Task | None:
    """Return what the holder asks for, None before it did; raises `Damaged`, `OSError`."""
    values = _read(seat / JOB)
    if values is None:
        return None
    cell = cells_of(values, "job")
    job = cell("job")[0]
    return Task(
        string(*cell("attempt")),
        integer(*cell("number")),
        None if job is None else _job(mapping(job, "job.job")),
        boolean(*cell("confirming")),
        string(*cell("refused")),
    )


def write_told(seat: Path, attempt: str, told: Told) -> None:
    """Hand back what came of a task; raises `OSError`."""
    values: dict[str, Any] = {"attempt": attempt, "kind": "nothing"}
    if isinstance(told, Result):
        values |= {"kind": "result", "result": _result_as_json(told)}
    elif told is not None:
        kind = "wrong" if isinstance(told, UserError) else "surroundings"
        values |= {"kind": kind, "error": str(told).encode(errors="backslashreplace").decode()}
    _write(seat / RESULT, values)


def read_told(seat: Path) -> tuple[str, Told] | None:
    """Return the last attempt that came to its end, and what came of it; None before the first.

    Raises `Damaged`, `OSError`.
    """
    values = _read(seat / RESULT)
    if values is None:
        return None
    cell = cells_of(values, "result")
    attempt = string(*cell("attempt"))
    match choice(*cell("kind"), _KINDS):
        case "result":
            return attempt, _result(mapping(*cell("result")))
        case "surroundings":
            return attempt, SurroundingsError(string(*cell("error")))
        case "wrong":
            return attempt, UserError(string(*cell("error")))
    return attempt, None


def begin_seat(seat: Path) -> None:
    """Make a worker's folder and what lies in it before its heartbeat; raises `UserError`."""
    with reported(seat):
        seat.mkdir(parents=True, exist_ok=True)
        write_task(seat, Task(""))
        write_told(seat, "", None)


def end_seat(seat: Path) -> None:
    """Remove a worker's folder, as far as that can be done."""
    try:
        for path in seat.iterdir():
            path.unlink(missing_ok=True)
        seat.rmdir()
        seat.parent.rmdir()
    except OSError:
        # A worker elsewhere that comes back meanwhile, or others that are still there.
        return


def _write(path: Path, values: Mapping[str, Any]) -> None:
    with writing(path, durable=False) as file:
        file.write(canonical_json({"format": _FORMAT, **values}).encode())


def _read(path: Path) -> dict[str, Any] | None:
    values = read_object(path)
    if values is not None:
        choice(member(values, "format", path.name), "format", (_FORMAT,))
    return values


def _job(values: Mapping[str, Any]) -> Job:
    cell = cells_of(values, "job")
    params = cell("params")
    found = Candidate(
        options_of(sequence(*cell("options"))),
        identifier(*cell("arch_id")),
        integer(*cell("multiplies")),
        None if params[0] is None else integer(*params),
        value_text(cell("value")[0]),
    )
    return found.job(integer(*cell("epochs"), 1), integer(*cell("seed"), -LARGEST))


def _result_as_json(result: Result) -> dict[str, Any]:
    return {
        "status": result.status,
        "accuracy": finite(result.accuracy),
        "loss": finite(result.loss),
        "seconds": result.seconds,
        "error": result.error.encode(errors="backslashreplace").decode(),
        "details": {key: finite(value) for key, value in result.details.items()},
        "raised": result.raised,
        "curve": None if result.curve is None else result.curve.as_json(),
    }


def _result(values: Mapping[str, Any]) -> Result:
    cell = cells_of(values, "result")
    status = choice(*cell("status"), get_args(Status))
    accuracy, curve = cell("accuracy"), cell("curve")
    return Result(
        number(*accuracy, 0, 1) if status == "ok" else number_or_nan(*accuracy),
        number_or_nan(*cell("loss")),
        number(*cell("seconds"), 0),
        cast(Status, status),
        string(*cell("error")),
        {
            key: number_or_nan(one, f"result.details.{key:.40}")
            for key, one in mapping(*cell("details")).items()
        },
        boolean(*cell("raised")),
        None if curve[0] is None else curve_from_json(*curve),
    )
