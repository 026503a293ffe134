"""Train networks to the end on all images but the test part, then read that part once for each.

All trainings of a call end before the test part is opened. What was read is a record of the study:
the same call shows it and reads nothing; other settings make another reading, which is marked.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from search.config.data import DataConfig
from search.config.train import TrainConfig
from search.data.dataset import Split
from search.errors import UserError
from search.export import unit
from search.export.weights import Measured, Packed, kind_of_weights
from search.finals import images as final_images
from search.finals.images import FinalImages
from search.finals.measure import read, summary
from search.finals.networks import Network, adapted, members, of_zoo
from search.finals.plan import Plan, digest
from search.finals.teachers import Teacher, teacher_of, weights_of
from search.finals.trainer import FinalTrainer
from search.networks.arch import Input
from search.report.progress import Watch
from search.report.study import leave
from search.runner.signals import interrupts_held, stoppable
from search.study.confirmation import fresh_seeds
from search.study.database import NAME
from search.study.finals import KIND, readings
from search.study.hold import running
from search.study.study import Study
from search.units import format_multiplies

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """All that is known before the first training."""

    networks: list[Network]
    images: FinalImages
    recipe: TrainConfig
    teacher: Teacher | None
    epochs: int
    seeds: list[int]
    notes: list[str]
    programs: str | None


def retrain(
    folder: Path,
    plan: Plan,
    data: DataConfig | None,
    console: Console,
    *,
    moved: str = "",
    programs: str | None = "",
) -> list[dict[str, Any]]:
    """Return the finals of the networks that `plan` names, trained and read where they are not yet.

    `data`: None for the study's own where it lay; `moved`: if `data` is the study's own too, the
    words that say where it lies now; `programs`: where compiled programs are kept, as in
    `TrainingEvaluator`. Raises `UserError` for bad values, before anything is trained;
    `Interrupted` when the user stops it: the same call then goes on.
    """
    if (folder / "front.json").exists() and not (folder / NAME).exists():
        raise UserError(
            f"{folder} keeps tables alone, without {NAME}, where finals are recorded; run its"
            " command, and name the study that it leaves"
        )
    if owner := running(folder):
        raise UserError(f"{folder} is being written by {owner}; wait for it to end, then try again")
    with stoppable(
        "stopped; finished trainings and checkpoints are kept, and the same command goes on"
    ):
        return _retrain(folder, plan, data, console, moved, programs)


def _retrain(
    folder: Path,
    plan: Plan,
    data: DataConfig | None,
    console: Console,
    moved: str,
    programs: str | None,
) -> list[dict[str, Any]]:
    with Study.read(folder) as study:
        prepared = _prepare(study, plan, data, console, moved, programs)
        settings, info = study.settings, study.info
    shared = plan.settings(prepared.images, prepared.recipe, prepared.teacher)
    own = {**shared, "epochs": prepared.epochs, "seeds": plan.seeds}
    keys = [f"{one.candidate.id}-{digest(own)}" for one in prepared.networks]
    with Study.open(folder, settings, info) as study:
        watch = Watch(console, None, None, folder / "run.log")
        for note in (*study.notes, *prepared.notes):
            watch.tell(note)
        known = study.records(KIND)
        waiting = {k: one for k, one in zip(keys, prepared.networks, strict=True) if k not in known}
        if waiting:
            _train_and_read(
                study, plan, prepared, waiting, keys, digest(shared), console, watch.tell
            )
            leave(study, study.trials())
        if len(waiting) < len(keys):
            before = len(keys) - len(waiting)
            watch.tell(f"{before} of {len(keys)} were read before and are shown, not read again")
        found = {final["key"]: final for final in study.finals()}
    return [found[key] for key in keys]


def _prepare(
    study: Study,
    plan: Plan,
    data: DataConfig | None,
    console: Console,
    moved: str,
    programs: str | None,
) -> _Prepared:
    """Check everything that can be checked before a training begins."""
    config, recipe = final_images.data_of(study), final_images.recipe_of(study)
    networks: list[Network] = []
    if plan.zoo is None:
        networks = members(study.front(study.trials())[0], study.name, plan.choice)
    other = data is not None and not moved
    found = final_images.open_images(study, data or config, console, other=other, moved=moved)
    shape, classes = Input(*found.dataset.shape), len(found.dataset.classes)
    notes = [] if found.own else [f"{found.dataset.name} is other data than the study's"]
    if plan.zoo is not None:
        networks = [of_zoo(plan.zoo, study.info.high, shape, classes)]
    elif not found.own:
        networks = [adapted(one, shape, classes) for one in networks]
    for one in networks:
        notes.append(_cost_note(one, study.info.high))
    teacher = None if plan.teacher is None else teacher_of(plan.teacher, study, found.dataset)
    if teacher is not None and teacher.packed is not None:
        kind, path = kind_of_weights(teacher.packed), teacher.packed.path
        notes.append(f"teacher {teacher.name}: its {kind} weights, {path}")
    if plan.begin == "weights":
        for one in networks:
            weights_of(study, one.origin)
    used = [trial.job.seed for trial in (*study.trials(), *study.confirmations())]
    seed = int(study.settings.get("seed", 0))
    seeds = fresh_seeds(seed, [*used, *study.confirm_seeds], plan.seeds, "final")
    epochs = plan.length(study.info.epochs)
    return _Prepared(networks, found, recipe, teacher, epochs, seeds, notes, programs)


def _cost_note(network: Network, budget: int) -> str:
    """Say what a network costs on the images that it is trained on, beside the study's budget."""
    cost = network.candidate.multiplies
    known = f"{network.name} ({network.candidate.id})" if network.name else network.candidate.id
    moved = network.origin not in ("", network.candidate.id)
    came = f", {network.origin} in the search" if moved else ""
    side = "within" if cost <= budget else "above"
    return (
        f"{known}{came}: {format_multiplies(cost)} multiplies, {side} the study's budget of"
        f" {format_multiplies(budget)}"
    )


