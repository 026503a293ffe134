"""The front as one page that opens anywhere, the picture inside it."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from search.report.html import document, paragraph, table
from search.report.table import explanation, front_rows, summary, text_columns, title
from search.study.trials import FrontEntry


def page(content: Mapping[str, Any], found: Sequence[FrontEntry], picture: bytes) -> str:
    """Return the HTML; `content` is what `front.json` says, `picture` the PNG."""
    encoded = base64.b64encode(picture).decode()
    image = f'<img alt="Accuracy over multiplies" src="data:image/png;base64,{encoded}">'
    rows = front_rows(content, found, exact=True)
    body = [
        paragraph(summary(content, found)),
        f"<p>{image}</p>",
        table(rows, left=text_columns(rows)),
        *map(paragraph, explanation(content, found)),
    ]
    return document(title(content), body)
