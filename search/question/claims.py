"""The six claims, each with its verdict: sentences made of the tables' figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from search.question.answer import Answer, AtLength
from search.question.crossing import Curve
from search.question.differences import Difference
from search.question.phrases import between, crossing, points, said, times
from search.question.shapes import MatchedOn
from search.question.trainings import MIXED
from search.units import counted, format_multiplies

Verdict = Literal["holds", "does not hold", "undecided", "not measured"]
# Networks of each kind below which an answer is called preliminary.
ENOUGH = 100
_CHEAP = ("separable", MIXED)


@dataclass(frozen=True)
class Claim:
    """One claim: what it says, whether it holds, and the sentence with the figures for it.

    `points`, `low`, `high`: the main figure in points of accuracy with its 95 % interval; `n`: the
    networks behind it, as text. None and empty where there is no such figure.
    """

    letter: str
    claim: str
    verdict: Verdict
    finding: str
    points: float | None = None
    low: float | None = None
    high: float | None = None
    n: str = ""


def claims(answer: Answer) -> list[Claim]:
    """Return the claims (a) to (f) and what the length of training changes."""
    return [
        _exercise(answer),
        _replaced(answer),
        _equal_cost(answer),
        _explained(answer),
        _large(answer),
        _placed(answer),
        _order(answer),
        _length(answer),
    ]


def sentences(answer: Answer) -> list[str]:
    """Return ten sentences: what was compared, each finding, and where the answer ends.

    One more where it was measured how long the networks take.
    """
    findings = [] if answer.longest is None else [one.finding for one in claims(answer)]
    return [compared(answer), *findings, *limits(answer)]


def limits(answer: Answer) -> list[str]:
    """Say what holds in time instead of multiplies, and where the answer ends."""
    long = answer.longest
    return [] if long is None else [*_in_time(long), _limits(answer, long)]


def compared(answer: Answer) -> str:
    """Say which networks were trained on what, and whether they are enough."""
    longest = max((one.epochs for one in answer.populations), default=0)
    counts = ", ".join(f"{p.n} {p.family}" for p in answer.populations if p.epochs == longest)
    epochs = " and ".join(str(one.epochs) for one in answer.lengths) or str(longest)
    note = "" if answer.fewest >= ENOUGH else "; until there are 100 of each it is preliminary"
    return (
        f"Networks drawn evenly over log-multiplies from one space, {counts}, were trained on"
        f" {', '.join(answer.data)} for {epochs} epochs{note}."
    )


def _exercise(answer: Answer) -> Claim:
    one = answer.exercise
    parts = one.separable_params / one.conv_params
    cost = one.separable_multiplies / one.conv_multiplies
    return Claim(
        "a",
        "A separable convolution has a fraction of a standard one's parameters and multiplies",
        "holds",
        f"From 3 to 128 channels, 3×3 with biases, a separable convolution has"
        f" {one.separable_params:,} parameters and a standard one {one.conv_params:,}:"
        f" {100 * parts:.0f} %, and {100 * cost:.0f} % of its multiplies.",
    )


def _replaced(answer: Answer) -> Claim:
    text = "Replacing the standard blocks of a small network by separable ones loses accuracy"
    if not answer.twins:
        return Claim(
            "b",
            text,
            "not measured",
            "What replacing the blocks of one and the same network loses is not measured yet"
            " (convbudget run experiment=question_pairs).",
        )
    found = answer.twins[-1]
    whole, small, large = found.whole, found.by_size[0], found.by_size[-1]
    seeds = f"{counted(whole.seeds, 'seed')} each"
    verdict: Verdict = "undecided"
    if whole.high is not None and whole.high < 0:
        verdict = "holds"
    elif whole.low is not None and whole.low > 0:
        verdict = "does not hold"
    return Claim(
        "b",
        text,
        verdict,
        f"With every {whole.first} block replaced by a {whole.second} one at equal shape, leaving"
        f" {100 * whole.ratio:.0f} % of the multiplies, accuracy changes by"
        f" {points(whole.points, whole.low, whole.high)} points (n = {whole.n} networks,"
        f" {seeds}): {points(small.points, small.low, small.high)} at"
        f" {between(small.from_multiplies, small.to_multiplies)} and"
        f" {points(large.points, large.low, large.high)} at"
        f" {between(large.from_multiplies, large.to_multiplies)}.",
        whole.points,
        whole.low,
        whole.high,
        f"{whole.n} pairs",
    )


def _equal_cost(answer: Answer) -> Claim:
    text = "At equal multiplies separable or mixed networks win over standard ones"
    long = answer.longest
    found = [
        one
        for one in (long.overall if long else ())
        if one.first == "conv" and one.second in _CHEAP
    ]
    if long is None or not found:
        return Claim(
            "c", text, "not measured", "No two families can be compared at equal cost yet."
        )
    winners = [one for one in found if one.found and one.points > 0]
    level = [one for one in found if not one.found]
    # The figure that the verdict rests on.
    main = (winners or level or found)[0]
    verdict: Verdict = "holds" if winners else "undecided" if level else "does not hold"
    return Claim(
        "c",
        text,
        verdict,
        f"At equal multiplies, over {between(long.low, long.high)}: {'; '.join(map(said, found))}.",
        main.points,
        main.low,
        main.high,
        _counts(main),
    )


def _pick(rows: Sequence[MatchedOn], second: str, on: str) -> MatchedOn | None:
    return next((one for one in rows if one.second == second and one.on == on), None)


def _explained(answer: Answer) -> Claim:
    text = "They win because the multiplies they save buy depth and width"
    long = answer.longest
    rows = long.matched if long else []
    free = _pick(rows, "separable", "multiplies")
    shape = _pick(rows, "separable", "depth and width")
    if free is None or shape is None or free.points is None or shape.points is None:
        return Claim(
            "d",
            text,
            "not measured",
            "Too few networks share depth and width to say what explains it.",
        )
    verdict: Verdict = "undecided"
    # The figure that the verdict rests on.
    main = free
    if free.high is not None and free.high < 0:
        # They do not win.
        verdict = "does not hold"
    elif free.low is not None and free.low > 0 and shape.low is not None and shape.high is not None:
        main = shape
        verdict = "holds" if shape.high < 0 else "does not hold" if shape.low > 0 else "undecided"
    both = _pick(rows, "separable", "multiplies, depth and width")
    rest = "too few share all three to compare"
    if both is not None and both.points is not None:
        rest = f"{points(both.points, both.low, both.high)} at all three equal"
    ratio = "" if shape.ratio is None else f", with {100 * shape.ratio:.0f} % of the multiplies"
    return Claim(
        "d",
        text,
        verdict,
        f"Against {free.first}, separable networks stand at"
        f" {points(free.points, free.low, free.high)} points at equal multiplies,"
        f" {points(shape.points, shape.low, shape.high)} at equal depth and width{ratio}"
        f" (n = {shape.n_first} and {shape.n_second}), and {rest}.",
        main.points,
        main.low,
        main.high,
        _counts(main),
    )


def _large(answer: Answer) -> Claim:
    text = "With a large budget standard networks win"
    long = answer.longest
    curves = long.curves if long else []
    one = next((c for c in curves if (c.first, c.second) == ("conv", "separable")), None)
    if one is None:
        return Claim(
            "e", text, "not measured", "Too few networks to follow the difference over cost."
        )
    last = one.regions[-1] if one.regions else None
    top = last is not None and last.to_multiplies >= round(one.multiplies[-1])
    verdict: Verdict = "undecided"
    if last is not None and top:
        verdict = "holds" if last.sign < 0 else "does not hold"
    return Claim(
        "e",
        text,
        verdict,
        f"At {format_multiplies(round(one.multiplies[-1]))} multiplies separable networks stand at"
        f" {points(one.points[-1], one.band_low[-1], one.band_high[-1])} points against standard"
        f" ones, at {format_multiplies(round(one.multiplies[0]))} at"
        f" {points(one.points[0], one.band_low[0], one.band_high[0])} (95 % band of the whole"
        f" curve); {crossing(one)}.",
        one.points[-1],
        one.band_low[-1],
        one.band_high[-1],
        _counts(one),
    )


def _placed(answer: Answer) -> Claim:
    text = "In a mixed network it matters whether standard blocks come early or late"
    place = answer.longest.place if answer.longest else None
    if place is None:
        return Claim(
            "f", text, "not measured", "Too few mixed networks to say where blocks belong."
        )
    term = place.place
    return Claim(
        "f",
        text,
        "holds" if term.low > 0 or term.high < 0 else "undecided",
        f"Among mixed networks of equal multiplies and share of standard convolutions, moving the"
        f" standard blocks from the first places to the last changes accuracy by"
        f" {points(term.value, term.low, term.high)} points (n = {place.n};"
        f" {term.detectable:.1f} is the smallest that 80 % of samples would show).",
        term.value,
        term.low,
        term.high,
        f"{place.n} {MIXED}",
    )


def _order(answer: Answer) -> Claim:
    text = "It matters whether the pointwise or the depthwise convolution comes first"
    rows = answer.longest.overall if answer.longest else []
    one = next((d for d in rows if {d.first, d.second} == {"separable", "blueprint"}), None)
    standard = next((d for d in rows if {d.first, d.second} == {"conv", "blueprint"}), None)
    beside = "" if standard is None else f"; {said(standard)}"
    if one is None:
        return Claim(
            "f", text, "not measured", "Separable and blueprint blocks are not compared yet."
        )
    return Claim(
        "f",
        text,
        "holds" if one.found else "undecided",
        f"Depthwise first (separable) or pointwise first (blueprint), at equal multiplies:"
        f" {said(one)}{beside}.",
        one.points,
        one.low,
        one.high,
        _counts(one),
    )


def _length(answer: Answer) -> Claim:
    text = "The answer depends on the length of training"
    change = answer.change
    found = (
        []
        if change is None
        else [one for one in change.changes if one.first == "conv" and one.second in _CHEAP]
    )
    if change is None or not found:
        few = "Too few networks were trained at two lengths to say what the length changes."
        return Claim("epochs", text, "not measured", few)
    clauses = [
        f"{points(one.points, one.low, one.high)} for {one.second}"
        f" (n = {one.n_first} and {one.n_second})"
        for one in found
    ]
    main = next((one for one in found if one.found), found[0])
    return Claim(
        "epochs",
        text,
        "holds" if any(one.found for one in found) else "undecided",
        f"From {change.short} to {change.long} epochs the difference to standard networks changes"
        f" by {' and '.join(clauses)} points, network by network.",
        main.points,
        main.low,
        main.high,
        _counts(main),
    )


def _counts(one: Difference | MatchedOn | Curve) -> str:
    return f"{one.n_first} {one.first}, {one.n_second} {one.second}"


def _in_time(long: AtLength) -> list[str]:
    """Say how long families take beside the first one, in the way that was measured first."""
    alike = [one for one in long.in_time if one.measured == long.in_time[0].measured]
    if not alike:
        return []
    slower = [times(one.slower) for one in alike]
    levels = [points(one.points.value, one.points.low, one.points.high) for one in alike]
    names = [one.second for one in alike]
    taken = [f"{names[0]} networks take {slower[0]} times as long as {alike[0].first} ones"]
    taken += [f"{name} {time}" for name, time in zip(names[1:], slower[1:], strict=True)]
    apart = [f"{level} ({name})" for name, level in zip(names, levels, strict=True)]
    return [
        f"Multiplies are not time: at equal multiplies, run by {alike[0].measured},"
        f" {', '.join(taken)}; at equal time they differ by {', '.join(apart)} points."
    ]


def _limits(answer: Answer, long: AtLength) -> str:
    alone = sum(one.n for one in long.outside)
    return (
        f"All this is for {', '.join(answer.data)}, one recipe of training and random networks"
        f" of {between(long.low, long.high)}, the range that every family reaches; {alone}"
        " networks outside it are reported apart and compared with none."
    )
