"""What a strategy proposes, checked and described as a trial."""

from dataclasses import replace

from search.errors import UserError, shown
from search.jobs import Job, Strategy
from search.runner.rules import Rules
from search.spaces.chain import Chain, candidate
from search.study.trials import Trial, pending


def ask(strategy: Strategy) -> Job:
    """Return a strategy's next job; raises `UserError` unless it is a `Job`, and `Exhausted`."""
    asked: object = strategy.ask()
    if not isinstance(asked, Job):
        raise UserError(
            f"the strategy's ask() returned {shown(asked, quoted=True)}; it must return a"
            " search.Job, or raise search.Exhausted where nothing is left"
        )
    return asked


def described(chain: Chain, rules: Rules, number: int, job: Job, told: int) -> Trial:
    """Return the trial of a new job that was asked for after `told` results.

    Raises `UserError` for one outside the budget.
    """
    if job.carried is None:
        job = replace(job, carried=candidate(chain, job.options))
    multiplies = job.candidate.multiplies
    if not rules.low <= multiplies <= rules.high:
        raise UserError(
            f"the strategy proposed {multiplies:,} multiplies, outside the budget of"
            f" {rules.low:,} to {rules.high:,}; a strategy must keep to it"
        )
    return pending(number, job, told)
