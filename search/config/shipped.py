"""The shipped configuration files under `configs/`: which there are, and what they say."""

from pathlib import Path
from typing import Any

GROUPS = ("data", "space", "strategy", "train", "executor")
# Presets over all of them; none is chosen by default.
EXPERIMENT = "experiment"
# How the jobs of a sweep run; Hydra's own group, of which none is chosen by default either.
LAUNCHER = "hydra/launcher"


def folder() -> Path:
    """Return the folder of the shipped files: in the wheel, or beside the package."""
    package = Path(__file__).parents[1]
    packed = package / "_configs"
    return packed if packed.is_dir() else package.parent / "configs"


def choices(group: str, *own: Path) -> list[str]:
    """Return the names of a group's files, those in the folders `own` included."""
    found = {path.stem for root in (folder(), *own) for path in (root / group).glob("*.yaml")}
    return sorted(found)


def values(group: str, name: str) -> dict[str, Any]:
    """Return what a shipped file sets; under `defaults`, what it chooses of other groups."""
    # Here, because help does without it.
    import yaml

    text = (folder() / group / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text) or {}


def introduction(group: str, name: str, *own: Path) -> str:
    """Return the comment at the head of a file, as one line; empty where there is none."""
    for root in (*own, folder()):
        path = root / group / f"{name}.yaml"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            head: list[str] = []
            for line in lines:
                if not line.startswith("#"):
                    break
                head.append(line.lstrip("# "))
            return " ".join(head)
    return ""
