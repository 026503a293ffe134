"""When checkpoints are looked through: the work grows as the study does, and few are left."""

from chains import numbers

import search
from search.jobs import Job, Result
from search.runner.retention import Retention
from search.study.study import Study, StudyInfo
from search.study.trials import Trial

INFO = StudyInfo(1, 10**6, 0, 10**6, 10**6, True, 0.1, 2, {})
CHAIN = numbers(6, 4, end=10)


class Trials(list[Trial]):
    """Trials that count how many of them are read, whoever reads them."""

    read = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.read += len(self)
        return super().__iter__()


class Keeper:
    """Keeps checkpoints, and counts how many it holds at most."""

    def __init__(self) -> None:
        self.held: set[Job] = set()
        self.most = self.looks = 0

    def __call__(self, job: Job) -> Result:
        self.held.add(job)
        self.most = max(self.most, len(self.held))
        return Result(0.3 + sum(map(int, job.options)) / 50)

    def keep(self, jobs: list[Job]) -> None:
        self.looks += 1
        self.held &= set(jobs)


def trial(number: int) -> Trial:
    job = Job(("a", number), 2, 0)
    return Trial(number, job, '{"n":1}', f"{number:012x}", 1000, None, number, Result(0.5))


def looked_at(count: int) -> tuple[int, int]:
    """Return how many trials were read in a study of `count`, and the longest way to a look."""
    told, keeper, longest, last = Trials(), Keeper(), 0, 0
    with Study.open(None, {}, INFO) as study:
        keep = Retention(study, keeper)
        for number in range(count):
            told.append(trial(number))
            before = keeper.looks
            keep(told, [])
            if keeper.looks > before:
                longest, last = max(longest, number + 1 - last), number + 1
    return told.read, longest


def test_a_long_study_takes_as_long_for_each_trial_as_a_short_one() -> None:
    short, _ = looked_at(500)
    long, longest = looked_at(3000)
    assert 0 < short <= 33 * 500
    # Each reading of all goes through them once; a look at every eighth result would be 560,000.
    assert long <= 33 * 3000
    assert longest <= 3000 // 32


def test_few_checkpoints_are_left_on_the_way() -> None:
    keeper = Keeper()
    found = search.run(
        space=CHAIN, budget=40, evaluator=keeper, strategy="random", trials=200, ahead=3
    )
    assert keeper.most <= 8 + 3 + len(found.front) + 20
    assert keeper.held >= {one.job for one in found.front}


def test_a_search_that_goes_on_looks_at_once() -> None:
    keeper = Keeper()
    with Study.open(None, {}, INFO) as study:
        told = [trial(number) for number in range(500)]
        keep = Retention(study, keeper)
        keep(told, [trial(500)])
        assert keeper.looks == 1
        keep([*told, trial(500)], [])
        assert keeper.looks == 1
