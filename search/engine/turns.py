"""Trainings that run at once on one device, and one that has to run alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets trainings run side by side, or one of them alone when the others have ended."""

    def __init__(self) -> None:
        self._running, self._alone = 0, False
        self._changed = threading.Condition()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run beside others, as soon as none runs alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until the others have ended, and keep new ones waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: not self._running)
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()
