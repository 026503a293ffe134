"""Weights of the classes in the training loss, from the setting and the class counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.config.train import TrainConfig
from search.data.class_weights import class_weights, weights_summary
from search.errors import UserError

COUNTS = (600, 200, 60, 20, 400)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=9).filter(any), st.data())
def test_the_mean_weight_over_images_is_one(counts: list[int], data: st.DataObject) -> None:
    own = data.draw(st.lists(st.floats(0.01, 100), min_size=len(counts), max_size=len(counts)))
    for chosen in ("balanced", own):
        weights = class_weights(chosen, counts)
        total = sum(weight * count for weight, count in zip(weights, counts, strict=True))
        assert total == pytest.approx(sum(counts))


def test_balanced_classes_weigh_the_same_together() -> None:
    weights = class_weights("balanced", COUNTS)
    assert [weight * count for weight, count in zip(weights, COUNTS, strict=True)] == (
        pytest.approx([1280 / 5] * 5)
    )
    assert class_weights("balanced", [3, 0, 1]) == pytest.approx([2 / 3, 0, 2])
    assert class_weights([2.0, 0, 2], [1, 1, 1]) == pytest.approx([1.5, 0, 1.5])
    assert class_weights(None, COUNTS) == ()


def test_weights_that_do_not_fit_the_data_are_refused() -> None:
    with pytest.raises(UserError, match=r"class_weights=\[1, 2\] has 2 numbers, .* 5 classes"):
        class_weights([1, 2], COUNTS)
    with pytest.raises(UserError, match="leaves no training image any weight"):
        class_weights([0, 1], [5, 0])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("even", "class_weights=even must be null, balanced, or a list"),
        (1.0, "must be null, balanced, or a list"),
        ([1, -1], r"class_weights\[1\]=-1 must be a number at least 0"),
        ([1, float("nan")], r"class_weights\[1\]=nan must be a number"),
        ([1, "a"], r"class_weights\[1\]=a must be a number"),
        ([0, 0.0], "has no number above 0"),
        ([], "has no number above 0"),
    ],
)
def test_values_that_can_never_be_weights_are_refused(value: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        TrainConfig(class_weights=value)


def test_the_log_names_each_class_and_its_weight() -> None:
    line = weights_summary(("cat", "dog"), (0.5, 1.5))
    assert line.endswith("cat 0.5, dog 1.5")
    assert "\n" not in line
