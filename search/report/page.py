"""The front as one page that opens anywhere: the picture inside it, no script, no network."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from search.report.table import accuracy
from search.study.trials import FrontEntry
from search.units import format_multiplies

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
"""


def page(content: Mapping[str, Any], found: Sequence[FrontEntry], picture: bytes) -> str:
    """Return the HTML; `content` is what `front.json` says, `picture` the PNG."""
    info = content["facts"]
    confirmed = content.get("confirmed", False)
    rows = "\n".join(_row(row, confirmed) for row in found)
    searched = "<th>in search</th>" if confirmed else ""
    fresh = (
        " Accuracies are means over fresh seeds ± their standard deviation; <i>in search</i> is"
        " what the search had measured."
        if confirmed
        else ""
    )
    encoded = base64.b64encode(picture).decode()
    title = escape(f"Front of {content['study']}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
<p>{content["trials"]} trials within {format_multiplies(info["high"])} multiplies;
hypervolume {content["hypervolume"]:.4f}.{fresh}</p>
<p><img alt="Accuracy over multiplies" src="data:image/png;base64,{encoded}"></p>
<table>
<tr><th>arch</th><th>multiplies</th><th>params</th><th>accuracy</th>{searched}<th>blocks</th></tr>
{rows}
</table>
</body>
</html>
"""


def _row(row: FrontEntry, confirmed: bool) -> str:
    cells = (
        row.arch_id,
        f"{row.multiplies:,}",
        "" if row.params is None else f"{row.params:,}",
        accuracy(row),
        *((f"{row.search_accuracy:.4f}",) if confirmed else ()),
        row.ops or row.value,
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
