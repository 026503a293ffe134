"""Stratified splits against a slow oracle, and the statistics against NumPy's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.data.split import content_key, fingerprint, histogram, mean_and_std, partition
from search.errors import UserError

CLASSES = ("a", "b", "c")
COUNTS = st.lists(st.integers(2, 12), min_size=3, max_size=3)


def labelled(counts: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    keys = generator.integers(0, 2**63, len(labels), dtype=np.uint64)
    order = generator.permutation(len(labels))
    return labels[order], keys[order]


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.floats(0.05, 0.95), st.integers(0, 5))
def test_every_class_gives_its_share(counts: list[int], fraction: float, seed: int) -> None:
    labels, keys = labelled(counts, seed)
    if not 0 < int(fraction * max(counts) + 0.5) < max(counts):
        with pytest.raises(UserError, match=r"data\.validation_fraction=.* every class empty"):
            partition(
                labels, keys, fraction=fraction, seed=seed, classes=CLASSES, part="validation"
            )
        return
    rest, chosen = partition(
        labels, keys, fraction=fraction, seed=seed, classes=CLASSES, part="validation"
    )
    assert sorted([*rest, *chosen]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        taken = int((labels[chosen] == label).sum())
        assert 1 <= taken < count
        assert taken == min(max(int(fraction * count + 0.5), 1), count - 1)


@settings(max_examples=30, deadline=None)
@given(COUNTS, st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(counts, seed, random) -> None:  # type: ignore[no-untyped-def]
    labels, keys = labelled(counts, seed)
    order = list(range(len(labels)))
    random.shuffle(order)
    kwargs = {"fraction": 0.3, "seed": seed, "classes": CLASSES, "part": "validation"}
    _, first = partition(labels, keys, **kwargs)
    _, second = partition(labels[order], keys[order], **kwargs)
    assert sorted(keys[first]) == sorted(keys[order][second])


def test_seeds_differ_and_repeat() -> None:
    labels, keys = labelled([100, 100, 100], 0)

    def chosen(seed: int) -> list[int]:
        arguments = {"fraction": 0.2, "classes": CLASSES, "part": "validation"}
        return partition(labels, keys, seed=seed, **arguments)[1].tolist()

    assert chosen(0) == chosen(0)
    overlap = len(set(chosen(0)) & set(chosen(1)))
    # Two independent fifths of 300 share 12 images on average.
    assert overlap < 30


def test_a_single_image_can_not_be_in_two_parts() -> None:
    labels, keys = labelled([5, 1, 4], 0)
    with pytest.raises(UserError, match="class 'b' has 1 image"):
        partition(labels, keys, fraction=0.1, seed=0, classes=CLASSES, part="validation")


@pytest.mark.parametrize("fraction", [1e-9, 0.004, 0.996, 1 - 1e-9])
def test_a_fraction_that_empties_a_part_is_refused_with_the_range(fraction: float) -> None:
    labels, keys = labelled([100, 40, 10], 0)
    arguments = {"seed": 0, "classes": CLASSES, "part": "validation"}
    with pytest.raises(UserError, match=r"has 100 images; set it between 0\.01 and 0\.99"):
        partition(labels, keys, fraction=fraction, **arguments)
    for allowed in (0.01, 0.99):
        rest, chosen = partition(labels, keys, fraction=allowed, **arguments)
        assert all(np.bincount(labels[part]).min() > 0 for part in (rest, chosen))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=30), st.floats(0.2, 0.8), st.integers(0, 9))
def test_equal_images_of_a_class_stay_together(
    kinds: list[int], fraction: float, seed: int
) -> None:
    keys = np.array([0, 1, *kinds], np.uint64)
    labels = np.zeros(len(keys), np.int32)
    rest, chosen = partition(
        labels, keys, fraction=fraction, seed=seed, classes=("a",), part="validation"
    )
    assert len(rest)
    assert len(chosen)
    assert not set(keys[rest]) & set(keys[chosen])
    largest = max(np.unique(keys, return_counts=True)[1])
    assert abs(len(chosen) - fraction * len(keys)) <= largest


def test_a_class_of_one_image_many_times_is_still_divided() -> None:
    labels, keys = np.zeros(10, np.int32), np.zeros(10, np.uint64)
    rest, chosen = partition(labels, keys, fraction=0.2, seed=0, classes=("a",), part="validation")
    assert (len(rest), len(chosen)) == (8, 2)


def test_a_class_without_images_is_left_alone() -> None:
    labels, keys = labelled([5, 0, 4], 0)
    rest, chosen = partition(labels, keys, fraction=0.2, seed=0, classes=CLASSES, part="validation")
    assert len(rest) + len(chosen) == 9


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_statistics(channels: int) -> None:
    images = np.random.default_rng(channels).integers(0, 256, (50, 6, 4, channels), np.uint8)
    mean, std = mean_and_std(histogram(images))
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_channel_of_one_colour_is_not_divided_by_zero() -> None:
    assert mean_and_std(histogram(np.full((3, 2, 2, 1), 51, np.uint8))) == ((0.2,), (1.0,))


def test_fingerprints_see_shape_pixels_and_labels() -> None:
    images = np.zeros((4, 2, 3, 1), np.uint8)
    labels = np.zeros(4, np.int32)
    changed = images.copy()
    changed[3, 1, 2, 0] = 1
    found = {
        fingerprint(images, labels),
        fingerprint(images.reshape(4, 3, 2, 1), labels),
        fingerprint(changed, labels),
        fingerprint(images, np.array([0, 0, 0, 1], np.int32)),
    }
    assert len(found) == 4


def test_equal_images_have_equal_keys() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert content_key(image) == content_key(image.copy())
    assert content_key(image) != content_key(image + 1)


def test_a_share_of_a_larger_whole() -> None:
    labels, keys = labelled([80, 40], 0)
    arguments = {"seed": 0, "classes": CLASSES[:2], "part": "confirmation", "share": 0.8}
    _, chosen = partition(labels, keys, fraction=0.2, **arguments)
    assert np.bincount(labels[chosen]).tolist() == [20, 10]
    with pytest.raises(UserError, match=r"confirm\.fraction=0\.8 leaves .* 80 images.*and 0\.79"):
        partition(labels, keys, fraction=0.8, **arguments)
