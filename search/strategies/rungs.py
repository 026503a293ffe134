"""The arithmetic of successive halving, in integers: log(243) / log(3) is below 5 in floats."""

from search.errors import UserError


def most_rungs(epochs: int, reduction: int) -> int:
    """Return the number of rungs that fit `epochs`, each `reduction` times the one before."""
    rungs = 1
    while reduction**rungs <= epochs:
        rungs += 1
    return rungs


def lengths(epochs: int, rungs: int, reduction: int) -> tuple[int, ...]:
    """Return the epochs of each rung, ascending, the last `epochs` itself.

    Raises `UserError` if the first would have none.
    """
    least = reduction ** (rungs - 1)
    if epochs < least:
        fewer = most_rungs(epochs, reduction)
        # Halving needs two rungs, and its configuration refuses fewer.
        instead = f"strategy.rungs={fewer}" if fewer > 1 else "another strategy"
        raise UserError(
            f"epochs={epochs} are too few for strategy.rungs={rungs} with"
            f" strategy.reduction={reduction}, which need {least}; give epochs={least} or"
            f" {instead}"
        )
    return tuple(epochs // reduction**rung for rung in reversed(range(rungs)))


def promotions(finished: int, reduction: int, head: int) -> int:
    """Return how many of a rung's `finished` results to promote: a share of 1 / `reduction`.

    The first `head` are all promoted, because there is no front until some reach full length.
    """
    return min(finished, head) + max(0, finished - head) // reduction
