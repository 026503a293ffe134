"""From the names in `logger=` to loggers; what is not installed is one line."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import TracebackType

from search.config.run import LOGGERS
from search.errors import UserError, one_line, shown
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
    A logger that fails, because its server is gone, say, is left out from there on, and `note` is
    told: the search goes on.
    """

    def __init__(
        self,
        study: Study,
        made: dict[str, Callable[[Place], Logger]],
        note: Callable[[str], None],
    ) -> None:
        info = study.info
        self._study, self._note = study, note
        self._figures = Figures(info.cheapest, info.high, info.chance, info.epochs, info.objective)
        self._loggers: dict[str, tuple[Logger, bool]] = {}
        if study.folder is None and made:
            raise UserError(
                f"logger={','.join(made)} writes into the study's folder, and this study is kept"
                " in memory; give it a name"
            )
        for name, make in made.items():
            assert study.folder is not None
            folder = study.folder / FOLDER / name
            fresh = not folder.exists()
            self._loggers[name] = make(Place(folder, study.name, study.settings)), fresh

    def __enter__(self) -> "Loggers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for name, (logger, _fresh) in [*self._loggers.items()]:
            self._guarded(name, logger.close)

    def tell(self, trial: Trial, new: bool) -> None:
        """Log a trial; `new` as `Watch` is told it."""
        if not self._loggers:
            return
        figures, curve, read = self._figures.after(trial), None, False
        for name, (logger, fresh) in [*self._loggers.items()]:
            if new or fresh:
                if not read:
                    curve, read = self._curve(trial), True
                self._guarded(name, partial(logger.log, trial, curve, figures))

    def _guarded(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        # A full disk stops the study too.
        except UserError:
            raise
        # Each library has errors of its own.
        except Exception as error:
            del self._loggers[name]
            reason = f"{type(error).__name__}: {one_line(error)}"
            self._note(f"logger={name} failed and is left out from here on ({shown(reason, 200)})")

    def _curve(self, trial: Trial) -> Curve | None:
        return self._study.curve(trial.number if trial.same_as is None else trial.same_as)
