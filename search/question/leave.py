"""What an answer leaves in its folder: page, figures, tables, sentences, summary."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search.files import write_all
from search.question.answer import Answer, as_json
from search.question.best import Found
from search.question.claims import claims, sentences
from search.question.figures import FIGURES
from search.question.page import page
from search.question.reading import BEST, TRIALS, Material
from search.question.summary import summary
from search.question.table import to_csv
from search.question.trainings import Training
from search.report.axes import Form, drawing, saved

_FORMS: tuple[Form, ...] = ("png", "svg")


def as_object(found: Answer) -> dict[str, Any]:
    """Return the tables and the claims made of them as plain JSON values."""
    return {**as_json(found), "claims": [asdict(one) for one in claims(found)]}


def leave(folder: Path, material: Material, found: Answer) -> None:
    """Write everything in place of an earlier answer, of which nothing stays.

    Raises `UserError` where the folder cannot be written, and leaves an earlier answer whole.
    """
    figures: dict[str, bytes | None] = {}
    for name, draw in FIGURES.items():
        with drawing():
            figure = draw(found, material.trainings)
            for form in _FORMS:
                figures[f"{name}.{form}"] = None if figure is None else saved(figure, form)
    write_all(
        folder,
        {
            TRIALS: to_csv(Training, material.trainings),
            BEST: to_csv(Found, material.best) if material.best else None,
            # Read by programs, and half as large as with indents.
            "tables.json": json.dumps(as_object(found), separators=(",", ":")) + "\n",
            "summary.md": summary(found),
            "sentences.txt": "\n".join(sentences(found)) + "\n",
            **figures,
            "question.html": page(found, material.trainings),
        },
    )
