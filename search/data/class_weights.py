"""Weights of the classes in the training loss, from the setting `train.class_weights`."""

from collections.abc import Sequence

from search.errors import UserError, shown


def class_weights(chosen: str | Sequence[float] | None, counts: Sequence[int]) -> tuple[float, ...]:
    """Return the weight of each class [classes], whose mean over training images is 1; () for none.

    `chosen`: `balanced` for weights inverse to the class's training images, one number for each
    class, or None; `counts` [classes]: training images of each class. The mean is 1 so that the
    learning rate means the same with and without weights. Raises `UserError` for another number of
    weights than of classes, and where no training image has any weight.
    """
    if chosen is None:
        return ()
    given = [1 / count if count else 0.0 for count in counts]
    if not isinstance(chosen, str):
        if len(chosen) != len(counts):
            raise UserError(
                f"train.class_weights={shown(list(chosen))} has {len(chosen)} numbers, and the data"
                f" has {len(counts)} classes; give one for each, in the order of their names"
            )
        given = [float(weight) for weight in chosen]
    total = sum(weight * count for weight, count in zip(given, counts, strict=True))
    if not total > 0:
        raise UserError(
            f"train.class_weights={shown(chosen)} leaves no training image any weight; give a class"
            " that has images one above 0"
        )
    return tuple(weight * sum(counts) / total for weight in given)


def weights_summary(classes: Sequence[str], weights: Sequence[float]) -> str:
    """Say what the weights are, on one line."""
    pairs = (f"{name} {weight:.3g}" for name, weight in zip(classes, weights, strict=True))
    listed = shown(", ".join(pairs), 400)
    return f"class weights in the training loss, 1 on average over its images: {listed}"
