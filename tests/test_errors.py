"""Values in error messages: one printable line, never a screen, whatever was given."""

import pytest

from search.errors import UserError, shown
from search.units import MOST_MULTIPLIES, parse_multiplies


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as typed", "as typed"),
        ("two\nlines\x1b[31m\udc80", "two\\nlines\\x1b[31m\\udc80"),
        (12, "12"),
        (None, "None"),
        (["a", 1], "['a', 1]"),
        (10**5000, "<int too large to print>"),
        ([10**5000], "<list too large to print>"),
    ],
    # pytest would print the values.
    ids=range(7),
)
def test_values_are_shown_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    "value", ["x" * 100_000, "\n" * 100_000, list(range(100_000))], ids=range(3)
)
def test_long_values_are_shortened(value: object) -> None:
    text = shown(value)
    assert len(text) == 80
    assert text.count("…") == 1
    assert len(shown(value, limit=20)) == 20


def test_a_value_of_the_limit_is_whole() -> None:
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 81) == "x" * 40 + "…" + "x" * 39
    assert shown("/a/long/path/to/the/data", 12) == "/a/lon…/data"
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "<list too large to print>"


def test_quotes_tell_a_string_from_a_number() -> None:
    assert (shown("1", quoted=True), shown(1, quoted=True)) == ("'1'", "1")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("9" * 5000, "too many for a number"),
        ("0." + "1" * 5000, "too many for a number"),
        (10**5000, "the most that is counted"),
        (-(10**5000), "is negative"),
        (MOST_MULTIPLIES + 1, "the most that is counted"),
        ("1.1e18", "the most that is counted"),
        ("1e99T", "the most that is counted"),
        (1e300, "the most that is counted"),
        (float("inf"), "is not a number"),
        ("x" * 100_000, "is not a number"),
        (["1"] * 10_000, "is not a number"),
    ],
    ids=range(11),
)
def test_budgets_out_of_bounds_end_in_one_short_line(text: object, rule: str) -> None:
    with pytest.raises(UserError, match=rule) as error:
        parse_multiplies(text)  # type: ignore[arg-type]
    assert str(error.value).startswith("budget=")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_the_largest_number_of_multiplies_is_read() -> None:
    assert parse_multiplies(MOST_MULTIPLIES) == MOST_MULTIPLIES
    assert parse_multiplies(str(MOST_MULTIPLIES)) == MOST_MULTIPLIES
    assert parse_multiplies("0.9e18") == 900_000_000_000_000_000
