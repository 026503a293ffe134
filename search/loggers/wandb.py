"""Weights & Biases: one run a study, offline unless `WANDB_MODE` says otherwise."""

import hashlib
import os
from collections.abc import Mapping

import wandb

from search.files import reported
from search.jobs import Curve
from search.loggers.protocol import Place, curve_points
from search.study.trials import Trial


class Wandb:
    """Writes into its folder; `wandb sync` sends it. `WANDB_PROJECT` names another project."""

    def __init__(self, place: Place) -> None:
        with reported(place.folder):
            place.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "convbudget"),
            name=place.name,
            # The same study goes on with the same run.
            id=hashlib.sha256(str(place.folder.absolute()).encode()).hexdigest()[:12],
            resume="allow",
            dir=place.folder,
            # Without a mode the library would ask for a login on the terminal.
            mode=None if "WANDB_MODE" in os.environ else "offline",
            config=dict(place.settings),
            settings=wandb.Settings(silent=True, console="off", save_code=False),
        )
        self._run.define_metric("search/*", step_metric="trial")
        self._run.define_metric("curve/*", step_metric="epoch")

    def log(self, trial: Trial, curve: Curve | None, figures: Mapping[str, float]) -> None:
        """Log the figures over trials, and the curve over epochs."""
        for epoch, values in [] if curve is None else curve_points(curve):
            named = {f"curve/{name}": value for name, value in values.items()}
            self._run.log({"trial": trial.number, "epoch": epoch, **named})
        named = {f"search/{name}": value for name, value in figures.items()}
        self._run.log({"trial": trial.number, **named})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
