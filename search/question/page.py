"""`question.html`: the claims, the populations, and the difference over cost, on one page."""

from dataclasses import dataclass

from search.question.answer import Answer, AtLength
from search.question.cells import explanation, tables
from search.question.claims import Claim, claims, compared, limits
from search.question.crossing import Curve
from search.question.differences import by_family
from search.question.trainings import Training
from search.report.page import TablePage, filled


@dataclass(frozen=True)
class FamilyPage:
    """The networks of one family: multiplies and accuracy of each."""

    name: str
    networks: list[tuple[int, float]]  # [networks]


@dataclass(frozen=True)
class LengthPage:
    """One length of training; `curves` are against the first family."""

    epochs: int
    families: list[FamilyPage]
    curves: list[Curve]
    bands: list[list[tuple[float, float, float, float]]]  # [curves][bands]: cost, points, ends


@dataclass(frozen=True)
class QuestionPage:
    """The content of `question.html`, the longest training first."""

    title: str
    summary: list[str]
    claims: list[Claim]
    lengths: list[LengthPage]
    residuals: list[tuple[float, float]]  # [networks]: fitted logit, residual
    tables: list[TablePage]
    definitions: list[str]


def page(found: Answer, trainings: list[Training]) -> str:
    """Return `question.html`."""
    content = question_page(found, trainings)
    return filled("question", content.title, content)


def question_page(found: Answer, trainings: list[Training]) -> QuestionPage:
    """Return the content of the page."""
    lines = explanation(found)
    preliminary = [line for line in lines if line.startswith("Preliminary")]
    return QuestionPage(
        "Standard, separable or mixed at equal multiplies?",
        [compared(found), *limits(found), *preliminary],
        claims(found),
        [_length(one, trainings) for one in reversed(found.lengths)],
        residuals(found),
        [TablePage(title, rows) for title, rows in tables(found)],
        lines[len(preliminary) :],
    )


def residuals(found: Answer) -> list[tuple[float, float]]:
    """Return fitted logits and residuals of the model with families, depth and width."""
    long = found.longest
    for model in long.models if long else []:
        if model.name == "families and shape":
            return list(zip(model.fit.fitted, model.fit.residuals, strict=True))
    return []


def _length(one: AtLength, trainings: list[Training]) -> LengthPage:
    families = by_family(trainings, one.epochs)
    first = next(iter(families))
    curves = [each for each in one.curves if each.first == first]
    return LengthPage(
        one.epochs,
        [
            FamilyPage(name, [(each.multiplies, each.accuracy) for each in own])
            for name, own in families.items()
        ],
        curves,
        [band_points(one, curve) for curve in curves],
    )


def band_points(one: AtLength, curve: Curve) -> list[tuple[float, float, float, float]]:
    """Return each band's middle cost, its difference in points and the ends of its interval."""
    return [
        ((d.from_multiplies * d.to_multiplies) ** 0.5, d.points, d.low, d.high)
        for d in one.by_band
        if (d.first, d.second) == (curve.first, curve.second)
    ]
