"""Prepared TFDS data on disk: where it is and what its description says, without importing TFDS."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from search.config.data import check_path
from search.data.dataset import ImageShape
from search.errors import UserError

_INFO = "dataset_info.json"
_FEATURES = "features.json"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def home(given: str = "") -> Path:
    """The TFDS data folder: `given`, else `$TFDS_DATA_DIR`, else TFDS's own default.

    Raises `UserError` for a path that no file system can hold.
    """
    chosen = given or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    check_path("data.dir" if given else "TFDS_DATA_DIR", chosen)
    return Path(os.path.expanduser(chosen))


def parse_name(text: str) -> tuple[str, str, str]:
    """Name, config and version of `name/config:version`; absent ones are empty."""
    rest, _, version = text.partition(":")
    name, _, config = rest.partition("/")
    return name, config, version


def find(folder: Path, text: str) -> Path | None:
    """The folder of the prepared `name/config:version`, by default of the newest version.

    `folder` is a TFDS data folder, a data set's folder in it, or one prepared version. None where
    it is not prepared. Raises `UserError` where configs are prepared, none was named, and TFDS's
    default is not among them, where the one prepared version is of another set, and where the
    folder can't be read.
    """
    try:
        return _find(folder, text)
    except OSError as error:
        raise UserError(
            f"data.dir={folder} can't be read ({error.strerror or error}); set data.dir= to the"
            " folder of the prepared data"
        ) from None


def _find(folder: Path, text: str) -> Path | None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file")
    name, config, version = parse_name(text)
    if (folder / _INFO).is_file():
        held = _stored(folder / _INFO).get("name", name)
        if held != name:
            raise UserError(
                f"data.dir={folder} holds {held}, not {name}; set data.name={held}, or another"
                " data.dir="
            )
        return folder
    base = folder / name if (folder / name).is_dir() else folder if folder.name == name else None
    if base is None:
        return None
    if config:
        return _newest(base / config, version)
    found = _newest(base, version)
    if found:
        return found
    configs = {
        child.name: newest
        for child in sorted(base.iterdir())
        if child.is_dir() and (newest := _newest(child, version))
    }
    preferred = _stored(base / ".config" / "metadata.json").get("default_config_name", "")
    if preferred in configs:
        return configs[preferred]
    if len(configs) == 1 and not preferred:
        return next(iter(configs.values()))
    if configs:
        raise UserError(
            f"{base} holds the configs {', '.join(configs)}; name one, such as"
            f" data.name={name}/{next(iter(configs))}"
        )
    return None


def shards(folder: Path) -> dict[str, tuple[int, ...]]:
    """The splits of a prepared version, with the number of examples in each of their files."""
    found: dict[str, tuple[int, ...]] = {}
    listed = _stored(folder / _INFO).get("splits", [])
    for split in listed if isinstance(listed, list) else []:
        try:
            found[str(split["name"])] = tuple(int(length) for length in split["shardLengths"])
        except (KeyError, TypeError, ValueError):
            # Reading the set reports what is wrong with its description.
            continue
    return found


def image_shape(folder: Path) -> ImageShape | None:
    """Image shape and number of classes of a prepared version, from its description.

    Sizes are 0 where images differ. None for sets that are not images with one label, and for
    descriptions that can't be read.
    """
    try:
        features = _stored(folder / _FEATURES)["featuresDict"]["features"]
        image, label = _supervised(folder)
        if image not in features or label not in features:
            image, label = "image", "label"
        dimensions = features[image]["image"]["shape"]["dimensions"]
        height, width, channels = (max(0, int(size)) for size in dimensions)
        return ImageShape(height, width, channels, int(features[label]["classLabel"]["numClasses"]))
    except (KeyError, TypeError, ValueError):
        return None


def _supervised(folder: Path) -> tuple[str, str]:
    """Names of the image and the label feature."""
    keys = _stored(folder / _INFO).get("supervisedKeys") or {}
    try:
        image, label = (item["featureKey"] for item in keys["tuple"]["items"][:2])
    except (KeyError, TypeError, ValueError):
        return "image", "label"
    return image, label


def identity(folder: Path) -> dict[str, object]:
    """What the contents of a prepared version depend on: a hash of its description and files."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.name.startswith("."):
            continue
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        if file.suffix in (".json", ".txt"):
            digest.update(file.read_bytes())
    return {"tfds": digest.hexdigest()}


def _newest(folder: Path, version: str) -> Path | None:
    if not folder.is_dir():
        return None
    versions = [
        child
        for child in folder.iterdir()
        if _VERSION.fullmatch(child.name) and (child / _INFO).is_file()
    ]
    if version:
        versions = [child for child in versions if _matches(child.name, version)]
    return max(versions, key=lambda child: _numbers(child.name), default=None)


def _matches(found: str, asked: str) -> bool:
    """Whether the version `found` matches `asked`, as 3.0.1 matches 3.0.1, 3.0.* and 3.*.*."""
    parts = zip(found.split("."), asked.split("."), strict=False)
    return found.count(".") == asked.count(".") and all(b in ("*", a) for a, b in parts)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _stored(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it can't be read, which opening the set reports."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
