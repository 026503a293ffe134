"""The commands that are configured through Hydra, which composes the configuration and sweeps.

What Hydra would leave on the disk goes into a temporary folder, because a study keeps its own
configuration.
"""

import argparse
import logging
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from search.cli import launchers
from search.cli.hydra_errors import explained, group_options, keys, launched
from search.cli.hydra_sweep import job_overrides
from search.cli.launchers import JobEnd, Sweep
from search.cli.prepared import (
    Prepared,
    check_keys,
    checked,
    composing_schema,
    container,
    own_part,
    typed,
)
from search.cli.words import check_hydra_words, with_data_sets
from search.config import shipped
from search.config.run import RunConfig
from search.errors import Interrupted, UserError, nearest, one_line, shown
from search.runner.signals import stoppable
from search.units import counted

_CONFIG = "config"


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed options of `convbudget run` ask for; returns the exit code.

    Raises `UserError` for a mistake in the configuration, before anything has started.
    """
    name = arguments.config_name or _CONFIG
    with _hydra(arguments.config_dir) as hydra:
        words = with_data_sets(arguments.overrides, group_options(hydra, "data"))
        with explained(words, hydra):
            if arguments.hydra_help:
                with _logging_restored():
                    hydra.hydra_help(name, get_args_parser(), arguments)
                return 0
            if arguments.help or arguments.cfg or arguments.info:
                _print(hydra, name, words, arguments)
                return 0
            sweep = arguments.multirun or (
                not arguments.run and _mode(hydra, arguments, words) == RunMode.MULTIRUN
            )
            if sweep:
                jobs = _check_jobs(hydra, name, words)
            else:
                check_hydra_words(words)
                composed = _composed(hydra, name, words)
                prepared = checked(own_part(composed), composed.hydra)
        if sweep:
            return _launch(hydra, name, words, jobs)
        _run(prepared)
    return 0


def compose(overrides: Sequence[str], config_dir: str | None = None) -> RunConfig:
    """Return the checked configuration that `overrides` describe."""
    return prepare(overrides, {}, config_dir).config


def prepare(
    overrides: Sequence[str], own: Mapping[str, str], config_dir: str | None = None
) -> Prepared:
    """Return the study that the command's words describe.

    `own` names parts that the caller puts in the place of a group's config, for the study's name.
    """
    with _hydra(config_dir) as hydra:
        words = with_data_sets(overrides, group_options(hydra, "data"))
        with explained(words, hydra):
            composed = _composed(hydra, _CONFIG, words)
            return checked(own_part(composed), composed.hydra, own)


@contextmanager
def _hydra(config_dir: str | None) -> Iterator[Hydra]:
    """Make Hydra ready: our schema, our configs, and the user's own in `config_dir`."""
    setbase("1.3")
    ConfigStore.instance().store(name="run_schema", node=composing_schema())
    path = create_config_search_path(str(shipped.folder()))
    if config_dir is not None:
        own = f"file://{Path(config_dir).absolute()}"
        path.prepend("command-line", own, SearchPathQuery("schema", None))
    try:
        hydra = Hydra.create_main_hydra2("convbudget", path)
        launchers.rename_schemas()
        yield hydra
    finally:
        GlobalHydra.instance().clear()


def _composed(hydra: Hydra, name: str, overrides: Sequence[str]) -> DictConfig:
    config = hydra.compose_config(name, [*overrides], RunMode.RUN)
    HydraConfig.instance().set_config(config)
    if config.hydra.sweeper.get("params"):
        raise UserError("hydra.sweeper.params is for sweeps; add -m")
    return config


def _mode(hydra: Hydra, arguments: argparse.Namespace, words: Sequence[str]) -> RunMode | None:
    """Return what `hydra.mode` asks for; only the user's own words and files can set it."""
    own = arguments.config_dir or arguments.config_name
    if not own and not any(word.lstrip("+~").startswith("hydra") for word in words):
        return None
    mode: RunMode | None = hydra.get_mode(arguments.config_name or _CONFIG, [*words])
    return mode


def _print(hydra: Hydra, name: str, words: Sequence[str], arguments: argparse.Namespace) -> None:
    """Print the help, the configuration, or Hydra's information; values are not checked."""
    composed = _composed(hydra, name, words)
    own = own_part(composed)
    check_keys(own, composed.hydra)
    own = typed(own)
    if arguments.help:
        from search.cli.run_help import text

        chosen = {group: str(composed.hydra.runtime.choices[group]) for group in shipped.GROUPS}
        folders = [] if arguments.config_dir is None else [Path(arguments.config_dir)]
        print(text(container(own), chosen, folders))
    elif arguments.info:
        with _logging_restored():
            hydra.show_info(arguments.info, config_name=name, overrides=[*words])
    elif arguments.cfg == "job":
        print(_commented(own, arguments.package, arguments.resolve))
    else:
        hydra.show_cfg(name, [*words], arguments.cfg, arguments.package, arguments.resolve)


