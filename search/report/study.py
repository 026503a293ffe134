"""The first and last lines of a search, and the files it leaves for people."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from search.errors import shown
from search.pareto import Objective, value_of
from search.report.axes import Form
from search.report.content.front import front_page
from search.report.page import page
from search.report.picture import draw, plot
from search.report.progress import Watch
from search.report.table import show
from search.study.study import Study, StudyInfo
from search.study.tables import export, study_content
from search.study.trials import FrontEntry, Trial
from search.units import format_multiplies

PAGE = "front.html"


def introduction(study: Study, info: StudyInfo) -> list[str]:
    """Describe where the study is and how large its space."""
    within = f"{info.within:,}" if info.within < 10**15 else f"{info.within:.3g}"
    lines = [f"study: {study.folder}"] if study.folder else []
    return [
        *lines,
        f"space: {within} architectures within {format_multiplies(info.high)} multiplies; the"
        f" smallest costs {format_multiplies(info.cheapest)}, the largest of all"
        f" {format_multiplies(info.most_expensive)}",
    ]


def leave(study: Study, trials: Sequence[Trial]) -> tuple[dict[str, Any], list[FrontEntry]]:
    """Write the tables, the picture and the page of a study; nothing for one in memory.

    Returns what `front.json` says, and the front.
    """
    content, found = export(study, trials)
    if study.folder is not None:
        study.write("front.png", _picture(study, trials, content, found))
        study.write(PAGE, study_page(study))
    return content, found


def study_page(study: Study) -> str:
    """Return `front.html` of a study as it stands, also while it is searched."""
    return page(front_page(study))


def study_picture(study: Study, form: Form = "png") -> bytes:
    """Return the picture of a study as it stands."""
    trials = study.trials()
    return _picture(study, trials, *study_content(study, trials), form)


def _picture(
    study: Study,
    trials: Sequence[Trial],
    content: dict[str, Any],
    found: Sequence[FrontEntry],
    form: Form = "png",
) -> bytes:
    return draw(content, plot(trials, found, study.info.epochs, study.info.objective), form)


def reporting(
    watch: Watch,
    what: str,
    objective: Objective = "accuracy",
    names: Mapping[str, str] | None = None,
) -> Callable[[Trial, int, int], None]:
    """Return a function that reports each training after the search by its objective.

    `what` is the first word of its lines, such as `confirming`; `names` maps ids of networks to
    what they are called, where that is not their id.
    """

    def tell(trial: Trial, done: int, total: int) -> None:
        result = trial.result
        outcome = (
            f"{objective.replace('_', ' ')} {value_of(result, objective):.4f}"
            if result.status == "ok"
            else f"{result.status}: {shown(result.error)}"
        )
        named = (names or {}).get(trial.arch_id, trial.arch_id)
        watch.tell(
            f"{what} {done}/{total}  {named}  seed {trial.job.seed}  {outcome}"
            f"  {result.seconds:.1f}s"
        )

    return tell


def show_end(
    console: Console, content: dict[str, Any], found: Sequence[FrontEntry], folder: Path | None
) -> None:
    """Print the front and name the files of the study."""
    show(console, content, found)
    if folder is not None:
        console.print(
            f"In {folder}: front.csv, front.json, front.html, front.png, archs/, weights/",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
