"""The card of a model: what it is, how good, what it costs and how to use it, in Markdown."""

import json
import math
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from search.errors import shown
from search.export.weights import Measured, Packed
from search.networks.cost import cost_of
from search.networks.decisions import short_form
from search.study.info import CONFIRMATION_IMAGES
from search.units import counted

_BYTES = 4
_SAVED = """Without convbudget: `arch.json` describes the network, `model.safetensors` holds its
arrays, `preprocess.json` says how pixels become its input."""
_OF_STUDY = """Without convbudget: the `.safetensors` file of the same name holds its arrays and, as
metadata, its description and how pixels become its input."""
# Class names on a card; preprocess.json has all of them.
_NAMES = 100
_VERSIONS = ("convbudget", "jax", "flax")
# Everything that CommonMark gives a meaning, and $, which GitHub renders as mathematics.
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$:@^=\"'])")


def card(packed: Packed, study: str | None = None) -> str:
    """Return the model card of `packed`; names that others typed are escaped.

    `study` is the name of the study that it is one of; None where it has a folder of its own.
    """
    arch, cost = packed.arch, cost_of(packed.arch)
    sizes = [str(size) for size in vars(arch.input).values()]
    peak = cost.peak_activation
    rows = [
        ("architecture", f"`{arch.id}`: {short_form(arch)}"),
        ("input", f"{'×'.join(sizes)} (height, width, channels), pixels from 0 to 255"),
        ("data", escaped(str(packed.data["name"]))),
        *((escaped(name), text) for name, text in figures(packed)),
        ("multiplies for one image", f"{cost.multiplies:,}"),
        ("parameters", f"{cost.params:,} ({_size(cost.weight_bytes)} in float32)"),
        ("peak activation memory", f"{peak:,} numbers ({_size(_BYTES * peak)} in float32)"),
        ("classes", _classes(packed.data["classes"])),
    ]
    table = "\n".join(f"| {key} | {value} |" for key, value in rows)
    where, files = '"THIS/FOLDER"', _SAVED
    if study is not None:
        where, files = f'{json.dumps(shown(study))}, id="{arch.id}"', _OF_STUDY
    return f"""# Image classifier {arch.id}

Found and trained by convbudget.

| | |
|---|---|
{table}

## Use

`pip install convbudget`, then

```python
import search

model = search.load({where})
print(model.classes[model.predict(image)])  # image: uint8 [{", ".join(sizes)}]
```

{files}
convbudget's `ARCH_FORMAT.md` defines them.

## Limits

The accuracy holds for images like those of the data named above. That data's licence may bind those
who use or pass on this model; convbudget doesn't know it: look it up.{_chosen(packed.measured)}

Written by {", ".join(_versions())}.
"""


def figures(packed: Packed) -> list[tuple[str, str]]:
    """Return what was measured, as (name, text), and on which part of the data.

    Names are as they were given, for the caller to escape.
    """
    measured = packed.measured
    counts = {"confirmation": packed.data.get(CONFIRMATION_IMAGES), **packed.data.get("images", {})}
    count = counts.get(measured.part)
    images = f" ({count:,} images)" if isinstance(count, int) else ""
    accuracy = accuracy_text(packed.accuracy, measured)
    found = [(f"accuracy on the {measured.part} part{images}", accuracy)]
    found += [
        (f"{name.replace('_', ' ')} on the {measured.part} part", f"{value:.4f}")
        for name, value in sorted(measured.details.items())
    ]
    if measured.epochs is not None:
        length = counted(measured.epochs, "epoch")
        found.append(("training", f"{length}, seed {measured.seed}"))
    return found


def accuracy_text(accuracy: float, measured: Measured) -> str:
    """Return an accuracy with its spread over seeds, as far as it is known.

    The interval is Student's, as in `convbudget compare`.
    """
    deviation, count = measured.accuracy_std, measured.seeds
    if count < 2 or deviation is None:
        return f"{accuracy:.4f} (one seed, so no interval)"
    text = f"{accuracy:.4f}, mean over {count} seeds, standard deviation {deviation:.4f}"
    try:
        from scipy.special import stdtrit
    # Loading and saving a model must not need SciPy.
    except ImportError:
        return text
    half = float(stdtrit(count - 1, 0.975)) * deviation / math.sqrt(count)
    return f"{text}, 95 % interval [{accuracy - half:.4f}, {accuracy + half:.4f}]"


def escaped(text: str) -> str:
    """Return a text that strangers typed so that Markdown shows it and does not obey it."""
    return _MARKUP.sub(r"\\\1", shown(text, 200))


def _chosen(measured: Measured) -> str:
    if measured.part != "validation":
        return ""
    # Fresh seeds on the same images do not tell how much of the figure is the choice.
    how = "confirm.fraction=0.1 confirm.seeds=3" if measured.seeds > 1 else "confirm.seeds=3"
    return f"""
The network was chosen among many by its accuracy on this very part, which is therefore too high on
average; `convbudget run {how}` or a test split tells by how much."""


def _classes(names: Sequence[str]) -> str:
    shown_names = ", ".join(map(escaped, names[:_NAMES]))
    more = len(names) - _NAMES
    return f"{len(names)}: {shown_names}" + (f" and {more} more" if more > 0 else "")


def _size(count: int) -> str:
    return f"{count / 1000:,.1f} kB"


def _versions() -> list[str]:
    found = []
    for name in _VERSIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} of unknown version")
    return found
