"""From `executor=` to the executor it names; the one place that reads it."""

import threading
from collections.abc import Callable
from typing import cast

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
    return in_process(evaluator)


def in_process(evaluator: Evaluator | Callable[[Job], float]) -> Executor:
    """Return what evaluates in this process: several jobs at once where the evaluator says so.

    Its `at_once` says how many calls side by side serve it best, and its `stop`, a
    `threading.Event`, is set while those calls are to end; others are called one after the other.
    """
    from search.executors.local import LocalExecutor
    from search.executors.threaded import ThreadedExecutor

    at_once, stop = getattr(evaluator, "at_once", 1), getattr(evaluator, "stop", None)
    if isinstance(at_once, int) and at_once > 1 and isinstance(stop, threading.Event):
        return ThreadedExecutor(cast(Evaluator, evaluator), at_once, stop)
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
