"""Which job a free worker begins, where one of them has a single try left."""

from collections import deque

from search.executors.attempts import Task, next_task
from search.jobs import Job


def task(number: int, failures: int = 0) -> Task:
    return Task(number, Job(("a", number)), failures)


def test_jobs_go_in_their_order() -> None:
    waiting = deque([task(0, 1), task(1), task(2)])
    found = [_next(waiting) for _ in range(4)]
    assert [one and one.number for one in found] == [0, 1, 2, None]


def _next(waiting: "deque[Task]", *beside: Task, emptied: bool = True) -> Task | None:
    return next_task(waiting, beside, 2, emptied=emptied)


def test_a_last_try_waits_until_its_machine_is_empty() -> None:
    waiting = deque([task(0, 2), task(1)])
    assert _next(waiting, task(5)) is None
    first = _next(waiting)
    assert first is not None
    assert first.number == 0
    # Nothing begins beside it.
    assert _next(waiting, first) is None
    assert _next(waiting, first, emptied=False) is None


def test_other_machines_go_on_meanwhile() -> None:
    waiting = deque([task(0, 2), task(3, 2), task(1)])
    other = _next(waiting, task(5), emptied=False)
    assert other is not None
    assert other.number == 1
    assert _next(waiting, task(5), emptied=False) is None
    assert [one.number for one in waiting] == [0, 3]


def test_without_retries_there_is_no_last_try() -> None:
    assert next_task(deque([task(0)]), [task(1)], 0) is not None
