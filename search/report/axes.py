"""What all drawings share: matplotlib without global state, an axis of multiplies, saving."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from search.errors import UserError, shown
from search.units import format_multiplies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form = Literal["png", "svg", "pdf"]


@contextmanager
def drawing() -> Iterator[None]:
    """Draw labels as they are, in the same bytes each time: around making and saving a figure.

    Without it matplotlib reads `$…$` in a label as mathematics, and fails where that is invalid.
    A character that its font lacks is drawn as a box, without a warning for each.
    """
    from matplotlib import rc_context

    with (
        warnings.catch_warnings(),
        rc_context(
            {
                "text.parse_math": False,
                "svg.fonttype": "none",  # text stays text
                "pdf.fonttype": 42,  # TrueType, which journals ask for
                "svg.hashsalt": "convbudget",
                "font.size": 10,
            }
        ),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of so many inches."""
    # Not by pyplot, which would look for a display and keep every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def logarithmic_multiplies(axes: "Axes") -> None:
    """Make the x-axis logarithmic, with ticks such as `50k`."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    def between(x: float, _: object) -> str:
        """Label some digits more where the axis is too short for three of 1, 2 and 5."""
        low, high = axes.get_xlim()
        digit = round(x / 10 ** math.floor(math.log10(x)))
        return format_multiplies(round(x)) if high < 5 * low and digit in (3, 4, 6, 8) else ""

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_multiplies(round(x))))
    axes.xaxis.set_minor_formatter(FuncFormatter(between))


def saved(figure: "Figure", form: Form = "png") -> bytes:
    """Return the figure as a file of that form, without a date: equal figures are equal files."""
    target = io.BytesIO()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    figure.savefig(target, format=form, metadata=undated[form])
    return target.getvalue()


def form_of(path: Path) -> Form:
    """Return the form that a picture's name asks for; raises `UserError` for another ending."""
    for form in get_args(Form):
        if path.suffix.lower() == f".{form}":
            return cast(Form, form)
    raise UserError(
        f"{shown(str(path))} is no picture's name; it must end in .png, .svg or .pdf, as front.svg"
    )
