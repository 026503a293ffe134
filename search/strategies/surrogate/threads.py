"""Linear algebra on one thread, because trainings use the other cores."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit NumPy's BLAS to one thread inside.

    Matrices of some hundred rows gain nothing from more, and on a busy machine BLAS waits for
    threads that are not scheduled: one Cholesky decomposition of 200 rows took 191 ms beside a
    training, and 1.7 ms with one thread.
    """
    with _limit()():
        yield


@cache
def _limit() -> Callable[[], AbstractContextManager[object]]:
    # Finding the libraries takes 20 ms and is done once. The package has no type stubs.
    controller = import_module("threadpoolctl").ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")
