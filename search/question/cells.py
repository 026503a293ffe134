"""The answer's tables as rows of cells, which the terminal and the page both lay out."""

from collections.abc import Sequence

from search.question.answer import Answer, AtLength
from search.question.best import LANDMARK
from search.question.claims import ENOUGH, Claim
from search.question.differences import Difference, Distance
from search.question.phrases import points, times, with_spread
from search.report.terminal import Rows
from search.units import counted, format_multiplies


def claim_rows(found: Sequence[Claim]) -> Rows:
    """Return the head and a row for each claim."""
    head = ("", "claim", "verdict", "points [95 %]", "n")
    return [
        head,
        *(
            (
                one.letter,
                one.claim,
                one.verdict,
                "–" if one.points is None else points(one.points, one.low, one.high),
                one.n or "–",
            )
            for one in found
        ),
    ]


def tables(found: Answer) -> list[tuple[str, Rows]]:
    """Return the tables that have rows, each with its title."""
    every = [("Networks", _population_rows(found))]
    for one in reversed(found.lengths):
        epochs = counted(one.epochs, "epoch")
        every += [
            (f"Differences by band of multiplies, {epochs}", _band_rows(one)),
            (f"Every pair over all shared multiplies, {epochs}", _pair_rows(one)),
            (f"At equal cost, at equal shape, {epochs}", _matched_rows(one)),
            (f"Linear models of logit accuracy, {epochs}", _model_rows(one)),
            (f"Where only some families have networks, {epochs}", _outside_rows(one)),
            (f"Time in place of multiplies, {epochs}", _time_rows(one)),
        ]
    every += [
        ("From the shorter to the longer training", _change_rows(found)),
        ("Blocks replaced at equal shape", _twin_rows(found)),
        ("The best of each kind within a budget", _best_rows(found)),
        ("Known networks, scaled to budgets", _known_rows(found)),
    ]
    return [(title, rows) for title, rows in every if len(rows) > 1]


def explanation(found: Answer) -> list[str]:
    """Say what the figures mean and what to beware of, a paragraph each."""
    lines = [
        "Differences are in points of accuracy on the validation images, the second family minus"
        " the first, with the trend over log-multiplies taken out; 95 % intervals and p-values by"
        " least squares with HC3 errors, over networks. P(better): the chance that a random network"
        " of the second is the more accurate one; Cliff's delta is twice that minus one.",
        "adj. p: adjusted by Holm for all differences of its table. Smallest shown: the true"
        " difference that a test at 5 % would find in 80 % of such samples.",
        "KS: the Kolmogorov-Smirnov distance of accuracies at matched multiplies, p by permutation"
        " of networks within strata of cost and seeds.",
        "Depth is the number of blocks, width the mean log2 of their channels; strata hold networks"
        " of up to 5, up to 8 and more blocks, with widths within a factor of two.",
        "All networks are scored on the same validation images, so the intervals speak of other"
        " networks, not of other images.",
    ]
    if found.fewest < ENOUGH and found.populations:
        lines.insert(
            0,
            f"Preliminary: the smallest population has {found.fewest} networks trained in full, and"
            f" {ENOUGH} of each kind are wanted.",
        )
    return lines


def _population_rows(found: Answer) -> Rows:
    return [
        ("family", "epochs", "networks", "failed", "from", "to"),
        *(
            (
                one.family,
                str(one.epochs),
                str(one.n),
                str(one.failed),
                format_multiplies(one.from_multiplies),
                format_multiplies(one.to_multiplies),
            )
            for one in found.populations
        ),
    ]


def _band_rows(one: AtLength) -> Rows:
    rows: Rows = [
        ("pair", "multiplies", "n", "points [95 %]", "P(better)", "adj. p", "smallest shown")
    ]
    for d in one.by_band:
        place = f"{format_multiplies(d.from_multiplies)}–{format_multiplies(d.to_multiplies)}"
        rows.append((f"{d.first} → {d.second}", place, *_difference(d)))
    return rows


def _pair_rows(one: AtLength) -> Rows:
    distances = {(d.first, d.second): d for d in one.distances}
    head = (
        "pair",
        "n",
        "points [95 %]",
        "P(better)",
        "adj. p",
        "smallest shown",
        "KS",
        "KS adj. p",
    )
    return [
        head,
        *(
            (
                f"{d.first} → {d.second}",
                *_difference(d),
                *_distance(distances.get((d.first, d.second))),
            )
            for d in one.overall
        ),
    ]


def _difference(d: Difference) -> tuple[str, ...]:
    return (
        f"{d.n_first}, {d.n_second}",
        points(d.points, d.low, d.high),
        f"{d.better:.2f}",
        p_value(d.adjusted),
        f"{d.detectable:.1f}",
    )


