"""Which jobs a sweep consists of, before any of them starts."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from search.errors import UserError, shown


def job_overrides(hydra: Hydra, name: str, words: Sequence[str]) -> list[list[str]]:
    """Return the overrides of each job that Hydra's own sweeper makes of `words`.

    Another sweeper proposes its jobs one after the other; of those nothing can be known, and each
    is checked when it starts.
    """
    config = hydra.compose_config(name, [*words], RunMode.MULTIRUN)
    sweeper = config.hydra.sweeper
    if sweeper._target_ != f"{BasicSweeper.__module__}.{BasicSweeper.__name__}":
        return []
    params: dict[str, Any] = {str(key): sweeper.params[key] for key in sweeper.params or ()}
    for key, values in params.items():
        if not isinstance(values, (str, int, float)):
            raise UserError(
                f"hydra.sweeper.params.{key}={shown(values)} is not a sweep; write it as on the"
                " command line, such as '1,2'"
            )
    if sweeper.max_batch_size is not None and sweeper.max_batch_size < 1:
        raise UserError(
            f"hydra.sweeper.max_batch_size={sweeper.max_batch_size} must be at least 1, or null"
        )
    lines = [*(f"{key}={values}" for key, values in params.items()), *config.hydra.overrides.task]
    parsed = OverridesParser.create(config_loader=hydra.config_loader).parse_overrides(lines)
    (jobs,) = BasicSweeper.split_arguments(parsed, None)
    return [[*config.hydra.overrides.hydra, *job] for job in jobs]
