"""Ctrl-C and its relatives: raised where it is safe, and told apart by their numbers."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from search.errors import Interrupted

_STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Let SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt`; yield the numbers received.

    Elsewhere than in the main thread, where Python handles no signals, nothing changes. A signal
    that is ignored, as SIGHUP is under nohup, stays so.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt)
        for number in _STOPS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stoppable(said: str) -> Iterator[None]:
    """Let the signals that stop a run end what is inside as `Interrupted`, which says `said`."""
    received: list[int] = []
    try:
        with interruptible() as received:
            yield
    except KeyboardInterrupt:
        raise Interrupted(said, 128 + (received[0] if received else 2)) from None


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let the signals that stop a run wait until the end of what is inside.

    JAX's compiled parts abort the process, or swallow the exception, where it breaks into their
    import.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in _STOPS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        # The handler that was there says what the signal means; SIGTERM's own would just end.
        handler = before[received[0]]
        if callable(handler):
            handler(received[0], None)
        raise KeyboardInterrupt
