"""Ctrl-C waits while compiled packages are imported."""

import signal

import pytest

from search.runner.signals import interrupts_held


def test_an_interrupt_waits_for_the_end() -> None:
    before, done = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append("after it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["after it"]
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_nothing_is_raised() -> None:
    with interrupts_held():
        pass
