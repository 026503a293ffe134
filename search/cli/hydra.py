"""The commands that are configured through Hydra; the only file that knows it.

Hydra composes the configuration and sweeps over it. What it would leave on the disk goes into a
temporary folder, for a study keeps its own configuration, and its many lines on a mistake become
one that names the nearest valid key.
"""

import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from yaml import YAMLError

from search.cli.arguments import Parser
from search.cli.run_help import configs
from search.config.run import RunConfig
from search.errors import Interrupted, UserError, nearest
from search.study.naming import study_name

_CONFIG = "config"
_GROUPS = ("data", "space", "strategy", "train", "executor")


def main(argv: Sequence[str]) -> int:
    """Run one study, or with `-m` one for each combination; returns the exit code.

    Raises `UserError` for a mistake in the command line or in a value.
    """
    parser = get_args_parser()
    parser.prog = "convbudget run"
    parser.error = _refuse  # type: ignore[method-assign]
    arguments = parser.parse_args(list(argv))
    setbase("1.3")
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
    path = _search_path(arguments.config_dir)
    overrides = with_data_sets(arguments.overrides, path)
    name = arguments.config_name or _CONFIG
    hydra = Hydra.create_main_hydra2("convbudget", path)
    try:
        with _explained(overrides, hydra):
            if arguments.help:
                hydra.app_help(name, parser, arguments)
            elif arguments.hydra_help:
                hydra.hydra_help(name, parser, arguments)
            elif arguments.info:
                hydra.show_info(arguments.info, config_name=name, overrides=overrides)
            elif arguments.shell_completion:
                hydra.shell_completion(name, overrides)
            elif arguments.cfg:
                hydra.show_cfg(name, overrides, arguments.cfg, arguments.package, arguments.resolve)
            elif arguments.multirun or hydra.get_mode(name, overrides) == RunMode.MULTIRUN:
                return _sweep(hydra, name, overrides)
            else:
                # Raised outside of Hydra's keeping, which would wrap it in lines of its own.
                composed = _composed(hydra, name, overrides)
                _run_one(_own(composed), composed.hydra)
            return 0
    finally:
        GlobalHydra.instance().clear()


def space(argv: Sequence[str]) -> int:
    """Show the space that the configuration describes; returns the exit code."""
    parser = Parser(
        prog="convbudget space",
        description="How many networks a space has, how many fit the budget, what they look like.",
        epilog="KEY=VALUE are those of convbudget run: data=digits space=small budget=200k seed=0",
    )
    parser.add_argument("override", nargs="*", metavar="KEY=VALUE", help="what to look at")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--config-dir", metavar="DIR", help="a folder of your own configs")
    arguments = parser.parse_args(list(argv))
    config = compose(arguments.override, arguments.config_dir)
    # Imported here: a mistake is answered before the data rooms are loaded.
    from search.cli.space import show
    from search.runner.images import chain_for

    chain = chain_for(config, Console(stderr=True))
    show(chain, *config.interval, seed=config.seed, as_json=arguments.json, out=sys.stdout)
    return 0


def compose(overrides: Sequence[str], config_dir: str | None = None) -> RunConfig:
    """Return the validated configuration that `overrides` describe."""
    setbase("1.3")
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
    path = _search_path(config_dir)
    overrides = with_data_sets(overrides, path)
    hydra = Hydra.create_main_hydra2("convbudget", path)
    try:
        with _explained(overrides, hydra):
            return _config(_own(_composed(hydra, _CONFIG, overrides)))
    finally:
        GlobalHydra.instance().clear()


def with_data_sets(overrides: Sequence[str], path: ConfigSearchPath) -> list[str]:
    """Let `data=NAME` stand for `data=tfds data.name=NAME` where no config has that name."""
    loader = ConfigLoaderImpl(path)
    known = loader.get_group_options("data")
    result = []
    for override in overrides:
        key, _, value = override.partition("=")
        if not key.strip("+~"):
            raise UserError(f"{override!r} has no key; write KEY=VALUE")
        if value.startswith("[") and key in _GROUPS:
            raise UserError(f"{override} names several configs at once; choose one, or sweep: -m")
        if (
            key == "data"
            and "tfds" in known
            and re.fullmatch(r"[\w/.:]+", value)
            and (value not in known)
        ):
            result += ["data=tfds", f"data.name={value}"]
        else:
            result.append(override)
    return result


