"""Compiles the C++ kernels once for this processor and keeps them in the user's cache folder."""

import ctypes
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import jax

from search.data.cache_folder import root
from search.engine.private import NotPrivate, home, private_folder
from search.engine.processor import processor

_KINDS, _RESULTS = ("standard", "depthwise"), ("forward", "to_input", "to_kernel")
HANDLERS = (
    *(f"{kind}_{result}" for kind in _KINDS for result in _RESULTS),
    *("moments", "scaled", "normalise_backward", "adam", "momentum", "blended"),
    *("network_forward", "network_evaluate", "network_backward"),
)
# Without errno, which nobody reads, roots are taken of whole vectors.
_FLAGS = ("-O3", "-fno-math-errno", "-std=c++17", "-fPIC", "-shared", "-pthread")
# Of this machine's processor; the second where a compiler does not know the first.
_PROCESSOR = ("-march=native", "-mcpu=native")
_COMPILERS = ("c++", "g++", "clang++")
# Seconds; it takes some ten on one core, and sixty where the compiler compiles its own library.
_PATIENCE = 600
_FOLDER = Path(__file__).parent


class Kernels(NamedTuple):
    """`prefix` of the names under which XLA knows the handlers, empty where there are none.

    `note`: why there are none, and what helps.
    """

    prefix: str
    note: str = ""


@cache
def kernels() -> Kernels:
    """Load the kernels and tell XLA of them; compiles them first where they are not there yet.

    Never raises: without them the engine uses forms written in JAX, whose results are the same but
    for rounding.
    """
    digest = _digest()
    try:
        library = _loaded()
    except _Missing as missing:
        return Kernels("", f"the C++ kernels are not used: {missing}")
    prefix = f"convbudget_{digest}_"
    for name in HANDLERS:
        handler = jax.ffi.pycapsule(getattr(library, name))
        jax.ffi.register_ffi_target(prefix + name, handler, platform="cpu")
    return Kernels(prefix)


def to_be_compiled() -> bool:
    """Whether `kernels` is going to compile them, some ten seconds on one core."""
    kept = _kept()
    try:
        # Nothing is made here.
        there = kept.parent.is_dir() and (private_folder(kept.parent) / kept.name).is_file()
    except NotPrivate:
        there = False
    return not there and bool(_compilers())


class _Missing(Exception):
    """Why there are no kernels."""


def _loaded() -> ctypes.CDLL:
    """Load the library of this user's cache folder, or of a passing one where it has none."""
    kept = _kept()
    with ExitStack() as stack:
        try:
            folder = private_folder(kept.parent)
        except NotPrivate:
            passing = tempfile.TemporaryDirectory(prefix="convbudget-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(passing))
        path = folder / kept.name
        try:
            if not path.is_file():
                _compile(path)
            library = ctypes.CDLL(str(path))
            # The folder is cleared of what was not used for longest.
            with suppress(OSError):
                os.utime(path)
            return library
        except OSError as error:
            # A damaged one shall not be met again.
            path.unlink(missing_ok=True)
            raise _Missing(f"they cannot be loaded ({error})") from error


def _compile(path: Path) -> None:
    """Write the library `path` by the first compiler that can, whole or not at all."""
    compilers = _compilers()
    if not compilers:
        raise _Missing(
            "no C++ compiler was found, and trainings take twice as long without them; install one"
            " (apt install g++, or pip install 'convbudget[native]'), or name it in CXX"
        )
    told = ""
    for compiler in compilers:
        for flag in _PROCESSOR:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
                made = Path(folder) / path.name
                source = str(_FOLDER / "kernels.cc")
                headers = ("-isystem", jax.ffi.include_dir())
                command = [*compiler, *_FLAGS, flag, *headers, source, "-o", str(made)]
                told = _run(command)
                if not told:
                    os.replace(made, path)
                    return
    raise _Missing(
        f"{shlex.join(compilers[-1])} failed to compile them ({told}); name another compiler in"
        " CXX, or choose train.convolutions=jax"
    )


def _run(command: list[str]) -> str:
    """Run a compiler; returns nothing, or the first error that it tells."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = done.stderr.splitlines() or [f"exit code {done.returncode}"]
    return next((line for line in lines if "error" in line), lines[0])[:200]


def _compilers() -> list[list[str]]:
    """Return the commands to try: of CXX, of the system, of the package `ziglang`."""
    found: list[list[str]] = []
    with suppress(ValueError):
        if chosen := shlex.split(os.environ.get("CXX", "")):
            return [chosen]
    found += [[path] for name in _COMPILERS if (path := shutil.which(name))]
    if importlib.util.find_spec("ziglang") is not None:
        found.append([sys.executable, "-m", "ziglang", "c++"])
    return found


def _kept() -> Path:
    """Return where the library lies, if this user has a cache folder of their own."""
    return root() / home() / "kernels" / f"kernels-{_digest()}.so"


@cache
def _digest() -> str:
    """Return what tells libraries apart: their sources, flags, XLA's headers and the processor."""
    digest = hashlib.sha256(repr((_FLAGS, version("jaxlib"), processor())).encode())
    for path in sorted([*_FOLDER.glob("*.h"), *_FOLDER.glob("*.cc")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
