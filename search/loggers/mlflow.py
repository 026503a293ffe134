"""MLflow: a run of the search, and within it a run of each trial with its curve."""

import logging
import os
from collections.abc import Mapping

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from search.errors import UserError, one_line, shown
from search.files import reported
from search.jobs import Curve
from search.loggers.protocol import Place, curve_points
from search.study.settings import flatten
from search.study.trials import Trial

EXPERIMENT = "convbudget"
_STUDY, _PARENT = "convbudget.study", "mlflow.parentRunId"
# MLflow refuses longer values.
_LONGEST = 500


class Mlflow:
    """Writes to `MLFLOW_TRACKING_URI` or, without it, to a database in its folder."""

    def __init__(self, place: Place) -> None:
        with reported(place.folder):
            place.folder.mkdir(parents=True, exist_ok=True)
        local = f"sqlite:///{place.folder.absolute() / 'mlflow.db'}"
        # It tells of every table that it makes.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI", local)
        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = self._named(place)
            self._run = self._search(place)
        except MlflowException as error:
            raise UserError(
                f"logger=mlflow cannot write to {shown(uri)} ({shown(one_line(error), 200)});"
                " set MLFLOW_TRACKING_URI to where it can, or leave it unset"
            ) from None

    def log(self, trial: Trial, curve: Curve | None, figures: Mapping[str, float]) -> None:
        """Write the figures at this trial, and a run of the trial's own."""
        now = 0
        metrics = [Metric(key, one, now, trial.number) for key, one in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)
        name = f"{trial.number:04} {trial.arch_id}"
        run = self._client.create_run(
            self._experiment, run_name=name, tags={_PARENT: self._run}
        ).info.run_id
        params = {"arch_id": trial.arch_id, "multiplies": trial.multiplies, "seed": trial.job.seed}
        points = [] if curve is None else curve_points(curve)
        self._client.log_batch(
            run,
            metrics=[
                Metric(key, one, now, epoch)
                for epoch, values in points
                for key, one in values.items()
            ]
            + [Metric(key, figures[key], now, 0) for key in ("accuracy", "loss") if key in figures],
            params=[Param(key, str(one)) for key, one in params.items()],
        )
        self._client.set_terminated(run, "FINISHED" if trial.result.status == "ok" else "FAILED")

    def close(self) -> None:
        """End the run of the search."""
        self._client.set_terminated(self._run)

    def _named(self, place: Place) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        artifacts = (place.folder.absolute() / "artifacts").as_uri()
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=artifacts))

    def _search(self, place: Place) -> str:
        """Return the study's run: the one that an earlier process began, or a new one."""
        study = str(place.folder.absolute().parent.parent)
        query = f"tags.`{_STUDY}` = '{study.replace(chr(39), '')}'"
        for run in self._client.search_runs([self._experiment], query, max_results=1):
            return str(run.info.run_id)
        run = self._client.create_run(
            self._experiment, run_name=place.name, tags={_STUDY: study.replace("'", "")}
        )
        settings = flatten(place.settings)
        self._client.log_batch(
            run.info.run_id,
            params=[Param(key, str(one)[:_LONGEST]) for key, one in settings.items()],
            tags=[RunTag("mlflow.source.name", "convbudget")],
        )
        return str(run.info.run_id)
