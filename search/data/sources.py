"""Where the parts of a set lie: the digits, a prepared TFDS set, or a folder of images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from search.config.data import DataConfig
from search.data import folder
from search.data.examples import Examples, Progress, Say, Source
from search.data.tfds import locate as prepared
from search.data.tfds.prepare import prepare, prepare_digits
from search.errors import UserError

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class SourceContext:
    """What finding a set needs beside its config: the cache folder, and whom to tell."""

    cache: Path
    progress: Progress | None
    say: Say


def find_source(config: DataConfig, part: Part, place: SourceContext) -> Source | None:
    """One part of the configured set; None if it has to be cut out of the training part.

    Raises `UserError` where the set or the part is not to be found.
    """
    if config.name == "folder":
        return _folder(config, part, place)
    split: str = getattr(config, part)
    if not split:
        return None
    return _digits(split, place) if config.name == "digits" else _tfds(config, split, place)


def is_test_cut(config: DataConfig) -> bool:
    """Whether the test part is cut out of the training part, for want of one of its own."""
    return not config.test or (config.name == "folder" and _layout(config).flat)


def missing_test(config: DataConfig) -> str:
    """Why nothing will be there to test a final model on, with the fix; empty if all is well.

    Looks at names alone, so that a search can warn before it starts.
    """
    if is_test_cut(config) or config.name == "digits":
        return ""
    if config.name == "folder":
        found = _layout(config)
        held, missing = f"data.path={config.path}", "" if found.test else config.test
    else:
        where = prepared.find(_home(config), config.name)
        known = prepared.splits(where) if where else ()
        wanted = [part.split("[")[0].strip() for part in config.test.split("+")]
        held = f"{config.name} (splits {', '.join(known)})"
        missing = next((name for name in wanted if known and name not in known), "")
    if not missing:
        return ""
    return (
        f"{held} has no {missing!r} for the final test; name another with data.test=NAME, or set"
        " data.test= to set a part of the training images aside"
    )


def _home(config: DataConfig) -> Path:
    return Path(config.dir).expanduser() if config.dir else prepared.default_folder()


def _digits(split: str, place: SourceContext) -> Source:
    def load() -> Examples:
        from search.data.tfds.read import DamagedError, examples, open_prepared

        where = prepare_digits(place.cache, place.say)
        try:
            found = examples(open_prepared(where), split, "digits")
            found.read(range(found.count))
        except DamagedError:
            place.say(f"the prepared digits in {where} are damaged; preparing them again")
            where = prepare_digits(place.cache, place.say, again=True)
            found = examples(open_prepared(where), split, "digits")
        return found

    return Source(f"digits {split}", {"digits": "1.0.0", "split": split}, load)


def _tfds(config: DataConfig, split: str, place: SourceContext) -> Source:
    home = _home(config)
    where = prepared.find(home, config.name)
    if where is None:
        where = prepare(config.name, home, place.cache, place.say, place.progress)

    def load() -> Examples:
        from search.data.tfds.read import examples, open_prepared

        return examples(open_prepared(where), split, config.name)

    return Source(f"{config.name} {split}", {**prepared.identity(where), "split": split}, load)


def _layout(config: DataConfig) -> folder.FolderLayout:
    return folder.layout(config.path, config.train, config.validation, config.test)


def _folder(config: DataConfig, part: Part, place: SourceContext) -> Source | None:
    found = _layout(config)
    where = {"train": found.train, "validation": found.validation, "test": found.test}[part]
    if where is None:
        if part == "test" and (why := missing_test(config)):
            raise UserError(why)
        return None
    return folder.source(
        found.root,
        where,
        found.train,
        whole_header=not (config.height and config.channels),
        progress=place.progress,
    )
