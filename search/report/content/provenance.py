"""What a study ran: command, settings, data, platform."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.errors import shown
from search.report.content.command import command
from search.study.study import Study
from search.study.trials import Trial
from search.units import counted

CONTACT_SHEET = "contact_sheet"
"""Kind of the record that holds some images of the data."""
_LONGEST = 300
# A file that somebody put there is not read without end.
_LARGEST = 100_000
# Keys of what trials were computed on, in the words of the page.
_COMPUTED = {
    "platform": "platform",
    "device_kind": "device",
    "precision": "precision",
    "cores": "cores",
    "jax": "jax",
    "jaxlib": "jaxlib",
    "convbudget": "convbudget",
}


@dataclass(frozen=True)
class ClassImages:
    """Some images of one class side by side, as a PNG in a data URI."""

    name: str
    count: int | None
    images: int
    source: str


@dataclass(frozen=True)
class Provenance:
    """What was run.

    `command` repeats it, empty where parts of one's own took part; `config` is the resolved
    configuration as YAML; `data` and `platform` are pairs of a name and a value; `sheet` some
    images of each class, empty where the study was made without.
    """

    command: str
    config: str
    data: list[tuple[str, str]]
    platform: list[tuple[str, str]]
    sheet: list[ClassImages]


def provenance(study: Study, trials: Sequence[Trial]) -> Provenance:
    """Return what is known of how `study` was made."""
    config = _config(study)
    return Provenance(
        command(study.settings, config, len(trials)),
        config,
        _data(study),
        _platform(trials),
        _sheet(study),
    )


def _config(study: Study) -> str:
    if study.folder is None:
        return ""
    try:
        with (study.folder / "config.yaml").open("rb") as file:
            return file.read(_LARGEST).decode(errors="replace")
    except OSError:
        return ""


def _data(study: Study) -> list[tuple[str, str]]:
    data = study.info.data
    if not data:
        return []
    shape = data.get("shape")
    rows = [("name", shown(data["name"], _LONGEST))]
    if isinstance(shape, list):
        rows.append(("images", " × ".join(shown(size, 20) for size in shape)))
    classes = data.get("classes", [])
    counts = data.get("class_counts")
    rows.append(("classes", f"{len(classes)}: {shown(', '.join(map(str, classes)), _LONGEST)}"))
    if isinstance(counts, list) and counts:
        rows.append(("training images", f"{sum(counts):,}"))
        fewest, most = min(counts), max(counts)
        each = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        rows.append(("per class", each))
    settings = study.settings.get("data", {})
    # A validation part that has a name is not cut from the training part.
    cut = () if settings.get("validation") else ("validation_fraction",)
    for key in ("train", "validation", *cut):
        if settings.get(key) not in (None, ""):
            rows.append((key.replace("_", " "), shown(str(settings[key]), _LONGEST)))
    prints = study.settings.get("fingerprints", {})
    if isinstance(prints, Mapping):
        rows += [
            (f"SHA-256 of {shown(part, 40)}", shown(text, 80)) for part, text in prints.items()
        ]
    return rows


def _platform(trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Say what the trials were computed on; where they differ, each value with its trials."""
    rows = []
    for key, name in _COMPUTED.items():
        found = Counter(trial.computed[key] for trial in trials if trial.computed.get(key))
        if len(found) == 1:
            rows.append((name, shown(next(iter(found)), 80)))
        elif found:
            rows.append((name, shown(_with_trials(found.items()), _LONGEST)))
    workers = Counter(trial.result.worker for trial in trials if trial.result.worker)
    if workers:
        text = _with_trials(sorted(workers.items()))
        rows.append((counted(len(workers), "worker"), shown(text, _LONGEST)))
    return rows


def _with_trials(found: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({counted(count, 'trial')})" for name, count in found)


def _sheet(study: Study) -> list[ClassImages]:
    stored = study.records(CONTACT_SHEET).get("train")
    rows = stored.get("classes") if isinstance(stored, Mapping) else None
    found = []
    for row in rows if isinstance(rows, list) else []:
        source = row.get("png") if isinstance(row, Mapping) else None
        # Only characters of base64: a page shows it as an image and as nothing else.
        if isinstance(source, str) and source.isascii() and set(source) <= _BASE64:
            images, count = row.get("images"), row.get("count")
            found.append(
                ClassImages(
                    shown(str(row.get("name", "")), 80),
                    count if isinstance(count, int) else None,
                    images if isinstance(images, int) else 1,
                    f"data:image/png;base64,{source}",
                )
            )
    return found


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
