"""The files that are damaged, made of the kept study of format 1, and who reads them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.damage import BYTES, edit_cell, edit_json, edit_weights

from search.compare import studies
from search.export import unit
from search.export.load import load
from search.export.weights import Packed, pack, unpack
from search.networks.arch import from_json
from search.study.study import Study
from search.study.tables import export, read_front

KEPT = Path(__file__).parents[1] / "study" / "format1"


@dataclass(frozen=True)
class Target:
    """One kind of file and one of its readers.

    `exact`: whether any change must be found; `share`: how many attacks it gets among all.
    """

    title: str
    file: str
    read: Callable[[Path], Any]
    ways: tuple[Callable[..., None], ...]
    exact: bool = True
    share: int = 1


def make(folder: Path) -> dict[str, Path]:
    """Make healthy studies under `folder`: of format 1, of format 2, a front and a saved model."""
    first, second, front, model = (folder / name for name in ("first", "second", "front", "model"))
    shutil.copytree(KEPT / "own", first)
    shutil.copytree(KEPT / "digits", second)
    with Study.read(second) as study:
        settings, info = study.settings, study.info
    computed = {"platform": "cpu", "precision": "float32", "jax": "0"}
    with Study.open(second, settings, info, computed=computed) as study:
        _, members = export(study, study.trials())
        # Tests only read the smallest: building a network is slow.
        arrays = unpack(second / weights()).arrays
        study.write(weights(), pack(arrays, members[0], info))
    front.mkdir()
    shutil.copy(second / "front.json", front)
    unit.save(model, unpack(second / weights()))
    return {"first": first, "second": second, "front": front, "model": model}


def weights() -> str:
    """Return the name of the weights that are attacked."""
    return "weights/053708d29267.safetensors"


def targets() -> dict[str, list[Target]]:
    """Return what is attacked in each of the studies of `make`."""
    arch = "archs/053708d29267.json"
    bytes_and_cells = (*BYTES, edit_cell, edit_cell, edit_cell, edit_cell)
    return {
        "first": [Target("study.db, format 1", "study.db", _study, bytes_and_cells, False, 4)],
        "second": [
            Target("study.db, format 2", "study.db", _study, bytes_and_cells, share=4),
            Target("study.db, going on", "study.db", _go_on, bytes_and_cells, share=2),
            Target("study.db, compare", "study.db", _compare, bytes_and_cells),
            Target("weights", weights(), _weights, BYTES, share=4),
            Target("arch", arch, lambda path: _arch(path / arch), (*BYTES, edit_json), False, 2),
        ],
        "front": [
            Target("front.json", "front.json", _front, (*BYTES, *[edit_json] * 8), False, 4),
        ],
        "model": [
            Target("saved model, weights", unit.WEIGHTS, _saved, BYTES, share=2),
            # White space in its JSON changes nothing.
            Target("saved model, arch", unit.ARCH, _saved, (*BYTES, edit_json), share=2),
            Target("saved model, preprocess", unit.PREPROCESS, _saved, (*BYTES, edit_json)),
        ],
    }


def loading() -> Target:
    """Return the attack on the arrays themselves, which builds a network each time."""
    return Target("weights, loaded", weights(), _load, (edit_weights,), exact=False)


def _study(folder: Path) -> object:
    with Study.read(folder) as study:
        trials = study.trials()
        return repr((study.info, study.settings, trials, study.front(trials)))


def _go_on(folder: Path) -> object:
    with Study.read(folder) as study:
        settings, info = study.settings, study.info
    with Study.open(folder, settings, info) as study:
        trials = study.trials()
        export(study, trials)
        return repr((trials, study.front(trials)))


def _compare(folder: Path) -> object:
    (entry,) = studies.read([folder])
    return repr((entry.settings, entry.info, entry.trials, entry.front))


def _front(folder: Path) -> object:
    return repr(read_front(folder))


def _weights(folder: Path) -> object:
    return _content(unpack(folder / weights()))


def _saved(folder: Path) -> object:
    return _content(unit.read(folder))


def _content(packed: Packed) -> object:
    arrays = sorted((name, array.tolist()) for name, array in packed.arrays.items())
    return repr((packed.arch, packed.data, packed.accuracy, packed.measured, arrays))


def _arch(path: Path) -> object:
    return from_json(path.read_bytes().decode(errors="replace"), str(path))


def _load(folder: Path) -> object:
    model = load(folder, id="053708d29267")
    return repr((model.arch, model.classes, model.accuracy))
