"""Pages that open anywhere: scripts, style and content in one file that asks for nothing else."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Any, Literal

from search.report.content.front import FrontPage
from search.report.terminal import Rows

Kind = Literal["front", "compare", "question"]
# Apache ECharts 6.1.0 as published (echarts/dist/echarts.min.js), with its licence beside it. It
# draws on a canvas and needs no eval; plotly.js would make each page 4.8 MB.
_LIBRARY = "echarts/echarts.min.js"
_SCRIPTS: dict[Kind, tuple[str, ...]] = {
    "front": (
        *(_LIBRARY, "base.js", "charts.js", "latency.js", "card.js", "trials.js", "controls.js"),
        *("search.js", "front.js"),
    ),
    "compare": (_LIBRARY, "base.js", "charts.js", "compare.js"),
    "question": (_LIBRARY, "base.js", "charts.js", "question.js"),
}


@dataclass(frozen=True)
class TablePage:
    """A table of texts, the head first."""

    title: str
    rows: Rows


def page(content: FrontPage) -> str:
    """Return `front.html`."""
    return filled("front", content.title, content)


def filled(kind: Kind, title: str, content: Any) -> str:
    """Return the page of a kind with its content: dataclasses of what JSON knows.

    Its policy lets the page's own scripts and style run, by their hashes, and nothing else: no
    text of a study can become a script, and nothing is fetched.
    """
    scripts, style = _scripts(kind), _asset("page.css")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hashes(scripts)}",
            f"style-src {_hashes([style])}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return _asset("page.html").format(
        policy=policy,
        title=escape(f"convbudget: {title}"),
        style=style,
        content=as_json(content),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def as_json(content: Any) -> str:
    """Return JSON that can stand in a `script` element of HTML, whatever texts it holds.

    `</script>` and `<!--` would end the element or change how it is read, so `<` is escaped;
    characters beyond ASCII, among them U+2028, are escaped as well.
    """
    text = json.dumps(content, default=vars, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache
def _scripts(kind: Kind) -> Sequence[str]:
    return [_asset(name) for name in _SCRIPTS[kind]]


@lru_cache
def _asset(name: str) -> str:
    return (files("search.report") / "assets" / name).read_text(encoding="utf-8")


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
