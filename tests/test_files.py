"""Atomic writes, locks and leftovers: kills, other processes, links, file systems without locks."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.errors import UserError
from search.files import InUse, append, canonical_json, lock, sweep, write, writing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_canonical_json_is_a_fixed_point_in_ascii(value: object) -> None:
    if "Infinity" in json.dumps(value):
        with pytest.raises(ValueError, match="not JSON compliant"):
            canonical_json(value)
        return
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


def test_canonical_json_sorts_and_refuses_nan() -> None:
    assert canonical_json({"ß": 1, "a": [1, "é"]}) == '{"a":[1,"\\u00e9"],"\\u00df":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json([float("nan")])


def test_a_file_is_replaced_whole_with_the_permissions_of_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write(path, "old")
    write(path, b"new", durable=False)
    assert path.read_bytes() == b"new"
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_names_that_are_not_utf8_are_written_escaped(tmp_path: Path) -> None:
    write(tmp_path / "file", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "file").read_text() == "caf\\udce9"
    append(tmp_path / "file", os.fsdecode(b"\xff"))
    assert (tmp_path / "file").read_text() == "caf\\udce9\\udcff"


def test_an_exception_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    write(tmp_path / "file", "old")

    def half() -> None:
        with writing(tmp_path / "file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (tmp_path / "study").mkdir()
    link = tmp_path / "study" / "front.csv"
    link.symlink_to(outside)
    write(link, "front")
    assert outside.read_text() == "precious"
    assert link.read_text() == "front"
    assert not link.is_symlink()


@pytest.mark.parametrize("make", [os.symlink, os.link, lambda _, path: os.mkfifo(path)])
def test_locks_and_logs_are_regular_files_of_their_folder(tmp_path: Path, make: object) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    path = tmp_path / ".lock"
    assert callable(make)
    make(outside, path)
    for use in (lambda: lock(path), lambda: append(path, "line\n")):
        with pytest.raises(UserError, match="is a link or not a regular file"):
            use()
    assert outside.read_text() == "precious"


def test_a_second_holder_is_told_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with lock(path) as held:
        assert held
        with pytest.raises(InUse, match=f"process {os.getpid()} on "):
            lock(path)
        first = lock(tmp_path / "other", sign=False)
        with pytest.raises(InUse, match="another process"):
            lock(tmp_path / "other")
        first.close()
    lock(path).close()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    first = lock(path)
    owners: list[str] = []

    def waiting(owner: str) -> None:
        owners.append(owner)
        threading.Timer(0.05, first.close).start()

    with lock(path, waiting) as held:
        assert held
    assert owners == [path.read_text().strip()]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def absent(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", absent)
    with lock(tmp_path / ".lock") as held:
        assert not held
    write(tmp_path / "file", "content")
    assert (tmp_path / "file").read_text() == "content"
    (tmp_path / ".writing-0123").touch()
    sweep(tmp_path)
    assert (tmp_path / ".writing-0123").exists(), "its writer may live: nobody can tell"


def test_another_failure_of_the_lock_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(UserError, match=r"\.lock cannot be written \(Input/output error"):
        lock(tmp_path / ".lock")


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from search.files import writing\n"
        "with writing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); print(flush=True); time.sleep(9)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (leftover,) = tmp_path.iterdir()
        sweep(tmp_path)
        assert leftover.exists()
        process.kill()
        process.wait()
    (tmp_path / ".abc.part").touch()
    (tmp_path / "mine.part").touch()
    (tmp_path / ".writing-link").symlink_to(tmp_path / "mine.part")
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.part", ".writing-link"}


def test_a_full_disk_refuses_a_lock_in_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from search.files import lock\n"
        "from search.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: lock(Path(sys.argv[1]))\n"
        "except UserError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "lock cannot be written (File too large)" in found.stdout
