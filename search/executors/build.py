"""From `executor=` to the executor it names; the one place that reads it."""

from collections.abc import Callable

from search.config.run import ExecutorConfig
from search.executors.protocol import Executor
from search.jobs import Evaluator, Job


def build(config: ExecutorConfig, evaluator: Evaluator | Callable[[Job], float]) -> Executor:
    """Return the executor that `config` names; raises `UserError` for an unknown one."""
    match config.name:
        case "local":
            from search.executors.local import LocalExecutor

            return LocalExecutor(evaluator)
    raise AssertionError(config.name)
