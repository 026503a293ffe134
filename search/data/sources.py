"""Where the parts of a set lie: the digits, a prepared TFDS set, or a folder of images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from search.config.data import DataConfig
from search.data import prepared
from search.data.examples import Examples, Progress, Say, Source
from search.data.preparing import prepare_digits
from search.errors import UserError

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Place:
    """What finding a set needs beside its config: the cache folder, and whom to tell."""

    cache: Path
    progress: Progress | None
    say: Say


def find_source(config: DataConfig, part: Part, place: Place) -> Source | None:
    """One part of the configured set; None if it has to be cut out of the training part.

    Raises `UserError` where the set or the part is not to be found.
    """
    split: str = getattr(config, part)
    if not split:
        return None
    if config.name == "digits":
        return _digits(split, place)
    return _tfds(config, split)


def _digits(split: str, place: Place) -> Source:
    def load() -> Examples:
        from search.data.records import examples, open_prepared

        folder = prepare_digits(place.cache)
        try:
            found = examples(open_prepared(folder), split, "digits")
            found.read(range(found.count))
        except UserError as error:
            if "split" in str(error):
                raise
            place.say(f"the prepared digits in {folder} are damaged; preparing them again")
            found = examples(
                open_prepared(prepare_digits(place.cache, again=True)), split, "digits"
            )
        return found

    return Source(f"digits {split}", {"set": "digits 1.0.0", "split": split}, load)


def _tfds(config: DataConfig, split: str) -> Source:
    text = config.name
    where = Path(config.dir).expanduser() if config.dir else prepared.default_folder()
    folder = prepared.find(where, text)
    if folder is None:
        raise UserError(
            f"data set {text} lies prepared nowhere under {where}; set data.dir= to where it does"
        )

    def load() -> Examples:
        from search.data.records import examples, open_prepared

        return examples(open_prepared(folder), split, text)

    return Source(f"{text} {split}", {**prepared.identity(folder), "split": split}, load)
