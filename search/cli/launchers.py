"""Sweeps whose jobs run beside one another, through Hydra's launchers.

What the launchers do: joblib runs some jobs at once on this machine, submitit_local all of them,
submitit_slurm hands each to SLURM. Here is which share of a machine a job takes, and how its lines
and its end are told apart from those of the others.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TextIO, cast

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig
from rich.console import Console

from search.config import shipped
from search.config.shipped import LAUNCHER
from search.cores import cores
from search.errors import UserError, one_line, shown
from search.files import InUse, Lock, lock

BASIC = "basic"
# Characters of a line of a job's log.
_WIDTH = 120


@dataclass(frozen=True)
class Sweep:
    """How the jobs of a sweep run.

    `launcher` is its config in `hydra/launcher`. `at_once`: how many jobs share this machine at
    most, 1 where none has to share. `folder` is seen by all processes of this machine, as long as
    the sweep runs.
    """

    launcher: str
    at_once: int
    folder: Path

    @property
    def queued(self) -> bool:
        """Whether jobs are handed to submitit: processes of their own, each with a log file."""
        return self.launcher.startswith("submitit")


@dataclass(frozen=True)
class JobEnd:
    """How a job of a sweep ended; `error` is empty where all went well."""

    study: str
    error: str = ""


def rename_schemas() -> None:
    """Rename the plugins' own configs to `NAME_schema`, which the shipped files begin with.

    Hydra warns of a file that has the name of a config in its store. Call it after Hydra has looked
    for plugins, which it does once; of those that are not installed there is nothing to rename.
    """
    store = ConfigStore.instance()
    for name in shipped.choices(LAUNCHER):
        with suppress(HydraException):
            found = store.load(f"{LAUNCHER}/{name}.yaml")
            store.store(f"{name}_schema", found.node, group=LAUNCHER, provider=found.provider)
            del store._open(LAUNCHER)[f"{name}.yaml"]


def not_installed(text: str) -> str:
    """Return the line for a launcher without its plugin, if Hydra's error `text` tells of one."""
    found = re.search(rf"'{LAUNCHER}/(\w+)_schema'", text)
    if found is None or found[1] not in shipped.choices(LAUNCHER):
        return ""
    return (
        f"{LAUNCHER}={found[1]} needs a package that is not installed; pip install"
        " 'convbudget[launchers]', or leave it out to run one job after the other"
    )


def jobs_at_once(launcher: str, config: DictConfig, jobs: int | None) -> int:
    """Return how many of a sweep's `jobs` (None: unknown) run at once on this machine.

    `config` is that of the launcher. Raises `UserError` for joblib's `n_jobs=0`.
    """
    if launcher == "joblib":
        # As joblib counts: -1 is all cores, -2 all but one.
        wanted = cast(int, config.n_jobs)
        if wanted == 0:
            raise UserError(
                "hydra.launcher.n_jobs=0 runs nothing; give the number of jobs at once, or -1 for"
                " one on each core"
            )
        most = wanted if wanted > 0 else max(1, cores() + 1 + wanted)
        return most if jobs is None else min(most, jobs)
    if launcher == "submitit_local":
        return cores() if jobs is None else jobs
    return 1


def prepare_slurm(cpus: int | None) -> None:
    """Make this process ready to hand jobs of `cpus` cores each to SLURM.

    Raises `UserError` where there is none.
    """
    if shutil.which("srun") is None:
        raise UserError(
            "hydra/launcher=submitit_slurm needs SLURM's commands, and there is no srun here; run"
            " it where SLURM takes jobs, or choose submitit_local"
        )
    if cpus is not None:
        # From SLURM 22.05 on, srun does not go by what sbatch was asked for.
        os.environ["SRUN_CPUS_PER_TASK"] = str(cpus)
    asked = ["sacct", "--starttime=now"]
    if shutil.which("sacct") is None or subprocess.run(asked, capture_output=True).returncode:
        _watch_by_squeue()


def _watch_by_squeue() -> None:
    """Have submitit ask squeue about its jobs, where SLURM keeps no accounts that sacct can show.

    It would complain at each try, and wait for ever for a job that ended without a result.
    """
    from submitit.slurm import slurm

    class Watcher(slurm.SlurmInfoWatcher):
        def _make_command(self) -> list[str] | None:
            asked = ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T"]
            return asked if self._registered - self._finished else None

        def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
            text = string if isinstance(string, str) else string.decode()
            found = super().read_info(f"JobID|State\n{text}")
            # Minutes after its end SLURM forgets a job.
            return {job: found.get(job, {"State": "ENDED"}) for job in self._registered}

    slurm.SlurmJob.watcher = Watcher(delay_s=60)


