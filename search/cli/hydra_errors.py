"""Hydra's errors as one line each: the value, the rule, and the nearest valid key."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from search.cli.launchers import not_installed
from search.config.checks import check_key
from search.config.run import RunConfig
from search.errors import Interrupted, UserError, nearest, one_line, shown

_ALL_KEYS = "`convbudget run --cfg job` shows all keys"


@contextmanager
def explained(overrides: Sequence[str], hydra: Hydra) -> Iterator[None]:
    """Turn any exception raised while a configuration is composed into a `UserError`.

    Hydra, OmegaConf and the parser beneath raise their own exceptions, but on some words also a
    bare `ValueError`, `TypeError`, `AssertionError` or `RecursionError`. Composing depends on the
    user's words and files alone, so each of these is a mistake in them.
    """
    try:
        with warnings.catch_warnings():
            # Such as a folder of hydra.searchpath that does not exist.
            warnings.simplefilter("error", UserWarning)
            yield
    except (UserError, Interrupted, BrokenPipeError):
        raise
    except YAMLError as error:
        raise UserError(
            f"a config is not valid YAML: {one_line(error)}; correct that line of it"
        ) from error
    except RecursionError as error:
        longest = shown(max(overrides, key=len)) if overrides else "a config"
        raise UserError(f"{longest} is nested too deep; write it flat") from error
    except Exception as error:
        raise UserError(_explanation(error, overrides, hydra)) from error


@contextmanager
def launched(overrides: Sequence[str], hydra: Hydra) -> Iterator[None]:
    """Turn Hydra's own errors, such as a launcher's, into a `UserError`; others pass."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explanation(error, overrides, hydra)) from error


def keys(config: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Return every dotted key; interpolations and missing values are not resolved."""
    found: list[str] = []
    for key in config:
        name = f"{prefix}{key}"
        found.append(name)
        node = config._get_node(key) if isinstance(config, DictConfig) else None
        if isinstance(node, DictConfig) and not node._is_none() and not node._is_missing():
            found += keys(node, f"{name}.")
    return found


def no_key(key: str, known: Sequence[str]) -> str:
    """Return the line for a key that does not exist, with its nearest neighbours."""
    return f"{shown(key)} is not a key; {_neighbours(key, known)}"


def _explanation(error: BaseException, overrides: Sequence[str], hydra: Hydra) -> str:
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__
    text = "\n".join(texts)
    if line := not_installed(text):
        return line
    if found := re.search(r"Could not override '([^']+)'", text):
        return no_key(found[1], _known_keys(hydra))
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, name = found[1], found[2]
        return (
            f"{shown(group)}={shown(name)} is not a config;"
            f" {nearest(name, group_options(hydra, group))}"
        )
    if found := re.search(r"Ambiguous value for argument '([^']*)'", text):
        return f"{shown(found[1])} has several values; add -m to run one study for each"
    if found := re.search(r"Sweep parameters '([^']*)' requires", text):
        return f"{shown(found[1])} has several values; add -m to run one study for each"
    if found := re.search(r"An item is already at '([^']*)'", text):
        return f"{shown(found[1])} is a key already; leave out the +"
    if found := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return no_key(found[2], _known_keys(hydra))
    if found := re.search(r"(Value .*)\n\s+full_key: (\S+)", text):
        named = re.match(r"Value '(.*)' of type", found[1])
        told = _refused(found[2], overrides, named[1] if named else "")
        return told or f"{shown(found[2])}: {shown(found[1], 200)}"
    if found := re.search(r"In '([^']+)':.*\s+Key '([^']+)' not in '", text):
        close = _neighbours(f"{found[1].partition('/')[0]}.{found[2]}", _known_keys(hydra))
        return f"the config {shown(found[1])} has {shown(found[2])}, which is not a key; {close}"
    if found := re.search(r"Error merging override (.*)", text):
        key, _, value = found[1].lstrip("+").partition("=")
        if said := _refused(key, overrides, value):
            return said
        reason = texts[-1].splitlines()[0].rstrip(".") if texts[-1] else type(error).__name__
        return (
            f"{shown(found[1])} is not a value of the right type ({shown(reason, 200)});"
            " `convbudget run --cfg job` shows how it is written"
        )
    if (unreadable := _unreadable(overrides)) is not None:
        return f"{shown(unreadable)} cannot be read; write KEY=VALUE, and quote special signs"
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        reason = shown(text.strip() or type(error).__name__, 200)
        return f"{shown(' '.join(overrides), 200)} cannot be used ({reason}); {_ALL_KEYS}"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return f"{shown(first, 300)}; `convbudget run --cfg job` shows what can be set"


def _refused(key: str, overrides: Sequence[str], value: str) -> str:
    """Say in our own words why a key cannot have its value, shown as it was typed if it was."""
    typed = [word.lstrip("+").partition("=") for word in overrides]
    value = next((text for name, _, text in reversed(typed) if name == key), value)
    try:
        check_key(RunConfig(), key, value)
    except UserError as error:
        return str(error)
    return ""


def _neighbours(key: str, known: Sequence[str]) -> str:
    """Name the valid keys closest to `key`, by the whole or by its last part."""
    from difflib import get_close_matches

    # Comparing takes quadratic time, and no key is that long.
    key = key[:100]
    last = {full.rpartition(".")[2]: full for full in reversed(known)}
    word = key.rpartition(".")[2]
    close = [
        *get_close_matches(key, known, n=2, cutoff=0.6),
        *(last[match] for match in get_close_matches(word, last, n=2, cutoff=0.7)),
    ]
    return f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else _ALL_KEYS


def _known_keys(hydra: Hydra) -> list[str]:
    return [*keys(OmegaConf.structured(RunConfig)), *hydra.list_all_config_groups()]


def group_options(hydra: Hydra, group: str) -> list[str]:
    """Return the names of the configs in a group."""
    return list(hydra.config_loader.get_group_options(group))


def _unreadable(overrides: Sequence[str]) -> str | None:
    """Return the first word that does not parse as an override."""
    parser = OverridesParser.create()
    for override in overrides:
        try:
            parser.parse_override(override)
        except Exception:
            return override
    return None
