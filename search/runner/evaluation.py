"""Where a search's jobs are evaluated, and what reads the checkpoints that they leave."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from search.config.run import RunConfig
from search.config.train import TrainConfig
from search.data.dataset import Dataset
from search.errors import SurroundingsError
from search.executors.build import build, build_elsewhere, elsewhere
from search.executors.devices import computed_on, describe, described, use_one_device
from search.executors.protocol import Executor
from search.executors.worker import WorkerSpec
from search.jobs import Evaluator, Job
from search.runner.confirm import CHECKPOINTS, OWN_CHECKPOINTS, confirmer_of
from search.runner.images import fingerprints
from search.runner.patience import surroundings_failed
from search.runner.signals import interrupts_held
from search.study.study import Study
from search.units import counted


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How the jobs of a search, or those of its confirmation, are evaluated.

    `executor` makes what evaluates them, to be closed; `keeper` has `weights(job)` and `keep(jobs)`
    where checkpoints are kept, and may have neither.
    """

    executor: Callable[[], Executor]
    keeper: Any


def evaluations(
    config: RunConfig,
    given: Evaluator | Callable[[Job], float] | None,
    study: Study,
    dataset: Dataset | None,
    tell: Callable[[str], None],
) -> tuple[Evaluation, Evaluation]:
    """Return the evaluation of the search, and that of fresh seeds, which may score elsewhere.

    `given`: an evaluator of the user's own. Without one, this process starts JAX and trains, or
    worker processes do; then no device is opened here.
    """
    if given is None and elsewhere(config.executor):
        return _by_workers(config, study, dataset)
    evaluator = given or _trainer(config, study, dataset, tell)
    confirmer = confirmer_of(evaluator, study, dataset)
    searching, confirming = (
        Evaluation(partial(build, config.executor, one), one) for one in (evaluator, confirmer)
    )
    return searching, confirming


def start(executor: Executor, config: RunConfig, study: Study, tell: Callable[[str], None]) -> None:
    """Mark what the study adds with what worker processes compute on, once one is ready.

    Raises `UserError` where that is not what earlier results were computed on, and where no worker
    becomes ready.
    """
    ask = getattr(executor, "computed", None)
    if ask is None:
        return
    try:
        computed = dict(ask())
    except SurroundingsError as error:
        raise surroundings_failed(error) from None
    if computed:
        tell(f"device: {counted(executor.workers, 'worker')}, each {described(computed)}")
        study.compute_on(computed, allow_mixed=config.allow_mixed)


def _trainer(
    config: RunConfig, study: Study, dataset: Dataset | None, tell: Callable[[str], None]
) -> Evaluator:
    """Return the evaluator that trains on `dataset` in this process, JAX started."""
    assert dataset is not None, "Parts.need_images"
    open_device(config.train, dataset, tell)
    with interrupts_held():
        from search.engine.evaluator import TrainingEvaluator

        checkpoints = study.folder / CHECKPOINTS if study.folder else None
        evaluator = TrainingEvaluator(
            dataset, config.train, checkpoints, programs=config.cache.programs
        )
    for note in evaluator.notes:
        tell(note)
    study.compute_on(computed_on(evaluator.precision), allow_mixed=config.allow_mixed)
    return evaluator


def open_device(train: TrainConfig, dataset: Dataset, tell: Callable[[str], None]) -> None:
    """Start JAX in this process, for trainings on one device, and tell which that is."""
    from search.executors.malloc import keep_memory_for

    keep_memory_for(train.batch, *dataset.shape[:2])
    use_one_device()
    with interrupts_held():
        # Imported here: it brings JAX, and bad values have been answered by now.
        import jax

        from search.engine.recipe import waiting_for_kernels

        tell(f"device: {describe()}")
        if waiting := waiting_for_kernels(train, jax.local_devices()[0]):
            tell(waiting)


def _by_workers(
    config: RunConfig, study: Study, dataset: Dataset | None
) -> tuple[Evaluation, Evaluation]:
    from search.engine.kept import KeptTrainings

    assert dataset is not None, "Parts.need_images"
    # A worker need not have this process's working directory.
    folder = study.folder.absolute() if study.folder else None
    searching = WorkerSpec(
        data=config.data,
        train=config.train,
        seed=config.seed,
        confirm_fraction=config.confirm.fraction,
        confirming=False,
        fingerprints=fingerprints(dataset),
        checkpoints=folder / CHECKPOINTS if folder else None,
        programs=_absolute(config.cache.programs),
    )
    confirming = searching
    if dataset.confirmation is not None:
        own = folder / OWN_CHECKPOINTS if folder else None
        confirming = replace(searching, confirming=True, checkpoints=own)
    first, second = (
        Evaluation(
            partial(build_elsewhere, config.executor, spec),
            KeptTrainings.of_workers(spec.checkpoints) if spec.checkpoints else None,
        )
        for spec in (searching, confirming)
    )
    return first, second


def _absolute(folder: str | None) -> str | None:
    """Return the name of a folder wherever a worker runs; empty and None stay what they are."""
    return str(Path(folder).expanduser().absolute()) if folder else folder