def _distance(one: Distance | None) -> tuple[str, str]:
    if one is None:
        return "–", "–"
    return f"{one.matched.distance:.2f}", "–" if one.adjusted is None else p_value(one.adjusted)


def p_value(p: float) -> str:
    """Return a p-value to three digits; the permutations' smallest is 0.001."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _matched_rows(one: AtLength) -> Rows:
    rows: Rows = [("pair", "equal in", "n", "strata", "points [95 %]", "multiplies")]
    for m in one.matched:
        figure = "–" if m.points is None else points(m.points, m.low, m.high)
        ratio = "–" if m.ratio is None else f"{100 * m.ratio:.0f} %"
        rows.append(
            (
                f"{m.first} → {m.second}",
                m.on,
                f"{m.n_first}, {m.n_second}",
                str(m.strata),
                figure,
                ratio,
            )
        )
    return rows


def _model_rows(one: AtLength) -> Rows:
    rows: Rows = [("model", "term", "logits [95 %]", "p", "inflation")]
    for model in one.models:
        f = model.fit
        rows.append(
            (
                f"{model.name}: {model.about}",
                f"n {f.n}, R² {f.r_squared:.2f}, equal spread p {p_value(f.spread_p)}, normal"
                f" residuals p {p_value(f.normal_p)}",
                "",
                "",
                "",
            )
        )
        rows += [
            (
                "",
                term.name,
                f"{term.value:+.3f} [{term.low:.3f}, {term.high:.3f}]",
                p_value(term.p),
                f"{term.inflation:.1f}",
            )
            for term in f.terms
            if term.name != "constant"
        ]
    return rows


def _outside_rows(one: AtLength) -> Rows:
    return [
        ("family", "side", "n", "from", "to", "mean accuracy"),
        *(
            (
                o.family,
                o.side,
                str(o.n),
                format_multiplies(o.from_multiplies),
                format_multiplies(o.to_multiplies),
                f"{o.accuracy:.4f}",
            )
            for o in one.outside
        ),
    ]


def _time_rows(one: AtLength) -> Rows:
    return [
        (
            "pair",
            "measured by",
            "n",
            "time at equal multiplies",
            "points at equal time [95 %]",
        ),
        *(
            (
                f"{t.first} → {t.second}",
                t.measured,
                f"{t.n_first}, {t.n_second}",
                f"× {times(t.slower)}",
                points(t.points.value, t.points.low, t.points.high),
            )
            for t in one.in_time
        ),
    ]


def _change_rows(found: Answer) -> Rows:
    head = ("pair", "n", "change in points [95 %]", "P(gains more)", "adj. p", "smallest shown")
    changes = found.change.changes if found.change else []
    return [head, *((f"{d.first} → {d.second}", *_difference(d)) for d in changes)]


def _twin_rows(found: Answer) -> Rows:
    rows: Rows = [
        ("replaced", "epochs", "multiplies", "n", "points [95 %]", "multiplies left", "params left")
    ]
    for one in found.twins:
        for loss in (one.whole, *one.by_size):
            rows.append(
                (
                    f"{loss.first} → {loss.second}",
                    str(loss.epochs),
                    f"{format_multiplies(loss.from_multiplies)}–{format_multiplies(loss.to_multiplies)}",
                    str(loss.n),
                    points(loss.points, loss.low, loss.high),
                    f"{100 * loss.ratio:.0f} %",
                    f"{100 * loss.params_ratio:.0f} %",
                )
            )
    return rows


def _best_rows(found: Answer) -> Rows:
    rows: Rows = [("within", "family", "multiplies", "accuracy", "seeds", "measured on", "test")]
    for one in found.best:
        best = one.found
        where = f"{best.unseen:,} unseen images" if best.unseen else "validation images"
        rows.append(
            (
                f"≤ {format_multiplies(one.budget)}",
                best.family if best.family != LANDMARK else f"zoo: {best.name}",
                format_multiplies(best.multiplies),
                with_spread(best.accuracy, best.accuracy_std),
                str(best.seeds),
                where,
                with_spread(best.test_accuracy, best.test_accuracy_std),
            )
        )
    return rows


def _known_rows(found: Answer) -> Rows:
    rows: Rows = [("network", "within", "multiplies", "accuracy", "measured on", "test")]
    for one in found.known:
        rows.append(
            (
                one.name,
                f"≤ {format_multiplies(one.budget)}",
                format_multiplies(one.multiplies),
                with_spread(one.accuracy, one.accuracy_std),
                "validation images",
                with_spread(one.test_accuracy, one.test_accuracy_std),
            )
        )
    return rows
