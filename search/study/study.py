"""A study: its trials, its confirmation, and what every reader of them must know."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from search.errors import UserError
from search.files import write
from search.jobs import Curve
from search.study.arrival import CONFIRMATION_WORKER, WORKER, Arrival, read_arrivals, with_workers
from search.study.arrival import KIND as ARRIVAL
from search.study.checks import as_read, integer, member, reading, sequence
from search.study.computed import notes_on
from search.study.confirmation import confirmed, due, fresh_seeds
from search.study.curves import CONFIRMATION as CONFIRMATION_CURVE
from search.study.curves import KIND as CURVE
from search.study.curves import curve_from_json, read_curves
from search.study.database import NAME, Database
from search.study.finals import KIND as FINAL
from search.study.finals import checked_finals
from search.study.folder import held
from search.study.hold import Hold
from search.study.info import StudyInfo, checked_settings, refuse_unreadable
from search.study.landmarks import KIND as LANDMARK
from search.study.landmarks import Landmark, read_landmarks
from search.study.places import check_name, locate
from search.study.schema import TRIALS
from search.study.settings import refuse_changes
from search.study.trials import FORMAT, FrontEntry, Trial, front_entries

__all__ = ["Study", "StudyInfo", "check_name", "locate"]

_ANOTHER = "go on there, choose another study=, or give allow_mixed=true to mix such results"
_ALIKE = "give the study workers that are alike, or allow_mixed=true to mix such results"
FIX = "put a copy of it back, or move it away to begin anew"


class Study:
    """One study, open for writing (one process at a time) or for reading.

    `folder` is None for a study in memory. Use it as a context manager, or call `close`.
    """

    def __init__(self, folder: Path | None, database: Database, hold: Hold | None) -> None:
        self.folder = folder
        self._database = database
        self._hold = hold
        self._computed: Mapping[str, str] = {}
        self._allow_mixed = False
        # What results were computed on, as far as it was compared with those before.
        self._compared: list[Mapping[str, str]] = []
        self._trials: dict[int, Trial] | None = None
        self.notes: list[str] = []
        self.notes += [] if hold is None else hold.notes
        self._meta = database.meta()
        with reading(self._path, FIX):
            if "facts" in self._meta:
                self._info = StudyInfo.from_json(self._meta["facts"])
                checked_settings(member(self._meta, "settings", "meta"))
                for seed in sequence(self._meta.get("confirm_seeds", []), "confirm_seeds"):
                    integer(seed, "confirm_seeds")

    @classmethod
    def open(
        cls,
        folder: Path | None,
        settings: Mapping[str, Any],
        info: StudyInfo,
        *,
        computed: Mapping[str, str] | None = None,
        allow_mixed: bool = False,
    ) -> "Study":
        """Make the study, or go on with it.

        `settings` is all that defines its results; `computed` and `allow_mixed` as in
        `compute_on`, which may also be called later, once a device is known. Raises `UserError`
        when the folder holds something else, is in use, was made with other settings, on another
        platform or by a newer version, is damaged, or cannot be written. What the user should be
        told is in `notes`.
        """
        hold = None if folder is None else held(folder)
        try:
            database = Database(folder / NAME if folder else None)
            try:
                if "settings" in database.meta():
                    study = cls(folder, database, hold)
                    refuse_changes(folder, study.settings, settings)
                else:
                    if database.trials():
                        told = f"{database.path} is corrupt (it holds trials but no settings)"
                        raise UserError(f"{told}; {FIX}")
                    refuse_unreadable(settings, info)
                    # One transaction: a study has both or, after a kill, neither.
                    database.set_meta({"settings": settings, "facts": info.as_json()})
                    study = cls(folder, database, hold)
                study._trials = {trial.number: trial for trial in study.trials()}
                study.compute_on(computed or {}, allow_mixed=allow_mixed)
                database.migrate()
                if hold is not None:
                    database.claim(hold.token, hold.check)
                    if database.counted(TRIALS)[0] != len(study._trials):
                        # Of a process that could write until now.
                        study._trials = None
                        study._trials = {trial.number: trial for trial in study.trials()}
                return study
            except BaseException:
                database.close()
                raise
        except BaseException:
            if hold is not None:
                hold.close()
            raise

    @property
    def computed(self) -> Mapping[str, str]:
        """What new results are computed on, as `compute_on` was told; empty where unknown."""
        return self._computed

    def compute_on(self, computed: Mapping[str, str], *, allow_mixed: bool = False) -> None:
        """Mark what is added from now on with what it is computed on; see `search.study.computed`.

        Raises `UserError` that shows the difference if earlier results were computed on another
        platform, device or precision, unless `allow_mixed`; other differences go to `notes`.
        """
        self._computed, self._allow_mixed = dict(computed), allow_mixed
        self._compare(computed, f"{self.folder} was computed on something else", _ANOTHER)

    def _compare(self, computed: Mapping[str, str], refusal: str, fix: str) -> None:
        recorded = [*self.trials(), *self.confirmations()]
        self.notes += notes_on(recorded, computed, None if self._allow_mixed else (refusal, fix))
        self._compared.append(dict(computed))

    @classmethod
    def read(cls, folder: Path) -> "Study":
        """Open for reading, also while another process writes.

        Raises `UserError` for what is not a study, never started, or is damaged.
        """
        study = cls(folder, Database(folder / NAME, writable=False), None)
        if "facts" not in study._meta:
            study.close()
            raise UserError(f"{folder} is a study that never started; run its command again")
        return study

    def __enter__(self) -> "Study":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: how far the study is, and its front."""
        # Found by its name: a study does not depend on how it is shown.
        return str(import_module("search.report.notebook").study_html(self))

    @property
    def info(self) -> StudyInfo:
        """What every reader must know beside the trials."""
        return self._info

    @property
    def settings(self) -> dict[str, Any]:
        """All that defines the study's results."""
        return dict(self._meta["settings"])

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name if self.folder else "study"

    def trials(self, *, values: bool = True) -> list[Trial]:
        """Return every recorded trial by number; without `values` those are not checked."""
        if self._trials is None:
            return self._with_workers(self._database.trials(values=values), WORKER)
        return [self._trials[number] for number in sorted(self._trials)]

    def add(self, trial: Trial, arrival: Arrival | None = None) -> None:
        """Record a trial; once this returns it survives a kill.

        It is marked with what its worker or else the study computes on now or, where its result was
        taken over, with what that one was computed on. Its curve is written with it, and read by
        `curve`; so are its `arrival`, where there are several workers, and the name of its worker.
        Raises `UserError` for what could not be read again, and for a worker that computes on
        another platform than the study, as `compute_on` does.
        """
        marked = self._marked(trial)
        if trial.same_as is not None and self._trials and trial.same_as in self._trials:
            marked = replace(marked, computed=self._trials[trial.same_as].computed)
        with_it: dict[str, Any] = {}
        # A result that was taken over has its curve under the first trial's number.
        if trial.result.curve is not None and trial.same_as is None:
            with_it[CURVE] = trial.result.curve.as_json()
        if arrival is not None:
            with_it[ARRIVAL] = arrival.as_json()
        if marked.result.worker:
            with_it[WORKER] = marked.result.worker
        self._database.add(marked, with_it)
        if self._trials is not None:
            self._trials[trial.number] = marked

    def arrivals(self) -> dict[int, Arrival]:
        """Return when results were told, by number of the trial; empty with one worker."""
        with reading(self._path, FIX):
            return read_arrivals(self.records(ARRIVAL))

    def _with_workers(self, trials: list[Trial], kind: str) -> list[Trial]:
        with reading(self._path, FIX):
            return with_workers(trials, self.records(kind))

    def _marked(self, trial: Trial) -> Trial:
        """Return a new trial as it is kept: with what it was computed on, without its curve."""
        result, computed = trial.result, trial.result.computed
        if computed is None:
            computed = self._computed
        elif computed not in self._compared:
            self._compare(computed, f"worker {result.worker} computes on something else", _ALIKE)
        result = replace(result, curve=None, computed=None)
        return replace(trial, result=result, computed=computed, format=FORMAT)

    @property
    def snapshot(self) -> dict[str, Any] | None:
        """The last snapshot of the search, as `keep_snapshot` was given it; None without one."""
        found = self._meta.get("snapshot")
        return found if isinstance(found, dict) else None

    def keep_snapshot(self, value: Mapping[str, Any]) -> None:
        """Record a snapshot in place of the last; once this returns it survives a kill."""
        self._database.set_meta({"snapshot": value})
        self._meta["snapshot"] = as_read(value)

    def front(self, trials: Sequence[Trial]) -> tuple[list[FrontEntry], bool]:
        """Return the front, and whether its figures are means over fresh seeds.

        They are once every member of the search's front was trained with all of those seeds.
        """
        epochs, seeds, objective = self.info.epochs, self.confirm_seeds, self.info.objective
        rows = None
        if seeds:
            rows = confirmed(trials, epochs, self.confirmations(), seeds, objective)
        return (front_entries(trials, epochs, objective), False) if rows is None else (rows, True)

    @property
    def confirm_seeds(self) -> list[int]:
        """The fresh seeds of the confirmation that was begun last; none before the first."""
        return list(self._meta.get("confirm_seeds", []))

    def begin_confirmation(self, count: int) -> list[Trial]:
        """Note that the front is to be confirmed with `count` seeds; return what is to be trained.

        Fewer seeds than before leave what is there.
        """
        trials = self.trials()
        used = [trial.job.seed for trial in trials]
        seeds = self.confirm_seeds
        if count > len(seeds):
            own = int(self.settings.get("seed", 0))
            seeds = [*seeds, *fresh_seeds(own, [*used, *seeds], count - len(seeds))]
            self._database.set_meta({"confirm_seeds": seeds})
            self._meta["confirm_seeds"] = seeds
        again = self.confirmations()
        return due(trials, self.info.epochs, again, seeds, self.info.objective)

    def confirmations(self) -> list[Trial]:
        """Return every training with a fresh seed, in the order of their end."""
        return self._with_workers(self._database.confirmations(), CONFIRMATION_WORKER)

    def add_confirmation(self, trial: Trial) -> None:
        """Record a training with a fresh seed and its curve; once this returns it survives a kill.

        Raises as `add` does.
        """
        marked = self._marked(trial)
        worker, curve = marked.result.worker, trial.result.curve
        with_it: dict[str, Any] = {CONFIRMATION_WORKER: worker} if worker else {}
        if curve is not None:
            with_it[CONFIRMATION_CURVE] = curve.as_json()
        self._database.add_confirmation(marked, with_it)

    def record(self, kind: str, key: str, value: Mapping[str, Any]) -> None:
        """Keep a JSON object under its kind and key, in place of an earlier one.

        For what belongs to the study and is not a trial. Once this returns it survives a kill.
        Raises `UserError` where it cannot be written.
        """
        self._database.record(kind, {key: value})

    def records(self, kind: str) -> dict[str, Any]:
        """Return what was kept of one kind by its keys; values as JSON, not checked further."""
        return self._database.records(kind)

    def add_landmark(self, landmark: Landmark) -> None:
        """Record a known network's training; once this returns it survives a kill."""
        self.record(LANDMARK, landmark.name, landmark.as_json())

    def landmarks(self) -> list[Landmark]:
        """Return the known networks that were trained, cheapest first."""
        with reading(self._path, FIX):
            return read_landmarks(self.records(LANDMARK))

    def curve(self, number: int) -> Curve | None:
        """Return how the training of a trial went; None where it was not kept.

        For a trial that is `same_as` another, ask for that one's. Raises `UserError` where it is
        damaged.
        """
        value = self._database.record_of(CURVE, str(number))
        if value is None:
            return None
        with reading(self._path, FIX):
            return curve_from_json(value, f"{CURVE} {number}")

    def curves(self) -> dict[int, Curve]:
        """Return every curve by the number of its trial; see `curve`."""
        with reading(self._path, FIX):
            return read_curves(self.records(CURVE))

    def confirmation_curves(self) -> dict[int, Curve]:
        """Return the curves of trainings with fresh seeds by their numbers; see `curve`."""
        with reading(self._path, FIX):
            return read_curves(self.records(CONFIRMATION_CURVE), CONFIRMATION_CURVE)

    @property
    def _path(self) -> Path:
        return self.folder / NAME if self.folder else Path(NAME)

    def finals(self) -> list[dict[str, Any]]:
        """Return every final in the order of their reading; see `search.study.finals`."""
        with reading(self._path, FIX):
            return checked_finals(self.records(FINAL).values(), FINAL)

    def write(self, name: str, content: str | bytes, *, durable: bool = True) -> None:
        """Replace a file of the folder, whole or not at all; nothing for a study in memory."""
        if self.folder is not None:
            self._database.check_writer()
            write(self.folder / name, content, durable=durable)

    def close(self) -> None:
        """Close the file and let other processes write."""
        self._database.close()
        if self._hold is not None:
            self._hold.close()