def _train_and_read(
    study: Study,
    plan: Plan,
    prepared: _Prepared,
    waiting: Mapping[str, Network],
    keys: Collection[str],
    shared: str,
    console: Console,
    tell: Tell,
) -> None:
    assert study.folder is not None
    images, recipe = prepared.images, prepared.recipe
    trainer = FinalTrainer(study, plan, images, recipe, prepared.programs, tell)
    trainer.begin(
        prepared.networks, prepared.teacher, prepared.epochs, prepared.seeds, shared, keys
    )
    trainer.train([*waiting.values()], prepared.epochs, prepared.seeds)
    tell("all are trained; the test part is opened and read once for each network")
    test = final_images.open_test_part(prepared.images, console)
    for key, network in waiting.items():
        weights = trainer.weights(network, prepared.epochs, prepared.seeds)
        found = _read(network, weights, test, prepared.images)
        record = {
            **_record(study, plan, prepared, network, test, found),
            "key": key,
            # Of this final alone: weights that were read are never overwritten.
            "folder": f"finals/{key}",
            "computed": trainer.computed,
        }
        _leave_unit(study.folder / record["folder"], weights[0], record, network, prepared)
        study.record(KIND, key, record)
    # Also of those that a call which was killed here had read.
    trainer.drop(prepared.networks)


def _read(
    network: Network, weights: Sequence[Mapping[str, Any]], test: Split, found: FinalImages
) -> dict[str, Any]:
    """Read the test part: the logits of all seeds, once."""
    with interrupts_held():
        # Imported here: it brings JAX, which has started by now unless workers trained.
        from search.engine.predict import logits

    dataset = found.dataset
    scores = logits(network.arch, weights, test.images, dataset.mean, dataset.std)
    return summary([read(one, test.labels) for one in scores])


def _record(
    study: Study,
    plan: Plan,
    prepared: _Prepared,
    network: Network,
    test: Split,
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    finals, found = study.finals(), prepared.images
    candidate, dataset = network.candidate, found.dataset
    return {
        "number": len(finals),
        "reading": 1 + readings(finals, candidate.id, test.fingerprint),
        "arch_id": candidate.id,
        "name": network.name,
        "origin": network.origin,
        "multiplies": candidate.multiplies,
        "params": candidate.params,
        "epochs": prepared.epochs,
        "seeds": len(prepared.seeds),
        "seed_numbers": prepared.seeds,
        "from": plan.begin,
        "teacher": plan.taught(prepared.teacher),
        "data": {
            "name": dataset.name,
            "own": found.own,
            "classes": list(dataset.classes),
            "train_images": len(dataset.train),
            "test_images": len(test),
            "train": dataset.train.fingerprint,
            "test": test.fingerprint,
        },
        **figures,
    }


def _leave_unit(
    folder: Path,
    arrays: Mapping[str, Any],
    record: Mapping[str, Any],
    network: Network,
    prepared: _Prepared,
) -> None:
    """Leave the weights of the first seed, never of the best by test, as a model that travels."""
    from search.runner.images import description

    dataset = prepared.images.dataset
    measured = Measured(
        part="test",
        epochs=prepared.epochs,
        seed=prepared.seeds[0],
        seeds=len(prepared.seeds),
        accuracy_std=record["accuracy_std"],
        details={key: record[key] for key in ("balanced_accuracy", "ece", "nll")},
    )
    counts = {"train": len(dataset.train), "test": record["data"]["test_images"]}
    data = {**description(dataset), "images": counts}
    unit.save(
        folder,
        Packed(
            folder,
            network.arch,
            dict(arrays),
            data,
            record["accuracy"],
            network.candidate.multiplies,
            measured,
        ),
    )
