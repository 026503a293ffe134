"""What a worker process does: it takes jobs from a pipe and sends their results back."""

import os
import pickle
import threading
from collections.abc import Callable, Mapping
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

from search.errors import UserError
from search.executors.devices import computed_by
from search.executors.failures import reason
from search.executors.local import evaluate
from search.executors.worker import Work
from search.jobs import Evaluator, Job, Result

# Kinds of messages to the search: that the worker is ready, and what it computes on; a result; and
# why there is none.
READY, RESULT = "ready", "result"
WRONG, SURROUNDINGS, INTERRUPTED = "wrong", "surroundings", "interrupted"

Message = tuple[str, Mapping[str, str] | Result | str]


def serve(pipe: Connection, errors: Connection, work: bytes, cores: tuple[int, ...]) -> None:
    """Evaluate jobs until the pipe ends; `work` is a pickled `Work`, `errors` takes stderr.

    The first thing that a worker process does: cores are chosen before JAX starts its threads.
    """
    # What libraries print there would run into the search's display.
    os.dup2(errors.fileno(), 2)
    errors.close()
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        try:
            evaluator = _unpickled(work).evaluator()
            ready: Message = (READY, computed_by(evaluator))
        except (Exception, KeyboardInterrupt) as error:
            pipe.send(_failure(error))
            return
        pipe.send(ready)
        while (job := pipe.recv()) is not None:
            pipe.send(_evaluated(evaluator, job))
    except (EOFError, OSError):
        # The search has ended, or will hear no more.
        return


def _evaluated(evaluator: Evaluator | Callable[[Job], float], job: Job) -> Message:
    try:
        return RESULT, evaluate(evaluator, job)
    except (Exception, KeyboardInterrupt) as error:
        return _failure(error)


def _failure(error: BaseException) -> Message:
    """Return what the search is told of an exception; its text alone, whatever its class."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, ""
    if isinstance(error, UserError):
        return WRONG, str(error)
    return SURROUNDINGS, reason(error)


def _unpickled(work: bytes) -> Work:
    try:
        made: Work = pickle.loads(work)
    except (AttributeError, ModuleNotFoundError) as error:
        raise UserError(
            f"a worker process does not find the evaluator ({error}); define it in a module that"
            " can be imported, or leave out executor.devices, per_device and timeout"
        ) from None
    return made


def _end_with_parent() -> None:
    """End this process as soon as the search's has ended in any way, also by SIGKILL."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
