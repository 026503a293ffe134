"""From studies, or the tables of an earlier answer, to the trainings that an answer needs."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from search.compare.studies import Entry, read, settings_of
from search.errors import UserError, shown
from search.files import canonical_json
from search.networks.arch import FORMAT, Arch, from_json
from search.question.best import LANDMARK, Found, read_best
from search.question.trainings import MIXED, Design, Training, anatomy, ordered, read_csv
from search.study.finals import firsts, on_own_data
from search.study.latency import Latency, latencies
from search.study.study import Study, locate
from search.study.trials import Trial, op_mix

TRIALS = "trials.csv"
BEST = "best.csv"
# What may differ between populations: the kinds of block, and what follows from them.
_MAY_DIFFER = {"space.ops", "space.within", "space.cheapest"}


@dataclass(frozen=True)
class Material:
    """All that an answer is computed from, in an order that does not depend on the studies'."""

    trainings: list[Training]
    best: list[Found]

    @classmethod
    def of(cls, trainings: Iterable[Training], best: Iterable[Found]) -> "Material":
        """Put both in order; raises `UserError` where one kind of block is all there is."""
        rows = ordered(trainings)
        families = {one.family for one in rows if one.design == "population"}
        paired = any(one.design == "twins" for one in rows)
        if len(families) < 2 and not paired:
            only = next(iter(families), "none")
            raise UserError(
                f"{only} is the only kind of block here, and a comparison needs two; name the"
                " studies of another, as outputs/question/*"
            )

        def place(one: Found) -> tuple[object, ...]:
            return (one.family, one.multiplies, one.name, one.arch_id)

        return cls(rows, sorted(best, key=place))


def read_material(sources: Sequence[str]) -> Material:
    """Read studies by folder or name, and the `trials.csv` of an earlier answer, if it is named.

    The table stands for the populations, with the `best.csv` beside it; searches named with it join
    it, in place of what it knows of them. Raises `UserError` where there is no population, and for
    studies that cannot be compared.
    """
    tables = [name for name in sources if Path(name).suffix == ".csv"]
    paths = [locate(name) for name in sources if name not in tables and not _is_answer(Path(name))]
    sampled = [path for path in paths if _strategy(path) == "population"]
    searched = [path for path in paths if path not in sampled]
    if tables:
        return _joined(tables, sampled, searched)
    if not paths:
        earlier = Path(sources[0]) / TRIALS
        fix = f"name {earlier}" if earlier.exists() else "name folders, as outputs/question/*"
        raise UserError(f"{shown(sources[0])} is not a study; {fix}")
    if not sampled:
        raise UserError(
            f"{shown(str(paths[0]), 200)} is no population (strategy={_strategy(paths[0])}); make"
            " some with convbudget run -m experiment=question"
        )
    entries = read(sampled)
    populations = [entry for entry in entries if _design(entry) == "population"]
    _check_alike(populations)
    trainings = [one for entry in entries for one in _trainings(entry)]
    return Material.of(trainings, _best(searched, entries[0].name, _data(entries[0])))


def _joined(tables: list[str], sampled: list[Path], searched: list[Path]) -> Material:
    """Return what an earlier answer's table holds, and the best of the searches beside it."""
    if len(tables) > 1:
        raise UserError(f"{shown(tables[1])} is a second table of trainings; name one of them")
    if sampled:
        raise UserError(
            f"{shown(str(sampled[0]), 200)} is a population, of which a table does not say how it"
            " was trained; name the folders of all populations, or searches beside the table"
        )
    table = Path(tables[0])
    trainings, beside = read_csv(table), table.with_name(BEST)
    known = read_best(beside, trainings[0].data) if beside.exists() else []
    largest = max((one.budget for one in known), default=0)
    found = _best(searched, str(table), trainings[0].data, largest)
    again = {(one.family, one.name, one.budget) for one in found}
    others = (one for one in known if (one.family, one.name, one.budget) not in again)
    return Material.of(trainings, [*found, *others])


def _is_answer(path: Path) -> bool:
    """Whether this is a page, or an earlier answer's folder, which outputs/* finds."""
    return path.is_file() or (path / "question.html").exists()


def _strategy(path: Path) -> str:
    with Study.read(path) as study:
        found = study.settings.get("strategy")
    return str(found.get("name") if isinstance(found, Mapping) else found)


def _design(entry: Entry) -> Design:
    return "twins" if _twin(entry) else "population"


def _twin(entry: Entry) -> str | None:
    strategy = entry.settings.get("strategy")
    return strategy.get("twin") if isinstance(strategy, Mapping) else None


def _check_alike(entries: Sequence[Entry]) -> None:
    """Require one space, one recipe and one set of lengths for all populations."""
    first, *others = settings_of(entries) if entries else [{}]
    for entry, flat in zip(entries[1:], others, strict=True):
        for key in sorted(first.keys() | flat.keys()):
            if key not in _MAY_DIFFER and first.get(key) != flat.get(key):
                names = " and ".join(shown(one.name, 100) for one in (entries[0], entry))
                raise UserError(
                    f"{names} cannot be compared: {key} is {shown(first.get(key), 40)} and"
                    f" {shown(flat.get(key), 40)}; populations may differ in space.ops and seed"
                    " alone"
                )
    mixes = {
        canonical_json(sorted(_ops(entry))): entry for entry in entries if _family(entry) == MIXED
    }
    if len(mixes) > 1:
        names = " and ".join(shown(entry.name, 100) for entry in mixes.values())
        raise UserError(f"{names} mix other kinds of block; leave one of them out")


