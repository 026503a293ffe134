"""Why a worker is of no use: how it ended, or which of its versions are not the search's."""

import re
from collections.abc import Mapping

from search.errors import UserError, shown
from search.executors.ray.actor import versions


def death(error: Exception, memory: float | None) -> str:
    """Say in a few words how an actor ended, of the paragraphs that Ray has for it.

    `memory`: the gigabytes that it might hold, None for no limit.
    """
    text = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).split())
    if "its node has died" in text or "node died" in text:
        return "was lost with its node"
    if "running low on memory" in text:
        return "was ended by Ray, for its node ran low on memory"
    if "creation task" in text:
        return f"did not start: {shown(text[-200:], 200)}"
    if "has died" in text or "died unexpectedly" in text:
        held = "" if memory is None else f"; it may have passed executor.memory={memory:g} GB"
        return f"died{held}"
    return f"was lost ({shown(text, 200)})"


def refuse_versions(node: str, found: Mapping[str, str], *, training: bool) -> None:
    """Raise `UserError` that says which versions on a node are not those of the search.

    Only what trains needs equal versions of JAX and NumPy.
    """
    own = versions()
    needed = [name for name in own if training or name in ("python", "convbudget")]
    other = [
        f"{name} {found.get(name, 'none')} instead of {own[name]}"
        for name in needed
        if found.get(name, "none") != own[name]
    ]
    if other:
        raise UserError(
            f"the workers on {node} have {', '.join(other)}; give all nodes the same versions"
        )
