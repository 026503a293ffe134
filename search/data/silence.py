"""TFDS with its logs and bars kept off the terminal."""

import contextlib
import os
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what TFDS, absl, TensorFlow and their imports print away while inside."""
    from absl import logging

    # Read by TensorFlow's C++ part when it is first imported; a user's own value wins.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_datasets as tfds

            tfds.disable_progress_bar()
            yield
        finally:
            logging.set_verbosity(verbosity)
