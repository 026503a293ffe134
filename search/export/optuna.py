"""A study as one of Optuna's with two objectives, for optuna-dashboard and its figures."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from search.errors import UserError, one_line, shown
from search.jobs import Option
from search.study.study import Study
from search.study.trials import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {
    "accuracy": "maximize",
    "multiplies": "minimize",
}


def export(folder: Path, storage: str, name: str | None = None) -> str:
    """Write all trials of a study into Optuna's `storage`; return a line that says where.

    `storage` is a URL as Optuna reads it, or the path of an SQLite file. A decision of the encoding
    is a categorical parameter, `decision 00` the first. Trials of full length are complete with
    the values accuracy and multiplies; shorter ones are pruned, and failed and infeasible ones
    failed. What else is known are user attributes. Raises `UserError` where Optuna is missing, the
    storage has a study of that name or cannot be written; then nothing is left in it.
    """
    try:
        import optuna
    except ImportError:
        raise UserError(
            "--to optuna needs Optuna, which is not installed; pip install 'convbudget[optuna]'"
        ) from None
    with Study.read(folder) as study:
        trials, epochs = study.trials(), study.info.epochs
        name = name or study.name
        front = {row.arch_id for row in study.front(trials)[0]}
    url = storage if "://" in storage else f"sqlite:///{storage}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    places = distributions([trial.job.options for trial in trials])
    moment = datetime.now() - timedelta(seconds=sum(trial.result.seconds for trial in trials))
    try:
        opened = optuna.storages.get_storage(url)
        with ExitStack() as stack:
            # Its session otherwise stays open until the process ends.
            stack.callback(opened.remove_session)
            made = optuna.create_study(
                storage=opened, study_name=name, directions=[*DIRECTIONS.values()]
            )
            try:
                with warnings.catch_warnings():
                    # Optuna calls metric names experimental.
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    made.set_metric_names(list(DIRECTIONS))
                made.set_user_attr("convbudget", str(folder))
                for trial in trials:
                    until = moment + timedelta(seconds=trial.result.seconds)
                    frozen = frozen_trial(trial, epochs, places, trial.arch_id in front)
                    frozen.datetime_start, frozen.datetime_complete = moment, until
                    made.add_trial(frozen)
                    moment = until
            except BaseException:
                optuna.delete_study(study_name=name, storage=opened)
                raise
    except optuna.exceptions.DuplicatedStudyError:
        raise UserError(
            f"{shown(storage)} holds a study {shown(name)!r} already; give another --study-name, or"
            " another storage"
        ) from None
    # SQLAlchemy has a tree of errors of its own, and so has each database behind it.
    except Exception as error:
        raise UserError(
            f"{shown(storage)} cannot be written by Optuna ({shown(one_line(error), 200)}); give a"
            " URL such as sqlite:///x.db, or the path of a file in a folder that exists"
        ) from None
    return f"{len(trials)} trials in {url}, study {name}: optuna-dashboard {url}"


def distributions(encodings: Sequence[Sequence[Option]]) -> dict[str, "BaseDistribution"]:
    """Return a categorical parameter for each place of the encodings, of all that stood there."""
    from optuna.distributions import CategoricalDistribution

    seen: list[dict[Option, None]] = []
    for options in encodings:
        seen.extend({} for _ in range(len(options) - len(seen)))
        for place, option in enumerate(options):
            seen[place][option] = None
    return {
        _parameter(place): CategoricalDistribution(sorted(choices, key=str))
        for place, choices in enumerate(seen)
    }


def frozen_trial(
    trial: Trial, epochs: int, places: Mapping[str, "BaseDistribution"], on_front: bool
) -> "FrozenTrial":
    """Return a trial as Optuna keeps it."""
    from optuna.trial import TrialState, create_trial

    result = trial.result
    params = {_parameter(place): option for place, option in enumerate(trial.job.options)}
    attributes: dict[str, Any] = {
        "arch_id": trial.arch_id,
        "multiplies": trial.multiplies,
        "params": trial.params,
        "epochs": trial.job.epochs,
        "seed": trial.job.seed,
        "status": result.status,
        "seconds": result.seconds,
        "front": on_front,
        "number": trial.number,
        "same_as": trial.same_as,
    }
    if result.status == "ok":
        attributes |= {"accuracy": result.accuracy, "loss": result.loss, **result.details}
    else:
        attributes["error"] = result.error
    complete = trial.completed(epochs)
    state = TrialState.COMPLETE if complete else TrialState.PRUNED
    if result.status != "ok":
        state = TrialState.FAIL
    return create_trial(
        state=state,
        values=[result.accuracy, float(trial.multiplies)] if complete else None,
        params=params,
        distributions={name: places[name] for name in params},
        user_attrs=attributes,
    )


def _parameter(place: int) -> str:
    return f"decision {place:02}"
