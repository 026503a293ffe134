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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf

from search.cli.hydra_errors import explained, keys, launched, no_key
from search.cli.hydra_sweep import job_overrides
from search.cli.words import check_flags, check_hydra_words, with_data_sets
from search.config import shipped
from search.config.run import RunConfig
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.errors import Interrupted, UserError, nearest, one_line, shown
from search.study.naming import study_name
from search.study.study import check_name

_CONFIG = "config"
# Their choices are part of a study's name.
_NAMING = ("data", "space", "strategy")


@dataclass(frozen=True)
class Prepared:
    """A study about to run: its checked configuration, its name, and its `config.yaml`."""

    config: RunConfig
    name: str
    text: str


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed options of `convbudget run` ask for; returns the exit code.

    Raises `UserError` for a mistake in the configuration, before anything has started.
    """
    name = arguments.config_name or _CONFIG
    with _hydra(arguments.config_dir) as hydra:
        words = with_data_sets(arguments.overrides, _options(hydra, "data"))
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
                _check_jobs(hydra, name, words)
            else:
                check_hydra_words(words)
                prepared = _prepared(_composed(hydra, name, words))
        if sweep:
            return _launch(hydra, name, words)
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
        words = with_data_sets(overrides, _options(hydra, "data"))
        with explained(words, hydra):
            composed = _composed(hydra, _CONFIG, words)
            return _checked(_own(composed), composed.hydra, own)


@contextmanager
def _hydra(config_dir: str | None) -> Iterator[Hydra]:
    """Make Hydra ready: our schema, our configs, and the user's own in `config_dir`."""
    setbase("1.3")
    ConfigStore.instance().store(name="run_schema", node=_schema())
    path = create_config_search_path(str(shipped.folder()))
    if config_dir is not None:
        own = f"file://{Path(config_dir).absolute()}"
        path.prepend("command-line", own, SearchPathQuery("schema", None))
    try:
        yield Hydra.create_main_hydra2("convbudget", path)
    finally:
        GlobalHydra.instance().clear()


def _schema() -> DictConfig:
    """Return the schema that the files differ from: plain defaults, and writable.

    `RunConfig()` is what the default files compose to, so what they set is taken out again.
    """
    plain = RunConfig(strategy=StrategyConfig(), train=TrainConfig())
    schema = cast(DictConfig, OmegaConf.structured(plain))
    # OmegaConf makes frozen dataclasses read-only, and overrides could not be applied.
    schema._set_flag("readonly", None)
    for key in schema:
        node = schema._get_node(key)
        if isinstance(node, DictConfig):
            node._set_flag("readonly", None)
    return schema


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


def _prepared(composed: DictConfig) -> Prepared:
    """Check what Hydra composed, and name the study."""
    return _checked(_own(composed), composed.hydra)


def _checked(
    own: DictConfig, hydra: DictConfig, parts: Mapping[str, str] | None = None
) -> Prepared:
    _check_keys(own, hydra)
    check_flags(hydra.overrides.task)
    config = OmegaConf.to_object(OmegaConf.merge(_schema(), own))
    assert isinstance(config, RunConfig)
    chosen, plain = _choices(hydra)
    named = {**chosen, **(parts or {})}
    name = check_name(config.study or study_name(config, named, plain))
    return Prepared(config, name, OmegaConf.to_yaml(own, resolve=True))


def _check_keys(own: DictConfig, hydra: DictConfig) -> None:
    """Refuse keys that the schema does not have, and a group without a config."""
    for group in shipped.GROUPS:
        if hydra.runtime.choices.get(group) is None:
            known = ", ".join(shipped.choices(group))
            raise UserError(f"no {group} is chosen, and one is needed; known are {known}")
    known_keys, given = keys(_schema()), keys(own)
    if unknown := [key for key in given if key not in known_keys]:
        raise UserError(no_key(unknown[0], known_keys))


