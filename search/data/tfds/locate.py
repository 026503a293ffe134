"""Finding prepared TFDS data on disk, without importing TFDS."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from search.errors import UserError

_INFO = "dataset_info.json"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def default_folder() -> Path:
    """Where TFDS keeps its data unless told otherwise."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def parse_name(text: str) -> tuple[str, str, str]:
    """Name, config and version of `name/config:version`; what is not said is empty."""
    rest, _, version = text.partition(":")
    name, _, config = rest.partition("/")
    return name, config, version


def find(folder: Path, text: str) -> Path | None:
    """The prepared version `text` (`name/config:version`) asks for, the newest if it asks for none.

    `folder` is a TFDS data folder, a data set's folder in it, or one prepared version. Raises
    `UserError` where configs are prepared, none was named, and TFDS's default is not among them,
    and where the one prepared version is of another set.
    """
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


def splits(folder: Path) -> tuple[str, ...]:
    """The names of the splits of a prepared version."""
    listed = _stored(folder / _INFO).get("splits", [])
    return tuple(str(split.get("name")) for split in listed if isinstance(split, dict))


def identity(folder: Path) -> dict[str, object]:
    """All that the contents of a prepared version depend on: its description and its files."""
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
    """Whether 3.0.1 is what 3.0.1, 3.0.* or 3.*.* asks for."""
    parts = zip(found.split("."), asked.split("."), strict=False)
    return found.count(".") == asked.count(".") and all(b in ("*", a) for a, b in parts)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _stored(file: Path) -> dict[str, Any]:
    """What a JSON file says; nothing if it can't be read, which opening the set will tell."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