def _composed(hydra: Hydra, name: str, overrides: Sequence[str]) -> DictConfig:
    config = hydra.compose_config(name, [*overrides], RunMode.RUN)
    HydraConfig.instance().set_config(config)
    return config


@dataclass(frozen=True)
class Prepared:
    """A study about to run: its checked configuration, its name, and its `config.yaml`."""

    config: RunConfig
    name: str
    text: str


def prepared(words: Sequence[str], own: Mapping[str, str]) -> Prepared:
    """Return the study that the command's words describe.

    `own` names parts that a caller put in the place of a group's config, for the study's name.
    """
    setbase("1.3")
    ConfigStore.instance().store(name="run_schema", node=RunConfig)
    path = _search_path(None)
    overrides = with_data_sets(words, path)
    hydra = Hydra.create_main_hydra2("convbudget", path)
    try:
        with _explained(overrides, hydra):
            composed = _composed(hydra, _CONFIG, overrides)
            config = _config(_own(composed))
            chosen, plain = _choices(composed.hydra)
            name = config.study or study_name(config, {**chosen, **own}, plain)
            return Prepared(config, name, OmegaConf.to_yaml(_own(composed), resolve=True))
    finally:
        GlobalHydra.instance().clear()


def _run_one(own: DictConfig, hydra: DictConfig) -> None:
    """Run the study that `own` describes; `hydra` says how it was composed."""
    from search.cli.run import run

    config = _config(own)
    name = config.study or study_name(config, *_choices(hydra))
    run(config, name, OmegaConf.to_yaml(own, resolve=True))


def _own(composed: DictConfig) -> DictConfig:
    """Return the configuration without Hydra's part of it."""
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])


def _sweep(hydra: Hydra, name: str, overrides: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="convbudget-sweep-") as folder:
        words = [*overrides, "hydra.mode=MULTIRUN"]
        # Launchers that keep their jobs' files there want a folder that outlives this process.
        if not any(word.startswith("hydra.sweep.dir=") for word in overrides):
            words.append(f"hydra.sweep.dir={folder}")
        returned = hydra.multirun(name, _sweep_job, words)
    jobs = [job for batch in returned or [] for job in batch]
    return 1 if any(job.return_value for job in jobs) else 0


def _sweep_job(own: DictConfig) -> int:
    """Run one job of a sweep; a failure is said here and must not stop the others."""
    try:
        _run_one(own, HydraConfig.get())  # type: ignore[arg-type]
    except UserError as error:
        print(f"convbudget: {error}", file=sys.stderr)
        return 1
    except Interrupted as error:
        # Past Hydra, which would go on with the next job.
        message, code = error.args
        print(f"convbudget: {message}", file=sys.stderr)
        raise SystemExit(code) from None
    except Exception:
        # A mistake of the program's, not of the user's: all of it is wanted.
        traceback.print_exc()
        return 1
    return 0


def _config(plain: DictConfig) -> RunConfig:
    """Turn Hydra's configuration into our own, checked."""
    typed = OmegaConf.structured(RunConfig)
    known = _keys(typed)
    unknown = [key for key in _keys(plain) if key not in known]
    if unknown:
        raise UserError(f"{unknown[0]} is no key; {_neighbours(unknown[0], known)}")
    config = cast(RunConfig, OmegaConf.to_object(OmegaConf.merge(typed, plain)))
    config.validate()
    return config


def _choices(hydra: DictConfig) -> tuple[dict[str, str], RunConfig]:
    """Return the chosen config of each group, and what they say when nothing is overridden."""
    groups = ("data", "space", "strategy")
    chosen = {group: str(hydra.runtime.choices[group]) for group in groups}
    path = create_config_search_path(None)
    path.get_path().clear()
    for source in hydra.runtime.config_sources:
        path.append(source.provider, f"{source.schema}://{source.path}")
    plain = ConfigLoaderImpl(path).load_configuration(
        hydra.job.config_name,
        [f"{group}={choice}" for group, choice in chosen.items()],
        RunMode.RUN,
    )
    typed = OmegaConf.merge(OmegaConf.structured(RunConfig), _own(plain))
    return chosen, cast(RunConfig, OmegaConf.to_object(typed))