def _choices(hydra: DictConfig) -> tuple[dict[str, str], Mapping[str, Any]]:
    """Return the chosen config of each group, and the values that these alone compose to."""
    chosen = {group: str(hydra.runtime.choices[group]) for group in _NAMING}
    path = create_config_search_path(None)
    path.get_path().clear()
    for source in hydra.runtime.config_sources:
        path.append(source.provider, f"{source.schema}://{source.path}")
    plain = ConfigLoaderImpl(path).load_configuration(
        hydra.job.config_name,
        [f"{group}={choice}" for group, choice in chosen.items()],
        RunMode.RUN,
    )
    return chosen, _container(cast(DictConfig, OmegaConf.merge(_schema(), _own(plain))))


def _own(composed: DictConfig) -> DictConfig:
    """Return the configuration without Hydra's part of it."""
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])


def _options(hydra: Hydra, group: str) -> list[str]:
    return list(hydra.config_loader.get_group_options(group))


def _print(hydra: Hydra, name: str, words: Sequence[str], arguments: argparse.Namespace) -> None:
    """Print the help, the configuration, or Hydra's information; values are not checked."""
    composed = _composed(hydra, name, words)
    own = _own(composed)
    _check_keys(own, composed.hydra)
    if arguments.help:
        from search.cli.run_help import text

        chosen = {group: str(composed.hydra.runtime.choices[group]) for group in shipped.GROUPS}
        folders = [] if arguments.config_dir is None else [Path(arguments.config_dir)]
        print(text(_container(own), chosen, folders))
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


def _container(config: DictConfig, resolve: bool = True) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], OmegaConf.to_container(config, resolve=resolve))


def _commented(own: DictConfig, package: str | None, resolve: bool) -> str:
    """Return the configuration, or the part `package` of it, as YAML with comments."""
    from search.cli.run_help import commented

    if package is None or package == "_global_":
        return commented(_container(own, resolve))
    known = [key for key in keys(own) if OmegaConf.is_config(OmegaConf.select(own, key))]
    if package not in known:
        raise UserError(
            f"--package {shown(package)} is not a group of keys; {nearest(package, known)}"
        )
    return commented(_container(OmegaConf.select(own, package), resolve), f"{package}.")


def _run(prepared: Prepared) -> None:
    from search.cli.run import run as search

    search(prepared.config, prepared.name, prepared.text)


def _check_jobs(hydra: Hydra, name: str, words: Sequence[str]) -> None:
    """Compose and check every job of a sweep, before any of them starts.

    Raises `UserError` also where two jobs with different settings would share a study, and for a
    budget without networks where the data tells its shape without being decoded.
    """
    from search.runner.budget import early_table

    studies: dict[Path, dict[str, Any]] = {}
    tabulated: list[tuple[Any, ...]] = []
    for job in job_overrides(hydra, name, words):
        prepared = _prepared(hydra.compose_config(name, job, RunMode.RUN))
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


def _launch(hydra: Hydra, name: str, words: Sequence[str]) -> int:
    """Hand the checked jobs to Hydra's launcher; returns 1 if any of them failed."""
    with tempfile.TemporaryDirectory(prefix="convbudget-sweep-") as folder:
        words = [*words, "hydra.mode=MULTIRUN"]
        # Launchers that keep their jobs' files there want a folder that outlives this process.
        if not any(word.startswith("hydra.sweep.dir=") for word in words):
            words.append(f"hydra.sweep.dir={folder}")
        with launched(words, hydra):
            returned = hydra.multirun(name, _sweep_job, words)
    results = [job for batch in returned or [] for job in batch]
    return 1 if any(job.return_value for job in results) else 0


def _sweep_job(own: DictConfig) -> int:
    """Run one job of a sweep; a failure is printed here and does not stop the others."""
    try:
        _run(_checked(own, cast(DictConfig, HydraConfig.get())))
    except UserError as error:
        print(f"convbudget: {one_line(error)}", file=sys.stderr)
        return 1
    except Interrupted as error:
        # Past Hydra, which would go on with the next job.
        message, code = error.args
        print(f"convbudget: {message}", file=sys.stderr)
        raise SystemExit(code) from None
    except Exception:
        # A defect of this program, not a mistake of the user's: show the traceback.
        traceback.print_exc()
        return 1
    return 0
