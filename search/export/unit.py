"""A model as a folder that travels: read and written here, data only, nothing that executes.

- `arch.json`: the architecture (`search/networks/ARCH_FORMAT.md` says what it means);
- `model.safetensors`: its arrays and, as metadata, all that `Packed` holds;
- `preprocess.json`: from the pixels of an image to the network's input, and the classes' names;
- `README.md`: the card, for people.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.errors import UserError, shown
from search.export.card import card
from search.export.weights import Packed, to_bytes, unpack
from search.files import canonical_json, reported, write
from search.networks.arch import to_json
from search.study.checks import Damaged, parsed, reading

ARCH, WEIGHTS, PREPROCESS, CARD = "arch.json", "model.safetensors", "preprocess.json", "README.md"
_FILES = (ARCH, WEIGHTS, PREPROCESS, CARD)
PREPROCESS_FORMAT = "convbudget-preprocess/1"
_FIX = "save the model again"


def save(folder: Path, packed: Packed) -> Packed:
    """Write a model into `folder`, made if absent, and return it with its path there.

    What the card says of the accuracy stands in `packed.accuracy` and `packed.measured`: for
    figures on the test split, `replace(packed, accuracy=mean, measured=Measured(part="test", …))`.
    A model that lies there is replaced. Raises `UserError` where the folder holds anything else,
    or cannot be written.
    """
    _refuse_strangers(folder)
    contents: dict[str, str | bytes] = {
        ARCH: to_json(packed.arch) + "\n",
        PREPROCESS: canonical_json(_preprocess(packed)) + "\n",
        CARD: card(packed),
        # Last, because `holds` looks for it.
        WEIGHTS: to_bytes(packed),
    }
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write(folder / name, content)
    return replace(packed, path=folder / WEIGHTS)


def holds(folder: Path) -> bool:
    """Return whether a model was saved in `folder`."""
    return (folder / WEIGHTS).is_file()


def read(folder: Path) -> Packed:
    """Return the model of a folder that `save` wrote.

    Raises `UserError` for a file that is missing, damaged, or of another model than the weights.
    """
    packed = unpack(folder / WEIGHTS, _FIX)
    expected = {ARCH: to_json(packed.arch), PREPROCESS: canonical_json(_preprocess(packed))}
    for name, text in expected.items():
        _agree(folder / name, text)
    return packed


def _agree(path: Path, text: str) -> None:
    with reading(path, _FIX):
        found = parsed(path.read_bytes().decode(), "the file")
        # As text, where true is no 1; not `canonical_json`, which refuses the infinity of 1e999.
        if json.dumps(found, sort_keys=True) != json.dumps(json.loads(text), sort_keys=True):
            raise Damaged(f"it is not what {WEIGHTS} beside it says")


def _preprocess(packed: Packed) -> dict[str, Any]:
    shape = packed.arch.input
    return {
        "format": PREPROCESS_FORMAT,
        "input": [shape.height, shape.width, shape.channels],
        "layout": "NHWC",
        "divide_by": 255,
        "mean": list(packed.data["mean"]),
        "std": list(packed.data["std"]),
        "data": packed.data["name"],
        "classes": list(packed.data["classes"]),
    }


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder to save the model in")
    with reported(folder):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    # Without arch.json, which is written first, a README.md is somebody's own.
    ours = _FILES if ARCH in names else ()
    for name in names:
        if name not in ours and not name.startswith(".writing-"):
            raise UserError(
                f"{folder} holds {shown(name, quoted=True)}, which is no part of a saved model;"
                " name an empty folder or a new one"
            )
