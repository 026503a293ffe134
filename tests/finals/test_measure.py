"""The figures of a reading against counting by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.finals.measure import BINS, read, summary


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_figure_is_what_counting_gives(rows: list[tuple[int, list[float]]]) -> None:
    labels = np.array([label for label, _ in rows], np.int32)
    scores = np.array([row for _, row in rows], np.float32)
    found = read(scores, labels)
    confusion = [[0] * 3 for _ in range(3)]
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    nll = 0.0
    for label, row in zip(labels.tolist(), scores.tolist(), strict=True):
        top = max(row)
        total = sum(math.exp(value - top) for value in row)
        chances = [math.exp(value - top) / total for value in row]
        guess = row.index(top)
        confusion[label][guess] += 1
        confidence = chances[guess]
        place = next(k for k in range(BINS) if confidence <= (k + 1) / BINS or k == BINS - 1)
        bins[place].append((confidence, guess == label))
        nll -= row[label] - top - math.log(total)
    assert found.confusion.tolist() == confusion
    assert found.accuracy == pytest.approx(sum(confusion[k][k] for k in range(3)) / len(rows))
    recalls = [confusion[k][k] / sum(confusion[k]) for k in range(3) if sum(confusion[k])]
    assert found.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    assert found.nll == pytest.approx(nll / len(rows), abs=1e-9)
    # A confidence that rounding puts on the other side of an edge moves one image.
    if found.bins[:, 0].tolist() == [len(one) for one in bins]:
        gap = sum(
            abs(sum(c for c, _ in one) - sum(right for _, right in one)) for one in bins if one
        )
        assert found.ece == pytest.approx(gap / len(rows), abs=1e-9)


def test_bins_have_equal_width_and_hold_their_upper_edge() -> None:
    # Two classes: logits (a, 0) have confidence 1 / (1 + exp(-a)).
    scores = np.array([[math.log(0.8 / 0.2), 0.0], [50.0, 0.0], [0.0, 0.0]], np.float64)
    found = read(scores, np.array([0, 1, 0], np.int32))
    assert np.flatnonzero(found.bins[:, 0]).tolist() == [7, 11, 14]
    assert found.ece == pytest.approx((0.2 + 1.0 + 0.5) / 3)


def test_a_summary_pools_counts_and_averages_figures() -> None:
    labels = np.array([0, 0, 1], np.int32)
    right, wrong = np.array([[9.0, 0], [9, 0], [0, 9]]), np.array([[9.0, 0], [9, 0], [9, 0]])
    found = summary([read(right, labels), read(wrong, labels)])
    assert found["accuracies"] == pytest.approx([1, 2 / 3])
    assert found["accuracy"] == pytest.approx(5 / 6)
    assert found["accuracy_std"] == pytest.approx(math.sqrt(2) / 6)
    assert found["confusion"] == [[4, 0], [1, 1]]
    assert found["per_class"] == [1.0, 0.5]
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert sum(one["images"] for one in found["ece_bins"]) == 6
    assert found["ece_bins"][0] == {"images": 0, "confidence": None, "accuracy": None}
    alone = summary([read(right, labels)])
    assert alone["accuracy_std"] is None


def test_a_class_without_test_images_has_no_accuracy() -> None:
    found = read(np.eye(3), np.array([0, 1, 1], np.int32))
    assert found.balanced_accuracy == pytest.approx((1 + 0.5) / 2)
    assert summary([found])["per_class"] == [1.0, 0.5, None]
