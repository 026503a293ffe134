"""The weights and cards that a search leaves of its front."""

from collections.abc import Callable, Sequence

from search.errors import UserError
from search.export.card import card
from search.export.weights import Arrays, holds, pack, packed_of
from search.jobs import Job
from search.study.info import CONFIRMATION_IMAGES
from search.study.study import Study
from search.study.trials import FrontEntry


def leave_weights(
    study: Study,
    found: Sequence[FrontEntry],
    weights: Callable[[Job], Arrays],
    tell: Callable[[str], None],
) -> None:
    """Leave the weights and cards of the front, and of nothing else, in the study's folder.

    `weights` returns those of a finished job, and raises `UserError` where its checkpoint is gone;
    then `tell` gets a line, for that is no reason to withhold the front.
    """
    if study.folder is None:
        return
    folder = study.folder / "weights"
    fresh = study.confirm_seeds if CONFIRMATION_IMAGES in study.info.data else []
    for row in found:
        part = "confirmation" if row.seed in fresh else "validation"
        path = folder / f"{row.arch_id}.safetensors"
        if not holds(path, row):
            try:
                arrays = weights(row.job)
            except UserError as error:
                tell(f"no weights/{path.name}: {error}")
                continue
            study.write(f"weights/{path.name}", pack(arrays, row, study.info, part))
        text = card(packed_of({}, row, study.info.data, path, part), study.name)
        beside = path.with_suffix(".md")
        if not beside.is_file() or beside.read_bytes() != text.encode():
            study.write(f"weights/{beside.name}", text, durable=False)
    wanted = {row.arch_id for row in found}
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.md")]:
        if path.stem not in wanted:
            path.unlink()
