"""Linear algebra on one thread, while trainings have the cores."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep NumPy's BLAS to one thread inside.

    Matrices of some hundred rows gain nothing from more; on a busy machine they wait a hundred
    times as long for threads that are not scheduled (191 ms against 1.7 ms for one Cholesky
    decomposition of 200 rows, beside a training).
    """
    with _limit()():
        yield


@cache
def _limit() -> Callable[[], AbstractContextManager[object]]:
    # Looking for the libraries takes 20 ms; it is done once. The package has no type stubs.
    controller = import_module("threadpoolctl").ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")
