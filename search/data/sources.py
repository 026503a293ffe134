"""Locate the parts of a data set: the digits, a prepared TFDS set, or a folder of images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from search.config.data import DataConfig
from search.data import folder
from search.data.examples import Examples, Progress, Say, Source
from search.data.overlap import refuse_shared_splits
from search.data.tfds import locate as prepared
from search.data.tfds.prepare import prepare, prepare_digits
from search.data.tfds.ranges import Shards, split_names

# Files and examples of the digits' splits (see `tfds.digits`), known before they are prepared.
_DIGITS: Shards = {"train": (1437,), "test": (360,)}


@dataclass(frozen=True)
class SourceContext:
    """What locating a set needs beside its config: the cache folder, and who is told."""

    cache: Path
    progress: Progress | None
    say: Say


@dataclass(frozen=True)
class Parts:
    """The located parts of a data set.

    `validation`: None where it is cut out of the training part by seed; `test`: None where it is
    cut out of the training part (`cuts_test`) or missing; `missing_test`: why no test part will be
    there, with the fix, empty if one will; `compare`: whether train and validation come from
    different splits or folders, so that only their contents can tell whether they overlap.
    """

    train: Source
    validation: Source | None
    test: Source | None
    cuts_test: bool
    missing_test: str
    compare: bool


def locate(config: DataConfig, context: SourceContext) -> Parts:
    """Locate all parts once; prepares a TFDS set that is not prepared.

    Raises `UserError` where the set or its training part can't be found, and for splits or folders
    that overlap.
    """
    if config.name == "folder":
        return _folder(config, context)
    if config.name == "digits":
        refuse_shared_splits(config, _DIGITS)
        return _splits(config, _DIGITS, partial(_digits, context=context))
    home = prepared.home(config.dir)
    where = prepared.find(home, config.name)
    if where is None:
        refuse_shared_splits(config, {})
        where = prepare(config.name, home, context.cache, context.say, context.progress)
    shards = prepared.shards(where)
    refuse_shared_splits(config, shards)
    return _splits(config, shards, _tfds(config.name, where))


def _splits(config: DataConfig, shards: Shards, source: Callable[[str], Source]) -> Parts:
    """The parts of a set that are named as TFDS splits; `source` makes one of a split's name."""
    own = config.validation
    names = (split_names(config.train, tuple(shards)), split_names(own, tuple(shards)))
    return Parts(
        train=source(config.train),
        validation=source(own) if own else None,
        test=source(config.test) if config.test else None,
        cuts_test=not config.test,
        missing_test=_missing_split(config, shards),
        compare=len(set(names[0] + names[1])) > 1,
    )


def _missing_split(config: DataConfig, shards: Shards) -> str:
    if not config.test or config.name == "digits":
        return ""
    wanted = split_names(config.test, tuple(shards))
    missing = next((name for name in wanted if shards and name not in shards), "")
    return _missing(f"{config.name} (splits {', '.join(shards)})", missing) if missing else ""


def _missing(holder: str, name: str) -> str:
    return (
        f"{holder} has no {name!r} for the final test; name another with data.test=NAME, or set"
        " data.test= to set a part of the training images aside"
    )


def _digits(split: str, context: SourceContext) -> Source:
    def load() -> Examples:
        from search.data.tfds.read import DamagedError, examples, open_prepared

        where = prepare_digits(context.cache, context.say)
        try:
            found = examples(open_prepared(where), split, "digits")
            found.read(range(found.count))
        except DamagedError:
            context.say(f"the prepared digits in {where} are damaged; preparing them again")
            where = prepare_digits(context.cache, context.say, again=True)
            found = examples(open_prepared(where), split, "digits")
        return found

    return Source(f"digits {split}", lambda: {"digits": "1.0.0", "split": split}, load)


def _tfds(name: str, where: Path) -> Callable[[str], Source]:
    @cache
    def contents() -> dict[str, object]:
        return prepared.identity(where)

    def source(split: str) -> Source:
        def load() -> Examples:
            from search.data.tfds.read import examples, open_prepared

            return examples(open_prepared(where), split, name)

        return Source(f"{name} {split}", lambda: {**contents(), "split": split}, load)

    return source


def _folder(config: DataConfig, context: SourceContext) -> Parts:
    found = folder.layout(config)

    def source(part: Path) -> Source:
        return folder.source(
            found,
            part,
            cache_folder=context.cache,
            whole_header=not (config.height and config.channels),
            progress=context.progress,
        )

    cuts_test = not config.test or found.flat
    lacking = not cuts_test and found.test is None
    return Parts(
        train=source(found.train),
        validation=source(found.validation) if found.validation else None,
        test=source(found.test) if found.test and not cuts_test else None,
        cuts_test=cuts_test,
        missing_test=_missing(f"data.path={config.path}", config.test) if lacking else "",
        compare=True,
    )
