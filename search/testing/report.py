"""How the contract suites report a broken promise."""

from search.errors import shown
from search.jobs import Job, Result


def named(job: Job) -> str:
    """Return a job as messages name it."""
    options = shown(" ".join(map(str, job.options)))
    return f"the job ({options}; epochs={job.epochs}, seed={job.seed})"


def described(result: Result) -> str:
    """Return a result as messages describe it."""
    if result.status != "ok":
        return f"{result.status} ({shown(result.error, 300)})"
    return f"accuracy {result.accuracy!r}, loss {result.loss!r}"


def require(condition: bool, otherwise: str) -> None:
    """Raise `AssertionError` with the message `otherwise` unless `condition` holds."""
    if not condition:
        raise AssertionError(otherwise)
