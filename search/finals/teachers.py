"""Teachers: a member of the front, a network of the zoo, or a saved model, and its soft labels."""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.data.dataset import Dataset
from search.errors import UserError, shown
from search.export import unit
from search.export.weights import Packed, unpack
from search.finals.networks import Choice, Network, check_size, member
from search.jobs import Candidate
from search.networks import zoo
from search.networks.arch import Input
from search.study.finals import firsts, on_own_data, taught_by
from search.study.study import Study

_ZOO = "zoo:"
_FORMS = "a teacher is an ID of the front, zoo:NAME, or the FOLDER of a saved model"


@dataclass(frozen=True, eq=False)
class Teacher:
    """Who teaches: a `packed` model, or a `network` of the zoo that is to be trained first.

    `name`: as the user gave it, the id of a member in full.
    """

    name: str
    packed: Packed | None = None
    network: Network | None = None

    @property
    def fingerprint(self) -> str:
        """What tells teachers apart: of a model its weights, of the zoo's the architecture."""
        if self.packed is None:
            assert self.network is not None
            return self.network.candidate.id
        digest = hashlib.sha256(self.packed.arch.id.encode())
        for key in sorted(self.packed.arrays):
            digest.update(np.ascontiguousarray(self.packed.arrays[key]).data)
        return digest.hexdigest()


def weights_of(study: Study, arch_id: str, passed_over: Collection[str] = ()) -> Packed:
    """Return a member's weights: those of its first final or, without one, those of the search.

    Finals whose keys are in `passed_over` do not count. Raises `UserError` where the study keeps
    none.
    """
    assert study.folder is not None
    own = [one for one in on_own_data(study.finals()) if one["key"] not in passed_over]
    final = firsts(own).get(arch_id)
    if final and unit.holds(study.folder / final["folder"]):
        return unit.read(study.folder / final["folder"])
    path = study.folder / "weights" / f"{arch_id}.safetensors"
    if not path.exists():
        raise UserError(
            f"{study.folder} keeps no weights of {arch_id}; run its command again, which leaves"
            " those of its front"
        )
    return unpack(path)


def teacher_of(text: str, study: Study, dataset: Dataset) -> Teacher:
    """Return the teacher that `text` names: an id, `zoo:NAME`, or the folder of a saved model.

    Raises `UserError` where there is none, and for one of other images or classes.
    """
    shape, classes = Input(*dataset.shape), len(dataset.classes)
    if text.startswith(_ZOO):
        name = text.removeprefix(_ZOO)
        check_size(name, shape, classes)
        arch = zoo.network(name, input=shape, classes=classes)
        return Teacher(text, network=Network(Candidate.of(arch), name))
    if _is_folder(text):
        if not unit.holds(Path(text)):
            raise UserError(f"--teacher {shown(text)} is not a saved model; {_FORMS}")
        packed = unit.read(Path(text))
    else:
        found, _ = study.front(study.trials())
        if not any(text and row.arch_id.startswith(text) for row in found) and "/" in text:
            raise UserError(f"--teacher {shown(text)} is not the folder of a saved model; {_FORMS}")
        try:
            text = member(found, study.name, Choice(id=text)).arch_id
        except UserError as error:
            raise UserError(f"--teacher: {error}; {_FORMS}") from None
        # Else a call that trains its teacher too would have another teacher once it is repeated.
        packed = weights_of(study, text, taught_by(study.finals(), text))
    _refuse_other(text, packed, shape, dataset)
    return Teacher(text, packed)


def _refuse_other(text: str, packed: Packed, shape: Input, dataset: Dataset) -> None:
    taught = tuple(packed.data["classes"])
    if packed.arch.input != shape:
        raise UserError(
            f"--teacher {shown(text)} reads images of {_size(packed.arch.input)}, and these are"
            f" {_size(shape)}; a teacher"
            " must read the same images"
        )
    if taught != tuple(dataset.classes):
        raise UserError(
            f"--teacher {shown(text)} knows the {len(taught)} classes"
            f" {shown(', '.join(taught), 60)}, and these images have {len(dataset.classes)}:"
            f" {shown(', '.join(dataset.classes), 60)}; a teacher must know the same classes"
        )


def _size(shape: Input) -> str:
    return f"{shape.height}x{shape.width}x{shape.channels}"


def _is_folder(text: str) -> bool:
    # A name may be longer than any path.
    with suppress(OSError, ValueError):
        return bool(text) and Path(text).is_dir()
    return False
