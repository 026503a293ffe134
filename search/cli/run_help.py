"""`convbudget run --help`, from the shipped configs themselves and without waiting for Hydra."""

from pathlib import Path

_HEADER = """\
usage: convbudget run [KEY=VALUE …] [-m] [--cfg job] [--config-dir DIR]

Searches for the most accurate networks within a budget of multiplies. The same command again
goes on with the study; a larger trials= or hours= extends it.

  -m                runs one study for each combination of comma-separated values, such as
                    -m budget=50k,100k,200k seed=0,1
  --cfg job         prints the whole configuration, with what was set, and stops
  --config-dir DIR  adds a folder of your own configs, such as DIR/space/mine.yaml
  --traceback       shows where an error came from
  --hydra-help      says what else Hydra can do
"""


def configs() -> Path:
    """Return the folder of the shipped configs: in the wheel, or beside the package."""
    package = Path(__file__).parents[1]
    packed = package / "_configs"
    return packed if packed.is_dir() else package.parent / "configs"


def text() -> str:
    """Return the help: usage, the choices of each group, the keys with their values."""
    folder = configs()
    groups = [
        f"  {group.name:10}{', '.join(sorted(path.stem for path in group.glob('*.yaml')))}"
        for group in sorted(folder.iterdir())
        if group.is_dir()
    ]
    lines = (folder / "config.yaml").read_text().splitlines()
    keys = lines[lines.index("") + 1 : lines.index("hydra:")]
    return "\n".join(
        [
            _HEADER,
            "groups (GROUP=CHOICE; each has keys of its own, such as space.ops=[conv]):",
            *groups,
            "",
            "keys:",
            *(f"  {line}".rstrip() for line in keys),
        ]
    ).rstrip()
