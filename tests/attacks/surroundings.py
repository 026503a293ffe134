"""A disk that is full, read-only or gone, a clock set back, links, and many processes at once."""

import argparse
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from attacks.faults import Boundaries, full_disk, injected
from attacks.kills import boundaries_of, essence, in_child, instant, leftovers

from search.errors import UserError


def refused(work: Callable[[], None]) -> str:
    """Return the one line that `work` is refused with, or nothing where it ends well.

    Raises `AssertionError` for several lines; other exceptions pass.
    """
    try:
        work()
    except UserError as error:
        text = str(error)
        assert text, "an error without a word"
        assert "\n" not in text, text
        assert len(text) <= 1300, text
        return text
    return ""


def goes_on(folder: Path, whole: Path, case: str) -> None:
    """Check that the same command ends as an undisturbed study, and leaves nothing half-written."""
    assert in_child(lambda: instant(folder)) == 0, case
    assert leftovers(folder) == [], case
    assert essence(folder) == essence(whole), case


def full_at_every_call(folder: Path, whole: Path, most: int | None) -> int:
    """Let the disk be full from a call on, once for every call or for `most` of them."""
    total = boundaries_of(instant, folder / "counted", statements=False)
    count = total if most is None else min(most, total)
    for number in range(count):
        at, study = 1 + number * total // count, folder / f"full-{number}"

        def work(at: int = at, study: Path = study) -> None:
            with injected(Boundaries(at, full_disk, once=False), statements=False):
                refused(lambda: instant(study))

        assert in_child(work) == 0, f"full from call {at}"
        goes_on(study, whole, f"full from call {at}")
        shutil.rmtree(study)
    return count


def small_files(folder: Path, whole: Path, sizes: tuple[int, ...]) -> int:
    """Forbid files above a size, which breaks off writes of SQLite in the middle as well."""
    for size in sizes:
        study = folder / f"limit-{size}"

        def work(size: int = size, study: Path = study) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            assert refused(lambda: instant(study)), f"files of at most {size} bytes sufficed"

        assert in_child(work) == 0, f"files of at most {size} bytes"
        goes_on(study, whole, f"files of at most {size} bytes")
    return len(sizes)


def clock_set_back(folder: Path, whole: Path) -> int:
    """Let every look at the clock find it an hour earlier."""
    study, now = folder / "clock", time.time()
    looks = iter(range(10**9))
    with patch.object(time, "time", lambda: now - 3600 * next(looks)):
        instant(study)
    goes_on(study, whole, "clock set back")
    return 1


def odd_names(folder: Path, whole: Path) -> int:
    """Use outputs whose names are no UTF-8, hold a line's end, or are long."""
    names = [os.fsdecode(b"\xff\xfe"), "a\nb", "é \u202e", "x" * 200]
    for name in names:
        study = folder / name / "study"
        assert in_child(lambda study=study: instant(study)) == 0, ascii(name)
        goes_on(study, whole, ascii(name))
    return len(names)


def links(folder: Path, whole: Path) -> int:
    """Put links where a study writes: what they lead to stays as it is."""
    names = [".lock", "run.log", "study.db", "archs", "weights", "front.csv", "front.json"]
    for name in names:
        study, outside = folder / f"link-{name}", folder / f"outside-{name}"
        shutil.copytree(whole, study)
        place = study / name
        if place.is_dir() or name == "weights":
            shutil.rmtree(place, ignore_errors=True)
            outside.mkdir()
        else:
            place.unlink(missing_ok=True)
            outside.write_text("mine")
        place.symlink_to(outside)
        before = _content(outside)
        said = refused(lambda study=study: instant(study))
        assert _content(outside) == before, f"{name}: written through the link"
        assert said or not place.is_symlink(), f"{name}: neither refused nor replaced"
    return len(names)


def deleted_under_the_run(folder: Path, whole: Path) -> int:
    """Delete the study's folder while it is written."""
    study = folder / "deleted"
    statement = 60

    def work() -> None:
        with injected(Boundaries(statement, lambda: shutil.rmtree(study))):
            refused(lambda: instant(study))

    assert in_child(work) == 0, "folder deleted"
    shutil.rmtree(study, ignore_errors=True)
    goes_on(study, whole, "folder deleted")
    return 1


def at_once(folder: Path, whole: Path, count: int) -> int:
    """Start `count` processes on one study: one writes, the others are refused or find it done."""
    study = folder / f"shared-{count}"
    codes: list[int] = []

    def start() -> None:
        codes.append(in_child(lambda: _line(refused(lambda: instant(study)))))

    threads = [threading.Thread(target=start) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * count, f"{count} at once: {codes}"
    goes_on(study, whole, f"{count} at once")
    return count


def read_only(folder: Path, whole: Path) -> int:
    """Run in a folder without the right to write; root, who may write anywhere, becomes nobody."""
    place = folder / "read-only"
    shutil.copytree(whole, place / "study")
    for path in [*place.rglob("*"), place]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    os.chmod(folder, 0o755)
    # Nobody must reach the folder; nothing above the temporary folder is touched.
    for parent in folder.parents:
        if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o011)

    def work() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setuid(65534)
        for study in (place / "study", place / "new"):
            assert "cannot be written" in refused(lambda study=study: instant(study))

    try:
        assert in_child(work) == 0, "read-only"
    finally:
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert essence(place / "study") == essence(whole), "read-only"
    return 2


def everything(folder: Path, most: int | None, processes: tuple[int, ...]) -> dict[str, int]:
    """Attack by every kind of surroundings; returns how many cases each had."""
    whole = folder / "whole"
    instant(whole)
    counts = {
        "disk full from a call on": full_at_every_call(folder, whole, most),
        "files limited to a size": small_files(folder, whole, (0, 1000, 9000, 20000)),
        "clock set back": clock_set_back(folder, whole),
        "odd names": odd_names(folder, whole),
        "links": links(folder, whole),
        "folder deleted": deleted_under_the_run(folder, whole),
        "read-only": read_only(folder, whole),
    }
    for count in processes:
        counts[f"{count} processes on one study"] = at_once(folder, whole, count)
    return counts


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be set."""
    parser.add_argument("-n", type=int, help="at how many calls the disk is full (every one)")


def run(given: argparse.Namespace) -> None:
    """Print how many cases there were; one that loses something is an exception."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        for case, count in everything(Path(name), given.n, (2, 10)).items():
            print(f"| {case} | {count} |")
    print(f"\n{time.perf_counter() - began:.0f} s")


def _content(path: Path) -> object:
    return sorted(path.rglob("*")) if path.is_dir() else path.read_text()


def _line(said: str) -> None:
    assert not said or "is being written by" in said, said
