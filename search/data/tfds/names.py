"""The names of TFDS data sets, read from its source files without importing it."""

import difflib
import functools
import importlib.util
import os
import re
from pathlib import Path

# Names of data that does not come from TFDS.
OWN = ("digits", "folder")
# Folders of the TFDS package that define no data sets.
_OTHER = {"core", "dataset_collections", "datasets", "proto", "scripts", "testing"}
_CLASS = re.compile(r"^class (\w+)\(\s*([^)]*)\)", re.MULTILINE)


@functools.cache
def known_names() -> tuple[str, ...]:
    """Every valid `data.name`, in alphabetical order; takes about a tenth of a second.

    TFDS's own list imports every set and leaves out those that need TensorFlow for it. Here newer
    sets are found by their folders, older ones by their classes' names, converted as TFDS does.
    """
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        return OWN
    home = Path(spec.submodule_search_locations[0])
    names = {
        entry.name
        for entry in os.scandir(home / "datasets")
        if entry.is_dir() and not entry.name.startswith("_")
    }
    names |= {_snake(name) for name in _builder_classes(home)}
    return tuple(sorted(names | set(OWN)))


def nearest_names(name: str) -> tuple[str, ...]:
    """Up to three of the known names that resemble `name`, the closest first."""
    return tuple(difflib.get_close_matches(name.lower(), known_names(), n=3, cutoff=0.5))


def _builder_classes(home: Path) -> set[str]:
    bases: dict[str, list[str]] = {}
    for folder in home.iterdir():
        if not folder.is_dir() or folder.name in _OTHER:
            continue
        for file in folder.rglob("*.py"):
            if not file.name.endswith("_test.py"):
                for name, listed in _CLASS.findall(file.read_text(errors="replace")):
                    bases[name] = [base.strip().rsplit(".", 1)[-1] for base in listed.split(",")]
    builders: set[str] = set()
    size = -1
    while size != len(builders):
        size = len(builders)
        builders |= {
            name
            for name, parents in bases.items()
            if any(parent.endswith("Builder") or parent in builders for parent in parents)
        }
    return {name for name in builders if not name.endswith("Builder")}


def _snake(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