def _search_path(config_dir: str | None) -> ConfigSearchPath:
    """Return where configs are: ours, in the wheel or the checkout, and the user's own."""
    path = create_config_search_path(str(configs()))
    if config_dir is not None:
        own = Path(config_dir).absolute()
        if not own.is_dir():
            raise UserError(
                f"--config-dir {config_dir} is no folder; name the one with your configs"
            )
        path.prepend("command-line", f"file://{own}", SearchPathQuery("schema", None))
    return path


def _refuse(message: str) -> NoReturn:
    raise UserError(f"{' '.join(message.split())}; convbudget run takes KEY=VALUE and --help")


@contextmanager
def _explained(overrides: Sequence[str], hydra: Hydra) -> Iterator[None]:
    """Turn Hydra's errors into one line each."""
    try:
        yield
    except YAMLError as error:
        raise UserError(f"a config is no YAML: {error}; mend that line of it") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explanation(error, overrides, hydra)) from error


def _explanation(error: BaseException, overrides: Sequence[str], hydra: Hydra) -> str:
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__
    text = "\n".join(texts)
    if found := re.search(r"Could not override '([^']+)'", text):
        return f"{found[1]} is no key; {_neighbours(found[1], _known_keys(hydra))}"
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, name = found[1], found[2]
        return f"{group}={name} is no config; {nearest(name, _options(hydra, group))}"
    if found := re.search(r"Ambiguous value for argument '([^']*)'", text):
        return f"{found[1]} has several values; add -m to run one study for each"
    if found := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return f"{found[2]} is no key; {_neighbours(found[2], _known_keys(hydra))}"
    if found := re.search(r"(Value .*)\n\s+full_key: (\S+)", text):
        return f"{found[2]}: {found[1]}"
    if found := re.search(r"In '([^']+)':.*\s+Key '([^']+)' not in '", text):
        close = _neighbours(f"{found[1].partition('/')[0]}.{found[2]}", _known_keys(hydra))
        return f"the config {found[1]} has {found[2]}, which is no key; {close}"
    if found := re.search(r"Error merging override (.*)", text):
        reason = texts[-1].splitlines()[0].rstrip(".")
        return (
            f"{found[1]} is no value of the right kind ({reason}); `convbudget run --cfg job` shows"
            " how it is written"
        )
    for override in overrides:
        if not _parses(override):
            return f"{override} cannot be read; write KEY=VALUE, and quote special signs"
    first = next(line.strip() for line in text.splitlines() if line.strip())
    return f"{first}; `convbudget run --cfg job` shows what can be set"


def _neighbours(key: str, known: Sequence[str]) -> str:
    """Name the valid keys closest to `key`, by the whole or by its last part."""
    from difflib import get_close_matches

    last = {full.rpartition(".")[2]: full for full in reversed(known)}
    word = key.rpartition(".")[2]
    close = [
        *get_close_matches(key, known, n=2, cutoff=0.6),
        *(last[match] for match in get_close_matches(word, last, n=2, cutoff=0.7)),
    ]
    if not close:
        return "`convbudget run --cfg job` shows all keys"
    return f"did you mean {' or '.join(dict.fromkeys(close))}?"


def _known_keys(hydra: Hydra) -> list[str]:
    return [*_keys(OmegaConf.structured(RunConfig)), *hydra.list_all_config_groups()]


def _options(hydra: Hydra, group: str) -> list[str]:
    return list(hydra.config_loader.get_group_options(group))


def _keys(config: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Return every dotted key; interpolations and missing values are not resolved."""
    keys: list[str] = []
    for key in config:
        name = f"{prefix}{key}"
        keys.append(name)
        node = config._get_node(key) if isinstance(config, DictConfig) else None
        if isinstance(node, DictConfig) and not node._is_none():
            keys += _keys(node, f"{name}.")
    return keys


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
