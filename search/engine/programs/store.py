"""Compiled programs kept across runs: serialised executables in a folder of the user's own.

JAX's own persistent cache hits on the CPU as well (jaxlib 0.10.2), but it is a setting of the whole
process, is looked up by the lowered program, so that tracing and lowering are paid each time (a
seventh of the compilation, and under Python's lock), and knows neither the number of cores, for
which XLA divides the work when it compiles, nor a file that a kill cut off.
"""

import hashlib
import os
import pickle
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax
from jax.experimental import serialize_executable

from search.cores import cores
from search.data.cache_folder import root
from search.engine.private import NotPrivate, home, private_folder
from search.engine.processor import processor
from search.files import sweep, writing

# Bytes of all programs of a user, those for other machines and versions included.
LARGEST = 2**29
# What is left of them when they became too many.
_LEFT = 3 / 4
_MAGIC = b"convbudget-program/1\n"
_DIGEST = hashlib.sha256().digest_size
# Settings of the process that XLA reads where they stand.
_FLAGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
_SOURCES = {".py", ".h", ".cc"}
_PACKAGES = ("jax", "jaxlib", "numpy", "optax", "flax")


class ProgramStore:
    """The programs of one device in a folder. Safe to use from several threads and processes.

    Loading a program runs what its file says. So a file is read only if its owner is this user,
    and a damaged one is as good as absent: its content is checked before anything is made of it.
    """

    def __init__(self, folder: Path, device: jax.Device) -> None:
        """Keep programs in `folder`, which is this user's own; see `open_store`.

        A GPU keeps there too which kernels were fastest, as small files of XLA's.
        """
        self.folder, self._device = folder, device
        self._room = LARGEST - _shrink(folder.parent, LARGEST)

    def read(self, key: str) -> jax.stages.Compiled | None:
        """Return the program written under `key`; None where there is none that can be loaded."""
        content = _own_content(self.folder / _name(key))
        if content is None:
            return None
        try:
            serialised, inputs, outputs = pickle.loads(zlib.decompress(_checked(key, content)))
            program: jax.stages.Compiled = serialize_executable.deserialize_and_load(
                serialised,
                inputs,
                outputs,
                backend=self._device.client,
                execution_devices=[self._device],
            )
            return program
        except Exception:
            # Whatever this platform cannot load is compiled, as without a store.
            return None

    def write(self, key: str, program: jax.stages.Compiled) -> None:
        """Keep a program; does nothing where it cannot be serialised or the disk takes no more."""
        try:
            packed = zlib.compress(pickle.dumps(serialize_executable.serialize(program)), 1)
        except Exception:
            # Not every platform can, and not every program: calls back into Python, for one.
            return
        with suppress(OSError), writing(self.folder / _name(key), durable=False) as file:
            file.write(_MAGIC + _check(key, packed) + packed)
            self._room -= len(packed)
        if self._room < 0:
            self._room = LARGEST - _shrink(self.folder.parent, int(_LEFT * LARGEST))


def open_store(place: str | None, device: jax.Device) -> tuple[ProgramStore | None, str]:
    """Return where programs for `device` are kept, and a note where they are not, but should be.

    `place`: a folder, empty for the user's cache folder, None for nowhere. Others than this user
    must not be able to write there, nor may its file system lack owners.
    """
    if place is None:
        return None, ""
    folder = (Path(place).expanduser() if place else root()) / home()
    try:
        own = private_folder(folder / fingerprint(device))
        sweep(own)
    except NotPrivate as reason:
        return None, _note(str(reason))
    except OSError as error:
        return None, _note(f"{folder} cannot be written ({error.strerror})")
    return ProgramStore(own, device), ""


def fingerprint(device: jax.Device) -> str:
    """Return the name of the folder of programs that are right for this device and process.

    Programs are the same if and only if their keys are, and these: the code that makes them, the
    packages, the settings of JAX and XLA, and the machine, to the features of its processor.
    """
    settings = jax.config.values
    told = [
        *(f"{name} {version(name)}" for name in _PACKAGES),
        sys.version,
        _sources(),
        *(f"{name}={os.environ.get(name)}" for name in _FLAGS),
        *(f"{name}={settings[name]!r}" for name in sorted(settings) if _counts(name)),
        device.platform,
        device.client.platform_version,
        device.device_kind,
        # Which device of several: a program is loaded where it was compiled for.
        str(device.id),
        str(cores()),
        processor(),
    ]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    return f"{device.platform}-jaxlib{version('jaxlib')}-{digest}"


def _counts(setting: str) -> bool:
    """Say whether a setting of JAX may change programs; which devices are hidden does not."""
    return not setting.endswith("_visible_devices")


@cache
def _sources() -> str:
    """Return the digest of the code that programs are made by."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[2]
    for room in ("engine", "networks"):
        sources = (path for path in (package / room).rglob("*") if path.suffix in _SOURCES)
        for path in sorted(sources):
            digest.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _note(reason: str) -> str:
    return f"compiled programs are not kept: {reason}; cache.programs= names another folder"


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _check(key: str, packed: bytes) -> bytes:
    """Return what a file must begin with; it knows its key, so that no file stands for another."""
    return hashlib.sha256(key.encode() + b"\0" + packed).digest()


def _checked(key: str, content: bytes) -> bytes:
    start, packed = len(_MAGIC), content[len(_MAGIC) + _DIGEST :]
    if content[:start] != _MAGIC or content[start : start + _DIGEST] != _check(key, packed):
        raise ValueError("damaged")
    return packed


def _own_content(path: Path) -> bytes | None:
    """Return what a file of this user holds, which then counts as used now."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                with suppress(OSError):
                    os.utime(descriptor)
                return file.read()
    return None


def _shrink(home: Path, most: int) -> int:
    """Delete the programs least recently used until at most so many bytes are left; return those.

    Other processes may do the same.
    """
    found = sorted(_files(home))
    size = sum(size for _, size, _ in found)
    for _, bytes_, path in found:
        if size <= most:
            break
        with suppress(OSError):
            path.unlink()
        size -= bytes_
    return size


def _files(home: Path) -> Iterator[tuple[float, int, Path]]:
    for path in home.glob("*/*"):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                yield found.st_mtime, found.st_size, path