@contextmanager
def _logging_restored() -> Iterator[None]:
    """Undo what Hydra does to the root logger, through which it prints help and information."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _commented(own: DictConfig, package: str | None, resolve: bool) -> str:
    """Return the configuration, or the part `package` of it, as YAML with comments."""
    from search.cli.run_help import commented

    if package is None or package == "_global_":
        return commented(container(own, resolve))
    known = [key for key in keys(own) if OmegaConf.is_config(OmegaConf.select(own, key))]
    if package not in known:
        raise UserError(
            f"--package {shown(package)} is not a group of keys; {nearest(package, known)}"
        )
    return commented(container(OmegaConf.select(own, package), resolve), f"{package}.")


def _run(prepared: Prepared, console: Console | None = None) -> None:
    from search.cli.run import run as search

    search(prepared.config, prepared.name, prepared.text, console)


def _check_jobs(hydra: Hydra, name: str, words: Sequence[str]) -> int:
    """Compose and check every job of a sweep, before any of them starts; return how many.

    That is 0 with a sweeper that proposes them one after the other.
    Raises `UserError` also where two jobs with different settings would share a study, and for a
    budget without networks where the data tells its shape without being decoded.
    """
    from search.runner.budget import early_table

    studies: dict[Path, dict[str, Any]] = {}
    tabulated: list[tuple[Any, ...]] = []
    jobs = job_overrides(hydra, name, words)
    for job in jobs:
        composed = hydra.compose_config(name, job, RunMode.RUN)
        prepared = checked(own_part(composed), composed.hydra)
        settings = prepared.config.settings()
        folder = Path(prepared.config.outputs) / prepared.name
        if studies.setdefault(folder, settings) != settings:
            raise UserError(
                f"study={shown(prepared.name)} would be several studies with different settings;"
                " leave study= out, and each job names its own"
            )
        config = prepared.config
        # Jobs that differ in their seed, say, share one table.
        key = (config.data, config.space, config.interval)
        if key not in tabulated:
            early_table(config)
            tabulated.append(key)
    return len(jobs)


def _launch(hydra: Hydra, name: str, words: Sequence[str], jobs: int) -> int:
    """Hand the checked jobs to Hydra's launcher; returns 1 if any of them failed."""
    with tempfile.TemporaryDirectory(prefix="convbudget-sweep-") as folder:
        words = [*words, "hydra.mode=MULTIRUN"]
        with explained(words, hydra):
            sweep, logs = _sweep(hydra.compose_config(name, words, RunMode.MULTIRUN), jobs, folder)
        if not any(word.startswith("hydra.sweep.dir=") for word in words):
            # Without a subfolder for each job, which would stay empty.
            words += [f"hydra.sweep.dir={logs}", "hydra.sweep.subdir=."]
        if sweep.queued:
            handed = counted(jobs, "job") if jobs else "all jobs"
            print(f"{handed} by {sweep.launcher}; their logs lie in {logs}", flush=True)
        with launched(words, hydra), stoppable(launchers.stopped(sweep)):
            try:
                returned = hydra.multirun(name, partial(_sweep_job, sweep=sweep), words)
            except Exception as error:
                if sweep.launcher == launchers.BASIC:
                    raise
                if line := launchers.refused(error):
                    raise UserError(line) from error
                print(f"convbudget: {launchers.lost(error)}", file=sys.stderr)
                return 1
    ends = [job.return_value for batch in returned or [] for job in batch]
    if sweep.queued:
        for end in ends:
            if end.error:
                print(f"convbudget: {end.study}: {end.error}", file=sys.stderr)
    if summary := launchers.summary(ends):
        print(f"convbudget: {summary}", file=sys.stderr)
    return 1 if summary else 0


def _sweep(composed: DictConfig, jobs: int, folder: str) -> tuple[Sweep, str]:
    """Return how a sweep of `jobs` runs, and the folder that its launcher may write to.

    Those that leave logs want one that outlives this process and that other machines see.
    """
    launcher = str(composed.hydra.runtime.choices[shipped.LAUNCHER])
    at_once = launchers.jobs_at_once(launcher, composed.hydra.launcher, jobs or None)
    sweep = Sweep(launcher, at_once, Path(folder))
    if launcher == "submitit_slurm":
        launchers.prepare_slurm(composed.hydra.launcher.cpus_per_task)
    if launcher in (launchers.BASIC, "joblib"):
        return sweep, folder
    return sweep, f"{composed.outputs}/.sweeps/{datetime.now():%Y-%m-%d_%H-%M-%S}"


def _sweep_job(own: DictConfig, sweep: Sweep) -> JobEnd:
    """Run one job of a sweep; a failure is printed here and does not stop the others."""
    alone = sweep.launcher == launchers.BASIC
    label = " ".join(HydraConfig.get().overrides.task)
    try:
        prepared = checked(own, cast(DictConfig, HydraConfig.get()))
        label = prepared.name
        if alone:
            _run(prepared)
        else:
            launchers.take_share(sweep.folder, sweep.at_once)
            with launchers.stopped_at_the_limit():
                _run(prepared, launchers.console(label))
    except UserError as error:
        told = one_line(error)
        print(f"convbudget: {told if alone else f'{label}: {told}'}", file=sys.stderr)
        return JobEnd(label, told)
    except Interrupted as error:
        message, code = error.args
        print(f"convbudget: {message if alone else f'{label}: {message}'}", file=sys.stderr)
        # Without a result, submitit waits for that of the job's next start.
        if sweep.queued and not launchers.queued_again():
            return JobEnd(label, message)
        # Past Hydra, which would go on with the next job.
        raise SystemExit(code) from None
    except Exception as error:
        # A defect of this program, not a mistake of the user's: show the traceback.
        traceback.print_exc()
        return JobEnd(label, shown(f"{type(error).__name__}: {one_line(error)}", 300))
    return JobEnd(label)
