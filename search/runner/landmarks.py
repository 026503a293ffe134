"""Training known networks within the budget, for a search's front to be compared with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from search.config.run import RunConfig
from search.data.dataset import Dataset
from search.errors import UserError
from search.executors.protocol import Executor
from search.jobs import Candidate, Job
from search.networks import zoo
from search.networks.arch import Arch, Input
from search.pareto import value_of
from search.runner.batch import evaluate_all
from search.study.landmarks import Landmark
from search.study.study import Study
from search.study.trials import Trial, pending
from search.units import format_multiplies


@dataclass(frozen=True)
class Known:
    """A network of the zoo, at its own width or scaled to fit."""

    name: str
    width: float
    arch: Arch


def chosen(config: RunConfig, dataset: Dataset | None) -> tuple[list[Known], list[str]]:
    """Return the networks that `zoo=true` trains, none without it, and why each other is left out.

    Raises `UserError` where there are no images.
    """
    if not config.zoo:
        return [], []
    if dataset is None:
        raise UserError(
            "zoo=true trains known networks on images, and a space and an evaluator of one's own"
            " have none; leave it out"
        )
    return within(*config.interval, Input(*dataset.shape), len(dataset.classes))


def within(low: int, high: int, shape: Input, classes: int) -> tuple[list[Known], list[str]]:
    """Return the networks of the zoo that cost from `low` to `high` multiplies, scaled if need be.

    And for each of the others the reason, one line.
    """
    found, reasons = [], []
    for name in zoo.names():
        try:
            width, arch = zoo.widest(name, high, input=shape, classes=classes)
        except UserError as error:
            reasons.append(f"no landmark: {error}")
            continue
        cost = Candidate.of(arch).multiplies
        if cost < low:
            least = format_multiplies(low)
            reasons.append(
                f"no landmark: {name} costs {format_multiplies(cost)} multiplies, below {least}"
            )
            continue
        found.append(Known(name, width, arch))
    return found, reasons


def train_landmarks(
    study: Study,
    executor: Executor,
    networks: Iterable[Known],
    seed: int,
    watch: Callable[[Trial, int, int], None] | None = None,
) -> int:
    """Train each network for the epochs of the study, and record the result as a landmark.

    What is recorded already is not trained again. `watch` is called with each training, how many
    are done, and of how many. Returns how many were trained now. Raises as `evaluate_all` does.
    """
    done = {landmark.name for landmark in study.landmarks()}
    missing = [one for one in networks if one.name not in done]
    waiting = [
        pending(place, Candidate.of(one.arch).job(study.info.epochs, seed))
        for place, one in enumerate(missing)
    ]

    def record(trial: Trial) -> None:
        known, result = missing[trial.number], trial.result
        assert trial.params is not None, "of a network"
        study.add_landmark(
            Landmark(
                name=known.name,
                width=known.width,
                arch_id=trial.arch_id,
                multiplies=trial.multiplies,
                params=trial.params,
                accuracy=result.accuracy,
                balanced_accuracy=value_of(result, "balanced_accuracy"),
                loss=result.loss,
                epochs=trial.job.epochs,
                seed=trial.job.seed,
                seconds=result.seconds,
                status=result.status,
                error=result.error,
            )
        )

    evaluate_all(
        executor,
        waiting,
        record,
        objective=study.info.objective,
        what="landmarks",
        watch=watch,
    )
    return len(waiting)


def jobs_of(networks: Iterable[Known], epochs: int, seed: int) -> list[Job]:
    """Return the trainings of the networks, whose checkpoints are wanted until they are done."""
    return [Candidate.of(one.arch).job(epochs, seed) for one in networks]
