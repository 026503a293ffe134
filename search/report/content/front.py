"""All that `front.html` shows of a study, computed once; the page only draws it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from search.config.strategy import INDEPENDENT
from search.errors import shown
from search.pareto import Objective
from search.report.content.families import Populations, populations
from search.report.content.latency import LatencySeries, latency_series
from search.report.content.networks import Networks, families, networks
from search.report.content.over_time import OverTime, over_time
from search.report.content.provenance import Provenance, provenance
from search.report.content.records import (
    CurveLists,
    FinalRow,
    Landmark,
    curves,
    finals,
    fresh_curves,
    landmarks,
)
from search.report.content.trials import Member, TrialColumns, members, trial_columns
from search.report.notes import classes_unequal
from search.report.table import explanation, summary, title
from search.study.study import Study
from search.study.tables import study_content


@dataclass(frozen=True)
class Lines:
    """Lines to copy: the study as Python and as a shell write it."""

    python: str
    shell: str


@dataclass(frozen=True)
class FrontPage:
    """The content of `front.html`.

    `objective`: what the search maximised; `unseen`: on how many images that the search did not
    use the front was confirmed, 0 for the validation images; `unequal`: whether balanced accuracy
    is worth showing; `low`, `high`, `cheapest`: budget and cheapest architecture in multiplies;
    `epochs` of a full training; `families` present, in the order of their colours; `sampled`:
    whether the strategy drew at random; `curves` by number of the trial; `fresh_curves`,
    of the confirmation's trainings, and `finals` by id; `latencies` by what ran the networks.
    """

    title: str
    summary: str
    notes: list[str]
    study: str
    lines: Lines
    objective: Objective
    confirmed: bool
    unseen: int
    unequal: bool
    hypervolume: float
    low: int
    high: int
    epochs: int
    classes: list[str]
    families: list[str]
    networks: Networks
    trials: TrialColumns
    front: list[Member]
    over_time: OverTime
    populations: Populations | None
    sampled: bool
    curves: dict[str, CurveLists]
    fresh_curves: dict[str, list[CurveLists]]
    landmarks: list[Landmark]
    finals: dict[str, FinalRow]
    latencies: list[LatencySeries]
    provenance: Provenance


def front_page(study: Study) -> FrontPage:
    """Return the content of the page of `study`, as it stands: it may still be written."""
    trials = study.trials()
    content, found = study_content(study, trials)
    info, confirmed = study.info, bool(content["confirmed"])
    objective = info.objective
    table, places = networks(trials)
    family_of = {row.id: row.family for row in table.rows}
    strategy = study.settings.get("strategy")
    return FrontPage(
        title=title(content),
        summary=summary(content, found),
        notes=explanation(content, found),
        study=shown(study.name, 100),
        lines=_lines(study),
        objective=objective,
        confirmed=confirmed,
        unseen=int(content.get("unseen", 0)),
        unequal=classes_unequal(
            info.data, [(row.accuracy, row.balanced_accuracy) for row in found]
        ),
        hypervolume=float(content["hypervolume"]),
        low=info.low,
        high=info.high,
        epochs=info.epochs,
        classes=[shown(name, 80) for name in info.data.get("classes", [])],
        families=families(table.rows),
        networks=table,
        trials=trial_columns(trials, places),
        front=members(found, objective),
        over_time=over_time(trials, info, objective),
        populations=populations(trials, family_of, info.epochs, objective),
        sampled=(strategy.get("name") if isinstance(strategy, Mapping) else strategy)
        in INDEPENDENT,
        curves=curves(study, trials, found),
        fresh_curves=fresh_curves(study, study.confirmations(), found),
        landmarks=landmarks(study),
        finals=finals(study),
        latencies=latency_series(content.get("latency", ())),
        provenance=provenance(study, trials),
    )


def _lines(study: Study) -> Lines:
    place = study.name if study.folder is None else str(study.folder)
    return Lines(repr(place), shlex.quote(place))
