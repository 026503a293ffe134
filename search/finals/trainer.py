"""The engine's own evaluator, set up for final trainings: images, teacher, first weights."""

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from search.config.run import ExecutorConfig
from search.config.train import TrainConfig
from search.executors.build import build_elsewhere, elsewhere, in_process
from search.executors.devices import computed_on, described
from search.executors.protocol import Executor
from search.executors.worker import WorkerSpec
from search.export import unit
from search.export.weights import Measured, Packed
from search.files import sweep
from search.finals.images import FinalImages
from search.finals.networks import Network
from search.finals.plan import Plan, digest
from search.finals.teachers import Teacher, weights_of
from search.finals.training import train
from search.jobs import Job
from search.runner.evaluation import open_device
from search.runner.images import description
from search.runner.signals import interrupts_held
from search.study.study import Study
from search.units import counted, format_multiplies

# All devices of this machine.
EXECUTOR = ExecutorConfig()


class FinalTrainer:
    """Trains networks on all images but the test part; `begin` comes first."""

    def __init__(
        self,
        study: Study,
        plan: Plan,
        images: FinalImages,
        recipe: TrainConfig,
        programs: str | None,
        tell: Callable[[str], None],
    ) -> None:
        assert study.folder is not None
        self._study, self._plan, self._images = study, plan, images
        self._recipe, self._programs, self._tell = recipe, programs, tell
        self._root = study.folder
        self.computed: dict[str, str] = {}

    def begin(
        self,
        networks: Sequence[Network],
        teacher: Teacher | None,
        epochs: int,
        seeds: Sequence[int],
        shared: str,
        own: Collection[str],
    ) -> None:
        """Start JAX, train the teacher if it has to be, and take over weights.

        `shared` tells apart what all trainings of a call have in common; `own` are the keys of its
        finals, some of which may be there. Where trainings have neither teacher nor first weights,
        several devices are used, by worker processes.
        """
        for place in ("finals", "checkpoints"):
            for folder in (self._root / place).glob("*/"):
                sweep(folder)
        self._folder = self._root.absolute() / "checkpoints" / f"final-{shared}"
        # Soft labels and first weights are made on a device, which this process then holds.
        if teacher is None and self._plan.begin == "scratch" and elsewhere(EXECUTOR):
            self._by_workers()
            return
        dataset = self._images.dataset
        open_device(self._recipe, dataset, self._tell)
        with interrupts_held():
            import jax

            from search.engine.evaluator import TrainingEvaluator
        if jax.local_device_count() > 1:
            self._tell(f"one of {jax.local_device_count()} devices is used")
        soft = None if teacher is None else self._soft_labels(teacher, epochs, seeds[0])
        evaluator = TrainingEvaluator(
            dataset,
            self._recipe,
            self._folder,
            soft=soft,
            initial=self._initial(networks, own),
            programs=self._programs,
        )
        for note in evaluator.notes:
            self._tell(note)
        self.computed = computed_on(evaluator.precision)
        self._keeper: Any = evaluator
        self._make: Callable[[], Executor] = partial(in_process, evaluator)

    def _by_workers(self) -> None:
        from search.engine.kept import KeptTrainings

        fingerprint = self._images.dataset.train.fingerprint
        spec = WorkerSpec(
            data=self._images.config,
            train=self._recipe,
            seed=self._images.seed,
            confirm_fraction=self._images.confirm_fraction,
            confirming=False,
            fingerprints={"train": fingerprint},
            checkpoints=self._folder,
            programs=self._programs,
            whole=True,
        )
        self._keeper = KeptTrainings.of_workers(self._folder)
        self._make = partial(build_elsewhere, EXECUTOR, spec)

    def train(self, networks: Sequence[Network], epochs: int, seeds: Sequence[int]) -> None:
        """Train every network with every seed; what was trained alike is not trained again."""
        from search.engine.checkpoints import CheckpointKey

        jobs = [job for one in networks for job in _jobs(one, epochs, seeds)]

        def there(job: Job) -> bool:
            key = CheckpointKey(job.candidate.id, job.seed, job.epochs)
            return (self._folder / key.filename).exists()

        done = sum(map(there, jobs))
        if done:
            self._tell(
                f"going on: {done} of {len(jobs)} trainings have checkpoints; those made on this"
                " device with as many cores and these versions are not repeated"
            )
        jobs.sort(key=there, reverse=True)
        with closing(self._make()) as executor:
            if ask := getattr(executor, "computed", None):
                self.computed = dict(ask())
                each = described(self.computed)
                self._tell(f"device: {counted(executor.workers, 'worker')}, each {each}")
            train(executor, jobs, done, self._tell, soft=self._plan.teacher is not None)

    def weights(self, network: Network, epochs: int, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Return the weights of each seed."""
        return [self._keeper.weights(job) for job in _jobs(network, epochs, seeds)]

    def drop(self, networks: Sequence[Network]) -> None:
        """Delete the checkpoints of networks that have been read."""
        for one in networks:
            for path in self._folder.glob(f"{one.candidate.id}-*.npz"):
                path.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _initial(
        self, networks: Sequence[Network], own: Collection[str]
    ) -> dict[str, dict[str, Any]]:
        """Return the weights that networks begin with, and say which of theirs are new."""
        if self._plan.begin == "scratch":
            return {}
        from search.engine.transfer import transferred

        found = {}
        for one in networks:
            # Not with those that this call has left itself, before it was stopped.
            given = weights_of(self._study, one.origin, own)
            taken, anew = transferred(one.arch, given.arrays)
            found[one.candidate.id] = taken
            self._tell(
                f"{one.candidate.id}: {len(taken)} arrays taken over from {one.origin},"
                f" {len(anew)} begun anew: {', '.join(anew)}"
            )
        return found

    def _soft_labels(self, teacher: Teacher, epochs: int, seed: int) -> Any:
        from search.engine.distillation import Distillation, SoftLabels
        from search.engine.predict import logits

        packed = teacher.packed or self._trained(teacher, epochs, seed)
        images = self._images.dataset.train.images
        (known,) = logits(
            packed.arch, [packed.arrays], images, packed.data["mean"], packed.data["std"]
        )
        return SoftLabels.of(known, Distillation(self._plan.temperature, self._plan.teacher_weight))

    def _trained(self, teacher: Teacher, epochs: int, seed: int) -> Packed:
        """Return a teacher of the zoo: trained like the finals, kept for later ones."""
        from search.engine.evaluator import TrainingEvaluator

        assert teacher.network is not None
        dataset, candidate = self._images.dataset, teacher.network.candidate
        told = [candidate.id, epochs, seed, dataset.train.fingerprint, vars(self._recipe)]
        place = self._root / "finals" / f"teacher-{digest(told)}"
        if unit.holds(place):
            return unit.read(place)
        cost = format_multiplies(candidate.multiplies)
        self._tell(f"the teacher {teacher.name} ({cost} multiplies) is trained first")
        folder = self._root / "checkpoints" / f"teacher-{digest(told)}"
        evaluator = TrainingEvaluator(dataset, self._recipe, folder, programs=self._programs)
        job = candidate.job(epochs, seed)
        with closing(in_process(evaluator)) as executor:
            train(executor, [job], 0, self._tell)
        # Known by now: its result is its checkpoint's.
        accuracy = evaluator(job).accuracy
        measured = Measured(part="training", epochs=epochs, seed=seed)
        packed = Packed(
            place,
            teacher.network.arch,
            evaluator.weights(job),
            description(dataset),
            accuracy,
            candidate.multiplies,
            measured,
        )
        saved = unit.save(place, packed)
        evaluator.keep(())
        folder.rmdir()
        return saved


def _jobs(network: Network, epochs: int, seeds: Sequence[int]) -> list[Job]:
    return [network.candidate.job(epochs, seed) for seed in seeds]
