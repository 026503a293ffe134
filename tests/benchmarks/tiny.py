"""What long runs train, and what they watch: networks of 6×5 pixels, and a process's resources."""

import os
from pathlib import Path

from search.networks.arch import Arch, Block, Head, Input, Stem


def network(number: int) -> Arch:
    """A network unlike those of all other numbers."""
    stem, width = divmod(number, 50)
    return Arch(Input(6, 5, 1), Stem(4 + stem), (Block("conv", 4 + width, 3, 2),), Head(), 3)


def held(process: int | str) -> dict[str, float]:
    """Return a process's megabytes, threads and open files; Linux only."""
    place = Path(f"/proc/{process}")
    pages = int((place / "statm").read_text().split()[1])
    return {
        "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "threads": float(len(os.listdir(place / "task"))),
        "files": float(len(os.listdir(place / "fd"))),
    }
