"""TFDS with its logs and bars kept off the terminal."""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what TFDS, absl, TensorFlow and their imports print away while inside."""
    from absl import logging as absl_logging

    # Read by TensorFlow's C++ part when it is first imported; a user's own values win. Whether
    # oneDNN is on is reported whatever the log level, unless it is off.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    verbosity = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.FATAL)
    downloads = logging.getLogger("urllib3")
    level = downloads.level
    downloads.setLevel(logging.ERROR)
    # TFDS prints advice of its own where TensorFlow is absent.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            yield
        finally:
            absl_logging.set_verbosity(verbosity)
            downloads.setLevel(level)
