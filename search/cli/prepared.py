"""From what Hydra composed to a study: its configuration checked, and its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import AnyNode, DictConfig, OmegaConf

from search.cli.hydra_errors import keys, no_key
from search.cli.run_help import written
from search.config import shipped
from search.config.run import RunConfig
from search.config.settings import walk
from search.config.strategy import StrategyConfig
from search.config.train import TrainConfig
from search.errors import UserError
from search.study.naming import study_name
from search.study.study import check_name

# Their choices are part of a study's name.
_NAMING = ("data", "space", "strategy")
_FLAGS = [key for key, _, default in walk(RunConfig()) if isinstance(default, bool)]


@dataclass(frozen=True)
class Prepared:
    """A study about to run: its checked configuration, its name, and its `config.yaml`."""

    config: RunConfig
    name: str
    text: str


def schema() -> DictConfig:
    """Return the schema that the files differ from: plain defaults, and writable.

    `RunConfig()` is what the default files compose to, so what they set is taken out again.
    """
    plain = RunConfig(strategy=StrategyConfig(), train=TrainConfig())
    found = cast(DictConfig, OmegaConf.structured(plain))
    # OmegaConf makes frozen dataclasses read-only, and overrides could not be applied.
    found._set_flag("readonly", None)
    for key in found:
        node = found._get_node(key)
        if isinstance(node, DictConfig):
            node._set_flag("readonly", None)
    return found


def composing_schema() -> DictConfig:
    """Return `schema` for Hydra to compose by: flags take any value, which `typed` then checks."""
    found = schema()
    for key in _FLAGS:
        group, _, name = key.rpartition(".")
        parent = OmegaConf.select(found, group) if group else found
        parent.__dict__["_content"][name] = AnyNode(parent[name], key=name, parent=parent)
    return found


def typed(own: DictConfig) -> DictConfig:
    """Return a configuration with the types of the schema.

    Raises `UserError` for a number where true or false is meant; OmegaConf takes any but 0 for
    true.
    """
    for key in _FLAGS:
        value = OmegaConf.select(own, key)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            raise UserError(f"{key}={written(value)} must be true or false")
    return cast(DictConfig, OmegaConf.merge(schema(), own))


def checked(own: DictConfig, hydra: DictConfig, parts: Mapping[str, str] | None = None) -> Prepared:
    """Check the configuration `own`, which came with Hydra's part `hydra`, and name the study.

    `parts` as `own` of `hydra.prepare`. Raises `UserError` that names the key and the rule.
    """
    check_keys(own, hydra)
    own = typed(own)
    config = OmegaConf.to_object(own)
    assert isinstance(config, RunConfig)
    chosen, plain = _choices(hydra)
    named = {**chosen, **(parts or {})}
    name = check_name(config.study or study_name(config, named, plain))
    return Prepared(config, name, OmegaConf.to_yaml(own, resolve=True))


def check_keys(own: DictConfig, hydra: DictConfig) -> None:
    """Refuse keys that the schema does not have, and a group without a config."""
    for group in shipped.GROUPS:
        if hydra.runtime.choices.get(group) is None:
            known = ", ".join(shipped.choices(group))
            raise UserError(f"no {group} is chosen, and one is needed; known are {known}")
    known_keys, given = keys(schema()), keys(own)
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
    return chosen, container(cast(DictConfig, OmegaConf.merge(schema(), own_part(plain))))


def own_part(composed: DictConfig) -> DictConfig:
    """Return the configuration without Hydra's part of it."""
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])


def container(config: DictConfig, resolve: bool = True) -> Mapping[str, Any]:
    """Return a configuration as plain mappings and lists."""
    return cast(Mapping[str, Any], OmegaConf.to_container(config, resolve=resolve))
