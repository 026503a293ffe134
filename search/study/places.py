"""Where studies lie: folders by their names, and names that can be a folder's."""

import re
from contextlib import suppress
from pathlib import Path

from search.errors import UserError, nearest, shown
from search.study.connection import NAME

_OUTPUTS = Path("outputs")
# Names that an error lists.
_SHOWN = 12


def check_name(name: str) -> str:
    """Return `name` if it can name a study's folder, else raise `UserError`."""
    if not re.fullmatch(r"[\w+=,-][\w.+=,-]{0,199}", name):
        raise UserError(
            f"study={name:.210} cannot name a folder; use letters, digits, dots, dashes and"
            " underscores, and outputs= for the place"
        )
    return name


def locate(text: str | Path) -> Path:
    """Return the folder of a study given by its path, by its name under `outputs/`, or shipped.

    It may also be a saved model's. Raises `UserError`, with the known names, where there is none.
    """
    places = (Path(), _OUTPUTS, *_shipped())
    if str(text):
        # A folder of that name that holds no study, such as one of images, hides none.
        for fits in (_is_study, Path.is_dir):
            for place in places:
                # A name may be longer than any path.
                with suppress(OSError):
                    if fits(place / text):
                        return place / text
    known = [name for place in places[1:] for name in _studies(place)]
    hint = f"; {nearest(str(text), dict.fromkeys(known))}" if known else ""
    raise UserError(
        f"{shown(str(text)) or repr('')} is not the folder of a study; name one, such as"
        f" outputs/NAME{hint}"
    )


def is_shipped(folder: Path) -> bool:
    """Return whether a study is one that comes with the package, and so is not the user's."""
    return folder.resolve().parent in {place.resolve() for place in _shipped()}


def _shipped() -> tuple[Path, ...]:
    """Return where the fronts lie that come with the package: of a wheel, of a source tree."""
    package = Path(__file__).parents[1]
    return package / "_reference", package.parent / "outputs" / "reference"


def _is_study(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (NAME, "front.json", "model.safetensors"))


def _studies(place: Path) -> list[str]:
    """Return the names of some studies in `place`, the last changed first."""
    with suppress(OSError):
        found = [path for path in place.iterdir() if _is_study(path)]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [path.name for path in found[:_SHOWN]]
    return []