def _ops(entry: Entry) -> list[str]:
    space = entry.settings.get("space")
    if not isinstance(space, Mapping) or not space.get("ops"):
        raise UserError(
            f"{shown(entry.name, 100)} has a space of its own, whose kinds of block are not known;"
            " leave it out"
        )
    return list(space["ops"])


def _family(entry: Entry) -> str:
    ops = _ops(entry)
    return ops[0] if len(ops) == 1 else MIXED


def _trainings(entry: Entry) -> list[Training]:
    design, family = _design(entry), _family(entry)
    twin = _twin(entry)
    with Study.read(entry.path) as study:
        measured = _measured(latencies(study))
    known: dict[str, dict[str, Any]] = {}
    found = []
    for trial in entry.trials:
        if trial.arch_id not in known:
            arch = _arch(trial, entry.name)
            kind = twin if twin and {block.op for block in arch.blocks} == {twin} else family
            known[trial.arch_id] = {"family": kind, **asdict(anatomy(arch))}
        time = measured.get(trial.arch_id)
        ok = trial.result.status == "ok"
        found.append(
            Training(
                arch_id=trial.arch_id,
                multiplies=trial.multiplies,
                accuracy=trial.result.accuracy if ok else math.nan,
                accuracy_std=math.nan,
                seeds=1,
                epochs=trial.job.epochs,
                seed=trial.job.seed,
                status=trial.result.status,
                loss=trial.result.loss if ok else math.nan,
                seconds=trial.result.seconds,
                trial=trial.number,
                ops=op_mix(trial.value),
                study=entry.name,
                data=_data(entry),
                design=design,
                latency_ms=math.nan if time is None else time.median,
                latency_of="" if time is None else _way(time),
                **known[trial.arch_id],
            )
        )
    return found


def _data(entry: Entry) -> str:
    found = entry.settings.get("data")
    return str(found.get("name") if isinstance(found, Mapping) else "")


def _arch(trial: Trial, name: str) -> Arch:
    value = json.loads(trial.value)
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise UserError(
            f"{shown(name, 100)} holds no networks, so it says nothing of blocks; leave it out"
        )
    return from_json(trial.value, source=f"{name}: {trial.arch_id}")


def _measured(found: Sequence[Latency]) -> dict[str, Latency]:
    """Return one measurement of each network: of one image, by the runtime first by name."""
    chosen: dict[str, Latency] = {}
    for one in sorted(found, key=lambda one: (one.batch, one.runtime, one.platform)):
        chosen.setdefault(one.arch_id, one)
    return chosen


def _way(one: Latency) -> str:
    return (
        f"{one.runtime} on {one.device or one.platform}, {one.threads} threads, batch {one.batch}"
    )


def _best(searched: list[Path], beside: str, data: str, largest: int = 0) -> list[Found]:
    """Return the fronts of the searches of the largest budget, and all known networks.

    A search within less than `largest`, which another one had, is there for its known networks.
    Raises `UserError` for a search on other than `data`, which that named `beside` was trained on.
    """
    if not searched:
        return []
    entries = read(searched)
    for entry in entries:
        if _data(entry) != data:
            names = f"{shown(beside, 100)} and {shown(entry.name, 100)}"
            raise UserError(
                f"{names} cannot be compared: data is {shown(data, 40)} and"
                f" {shown(_data(entry), 40)}; leave one of them out"
            )
    largest = max(largest, *(entry.info.high for entry in entries))
    found: list[Found] = []
    landmarks: dict[str, Found] = {}
    for entry in entries:
        with Study.read(entry.path) as study:
            finals = firsts(on_own_data(study.finals()))
            known = [one for one in study.landmarks() if one.status == "ok"]
        rows = entry.front if entry.info.high == largest else ()
        for row in rows:
            found.append(
                Found(
                    family=_family(entry),
                    name=entry.name,
                    budget=entry.info.high,
                    arch_id=row.arch_id,
                    multiplies=row.multiplies,
                    accuracy=row.accuracy,
                    accuracy_std=row.accuracy_std,
                    seeds=row.seeds,
                    unseen=entry.info.unseen if entry.confirmed else 0,
                    confirmed=entry.confirmed,
                    data=data,
                    **_tested(finals, row.arch_id),
                )
            )
        for one in known:
            # Each search trains it anew, and one of them may have its test figure.
            if one.arch_id in landmarks and one.arch_id not in finals:
                continue
            landmarks[one.arch_id] = Found(
                family=LANDMARK,
                name=one.name,
                budget=entry.info.high,
                arch_id=one.arch_id,
                multiplies=one.multiplies,
                accuracy=one.accuracy,
                accuracy_std=math.nan,
                seeds=1,
                unseen=0,
                confirmed=False,
                data=data,
                **_tested(finals, one.arch_id),
            )
    return [*found, *landmarks.values()]


def _tested(finals: Mapping[str, Mapping[str, Any]], arch_id: str) -> dict[str, Any]:
    final = finals.get(arch_id)
    if final is None:
        return {"test_accuracy": math.nan, "test_seeds": 0}
    spread = final["accuracy_std"]
    return {
        "test_accuracy": final["accuracy"],
        "test_seeds": final["seeds"],
        "test_accuracy_std": math.nan if spread is None else spread,
    }
