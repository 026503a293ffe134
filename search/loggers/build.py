"""From the names in `logger=` to loggers; what is not installed is one line."""

from collections.abc import Callable, Sequence
from importlib import import_module
from types import TracebackType

from search.config.run import LOGGERS
from search.errors import UserError
from search.jobs import Curve
from search.loggers.protocol import Figures, Logger, Place
from search.study.study import Study
from search.study.trials import Trial

# Each is imported when it is chosen; all but csv are extras.
_CLASSES = {"csv": "Csv", "tensorboard": "TensorBoard", "mlflow": "Mlflow", "wandb": "Wandb"}
FOLDER = "logs"


def classes(names: Sequence[str]) -> dict[str, Callable[[Place], Logger]]:
    """Return what makes each logger; raises `UserError` that says which extra is missing."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            module = import_module(f"search.loggers.{name}")
        except ImportError as error:
            raise UserError(
                f"logger={name} needs a package that is not installed ({error.name}); pip install"
                f" 'convbudget[{name}]', or choose among {', '.join(LOGGERS)}"
            ) from None
        found[name] = getattr(module, _CLASSES[name])
    return found


class Loggers:
    """All loggers of a search, told of each trial as it is recorded; a context manager.

    Trials that were recorded before are told to those that write to this study for the first time.
    """

    def __init__(self, study: Study, made: dict[str, Callable[[Place], Logger]]) -> None:
        info = study.info
        self._study = study
        self._figures = Figures(info.cheapest, info.high, info.chance, info.epochs)
        self._loggers: list[tuple[Logger, bool]] = []
        if study.folder is None and made:
            raise UserError(
                f"logger={','.join(made)} writes into the study's folder, and this study is kept"
                " in memory; give it a name"
            )
        for name, make in made.items():
            assert study.folder is not None
            folder = study.folder / FOLDER / name
            fresh = not folder.exists()
            self._loggers.append((make(Place(folder, study.name, study.settings)), fresh))

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for logger, _fresh in self._loggers:
            logger.close()

    def tell(self, trial: Trial, new: bool) -> None:
        """Log a trial; `new` as `Watch` is told it."""
        if not self._loggers:
            return
        figures, curve, read = self._figures.after(trial), None, False
        for logger, fresh in self._loggers:
            if new or fresh:
                if not read:
                    curve, read = self._curve(trial), True
                logger.log(trial, curve, figures)

    def _curve(self, trial: Trial) -> Curve | None:
        return self._study.curve(trial.number if trial.same_as is None else trial.same_as)