def refused(error: Exception) -> str:
    """Return the line for jobs that SLURM did not take; empty if `error` is not of that kind."""
    cause = error.__cause__
    if not isinstance(cause, subprocess.CalledProcessError):
        return ""
    said = [line.removeprefix("sbatch: error: ") for line in str(cause.stderr).splitlines()]
    reason = "; ".join(said)
    return f"SLURM refused the jobs ({shown(reason, 300)}); correct hydra.launcher's values"


def queued_again() -> bool:
    """Whether this is a job of submitit's that SLURM stops now and starts again later."""
    if os.environ.get("SUBMITIT_EXECUTOR") != "slurm" or shutil.which("scontrol") is None:
        return False
    job = os.environ["SLURM_JOB_ID"]
    told = subprocess.run(
        ["scontrol", "show", "job", job], capture_output=True, text=True, check=False
    )
    found = re.search(r"\bRestarts=(\d+)", told.stdout)
    return found is not None and int(found[1]) > int(os.environ.get("SLURM_RESTART_COUNT", "0"))


@cache
def take_share(folder: Path, at_once: int) -> Lock | None:
    """Keep this process to a share of the cores that no other job of the sweep has, until its end.

    To be called before JAX starts its threads, one for each core; jobs that all had all cores would
    wait for each other's. Returns what holds the share: a lock in `folder`, None where shares are
    not held (one job at once, no locks, or a system that does not bind processes to cores).
    """
    if at_once == 1:
        return None
    # On a GPU the first to come would take three quarters of its memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if not hasattr(os, "sched_setaffinity"):
        return None
    mine = sorted(os.sched_getaffinity(0))
    for place in range(at_once):
        try:
            held = lock(folder / f"cores-{place}")
        except InUse:
            continue
        if not held.held:
            return None
        os.sched_setaffinity(0, share(mine, place, at_once))
        return held
    return None


def share(available: Sequence[int], place: int, at_once: int) -> list[int]:
    """Return the cores of the job at `place` among `at_once`, of the numbers `available`.

    Equal shares up to one core; with fewer cores than jobs, each has one, and some share it.
    """
    count = len(available)
    if at_once >= count:
        return [available[place % count]]
    return [*available[place * count // at_once : (place + 1) * count // at_once]]


@contextmanager
def stopped_at_the_limit() -> Iterator[None]:
    """End what is inside as Ctrl-C does, where submitit cannot queue a job again at its time limit.

    submitit's handler of the signal then raises an exception, wherever the program is, and from an
    evaluator that would be taken for the failure of the candidate it was training.
    """
    before = {
        number: handler
        for name in ("SIGUSR1", "SIGUSR2")
        if (number := getattr(signal, name, None)) is not None
        and callable(handler := signal.getsignal(number))
    }

    def stop(number: int, frame: FrameType | None) -> None:
        try:
            before[signal.Signals(number)](number, frame)
        except Exception as error:
            raise KeyboardInterrupt from error

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def console(name: str) -> Console:
    """Return the console of a job beside others: plain lines, each behind its study's name."""
    return Console(file=cast(TextIO, _Labelled(sys.stdout, name)), width=_WIDTH)


class _Labelled:
    """A text file that puts a label before each line.

    What is written at once, such as a table, stays together.
    """

    def __init__(self, file: TextIO, label: str) -> None:
        self._file, self._label, self._rest = file, label, ""
        self.encoding = file.encoding

    def write(self, text: str) -> int:
        whole, newline, rest = f"{self._rest}{text}".rpartition("\n")
        self._rest = rest
        if newline:
            lines = whole.split("\n")
            self._file.write("".join(f"{self._label}: {line.rstrip()}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    def isatty(self) -> bool:
        return False


def summary(ends: Sequence[JobEnd]) -> str:
    """Return the line that says which jobs of a sweep failed; empty if none did."""
    failed = [shown(end.study) for end in ends if end.error]
    if not failed:
        return ""
    return f"{len(failed)} of {len(ends)} jobs failed: {', '.join(failed)}"


def lost(error: Exception) -> str:
    """Return the line for a job that ended without saying how: killed, or out of memory."""
    return (
        f"a job of the sweep was lost ({shown(f'{type(error).__name__}: {one_line(error)}', 300)});"
        " what its study and the others recorded is kept, and the same command goes on"
    )


def stopped(sweep: Sweep) -> str:
    """Return the line for a sweep that the user stops."""
    if sweep.launcher == "submitit_slurm":
        return "stopped waiting for the jobs, which stay with SLURM; scancel ends them"
    return "stopped; what was recorded is kept, and the same command goes on"
