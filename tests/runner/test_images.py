"""What a search says of its data."""

from dataclasses import replace

import numpy as np
import pytest

from search.data.dataset import Dataset, Split
from search.runner.images import description, few_images_notice, majority_notice


def part(labels: list[int]) -> Split:
    return Split(np.zeros((len(labels), 2, 2, 1), np.uint8), np.array(labels, np.int32), "")


DATA = Dataset("uneven", part([0, 0, 0, 1]), part([0, 0, 0, 1, 1]), ("a", "b"), (0.5,), (0.5,))


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [([0.4, 0.6], "0.6000"), ([0.6001], ""), ([], ""), ([0.1], "most frequent class")],
)
def test_a_front_no_better_than_the_majority_is_said(accuracies: list[float], said: str) -> None:
    notice = majority_notice(DATA, accuracies)
    assert said in notice
    assert bool(notice) == bool(said)


def test_class_counts_are_those_of_the_training_part() -> None:
    assert description(DATA)["class_counts"] == [3, 1]


def test_a_small_validation_part_is_said_with_what_one_image_is_worth() -> None:
    said = few_images_notice(DATA)
    assert "the validation part has only 5 images: one is worth 20.0% of accuracy" in said
    assert "only 99 images" in few_images_notice(replace(DATA, validation=part([0, 1, 0] * 33)))
    assert few_images_notice(replace(DATA, validation=part([0, 1] * 50))) == ""


@pytest.mark.parametrize(
    ("values", "said"), [([0.5], "has a balanced accuracy of 0.5000"), ([0.51], "")]
)
def test_by_balanced_accuracy_the_majority_is_right_for_one_class(
    values: list[float], said: str
) -> None:
    notice = majority_notice(DATA, values, "balanced_accuracy")
    assert said in notice
    assert bool(notice) == bool(said)
