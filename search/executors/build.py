"""From `executor=` to the executor it names; the one place that reads it."""

from collections.abc import Callable

from search.config.run import ExecutorConfig
from search.executors.protocol import Executor
from search.executors.worker import OwnEvaluator, Work
from search.jobs import Evaluator, Job


def elsewhere(config: ExecutorConfig) -> bool:
    """Say whether jobs are evaluated in other processes; then this one must open no accelerator.

    Raises `UserError` for devices that are not there, and where no Ray cluster can be reached.
    """
    match config.name:
        case "local":
            from search.executors.placement import local_placements

            return bool(local_placements(config))
        case "ray":
            from search.executors.ray.cluster import check_reachable

            check_reachable(config)
            return True
    raise AssertionError(config.name)


def build(config: ExecutorConfig, evaluator: Evaluator | Callable[[Job], float]) -> Executor:
    """Return the executor that `config` names, for an evaluator that this process has.

    Where jobs are evaluated elsewhere it is sent there; raises `UserError` if it cannot be.
    """
    if elsewhere(config):
        return build_elsewhere(config, OwnEvaluator(evaluator))
    from search.executors.local import LocalExecutor

    return LocalExecutor(evaluator)


def build_elsewhere(config: ExecutorConfig, work: Work) -> Executor:
    """Return the executor that `config` names, for what makes an evaluator in each worker."""
    match config.name:
        case "local":
            from search.executors.placement import local_placements
            from search.executors.pool import PoolExecutor

            return PoolExecutor(config, local_placements(config), work)
        case "ray":
            from search.executors.ray.executor import RayExecutor

            return RayExecutor(config, work)
    raise AssertionError(config.name)
