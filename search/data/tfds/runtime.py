"""TFDS and TensorFlow as this package uses them: silent, and off the accelerators."""

import contextlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Iterator

from search.errors import UserError

_INSTALL = "pip install 'convbudget[tfds]'"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress what TFDS, absl, TensorFlow and their imports print."""
    from absl import logging as absl_logging

    # Read by TensorFlow's C++ part when it is first imported; a user's own values win. TensorFlow
    # reports that oneDNN is on at every log level, so oneDNN is turned off.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    downloads = logging.getLogger("urllib3")
    level = downloads.level
    downloads.setLevel(logging.ERROR)
    # TFDS prints advice of its own where TensorFlow is not installed.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            yield
        finally:
            absl_logging.set_verbosity(verbosity)
            downloads.setLevel(level)


def require_tensorflow(why: str) -> None:
    """Import TensorFlow and hide the accelerators from it, as they belong to JAX.

    Raises `UserError` with `why` and how to install it where TensorFlow is missing.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"{why}: {_INSTALL}, or set data.dir= to a folder with an array_record copy"
        )
    import tensorflow

    tensorflow.config.set_visible_devices([], "GPU")
