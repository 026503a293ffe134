"""What an answer leaves in its folder: page, figures, tables, sentences, summary."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search.files import write
from search.question.answer import Answer, as_json
from search.question.best import Found
from search.question.claims import claims, sentences
from search.question.figures import FIGURES
from search.question.page import page
from search.question.reading import BEST, TRIALS, Material
from search.question.summary import summary
from search.question.table import to_csv
from search.question.trainings import Training
from search.report.axes import drawing, saved


def as_object(found: Answer) -> dict[str, Any]:
    """Return the tables and the claims made of them as plain JSON values."""
    return {**as_json(found), "claims": [asdict(one) for one in claims(found)]}


def leave(folder: Path, material: Material, found: Answer) -> None:
    """Write everything; raises `UserError` where the folder cannot be written."""
    write(folder / TRIALS, to_csv(Training, material.trainings))
    if material.best:
        write(folder / BEST, to_csv(Found, material.best))
    write(folder / "tables.json", json.dumps(as_object(found), indent=1) + "\n")
    write(folder / "summary.md", summary(found))
    write(folder / "sentences.txt", "\n".join(sentences(found)) + "\n")
    for name, draw in FIGURES.items():
        with drawing():
            figure = draw(found, material.trainings)
            if figure is not None:
                write(folder / f"{name}.png", saved(figure, "png"))
                write(folder / f"{name}.svg", saved(figure, "svg"))
    write(folder / "question.html", page(found, material.trainings))
