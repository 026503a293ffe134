"""The arithmetic of successive halving: integers only, since a logarithm of 243 = 3^5 is not 5."""

from search.errors import UserError


def most_rungs(epochs: int, reduction: int) -> int:
    """Return how many rungs `epochs` allow, each `reduction` times as long as the one before."""
    rungs = 1
    while reduction**rungs <= epochs:
        rungs += 1
    return rungs


def lengths(epochs: int, rungs: int, reduction: int) -> tuple[int, ...]:
    """Return the epochs of each rung, rising, the last `epochs` itself.

    Raises `UserError` where the shortest would have none.
    """
    least = reduction ** (rungs - 1)
    if epochs < least:
        fewer = most_rungs(epochs, reduction)
        # One rung is no halving, and refused by its configuration.
        instead = f"strategy.rungs={fewer}" if fewer > 1 else "another strategy"
        raise UserError(
            f"epochs={epochs} are too few for strategy.rungs={rungs} with"
            f" strategy.reduction={reduction}, which need {least}; give epochs={least} or"
            f" {instead}"
        )
    return tuple(epochs // reduction**rung for rung in reversed(range(rungs)))


def promotions(finished: int, reduction: int, head: int) -> int:
    """Return how many of `finished` results of a rung may go on: one of `reduction`, rounded down.

    The first `head` results all may: until there are some at full length, there is no front.
    """
    return min(finished, head) + max(0, finished - head) // reduction
