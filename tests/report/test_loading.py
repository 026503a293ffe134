"""Telling how far the data is: a bar that vanishes, or a line now and then."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from search.report import loading
from search.report.loading import Loading


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def test_a_terminal_gets_a_bar() -> None:
    shown = console(terminal=True)
    with Loading(shown) as told:
        told.progress("preparing cifar10 with TFDS", 0, 0)
        for done in (10, 60):
            told.progress("decoding cifar10 train", done, 60)
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "decoding cifar10 train" in text
    assert "60/60" in text


def test_elsewhere_nothing_is_printed_for_what_is_quick() -> None:
    shown = console(terminal=False)
    with Loading(shown) as told:
        for done in range(100):
            told.progress("decoding digits train", done, 100)
    assert shown.file.getvalue() == ""  # type: ignore[attr-defined]


def test_elsewhere_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(loading, "time", clock)
    shown = console(terminal=False)
    with Loading(shown) as told:
        told.say("the cache of [digits] is damaged")
        for done in range(20):
            clock.now = float(done)
            told.progress("decoding", 1000 * done, 20_000)
    assert shown.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "the cache of [digits] is damaged",
        "decoding: 2,000 of 20,000",
        "decoding: 12,000 of 20,000",
    ]
