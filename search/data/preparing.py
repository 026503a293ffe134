"""Preparing data with TFDS: the digits here, anything else where TensorFlow is installed."""

import os
import shutil
from pathlib import Path

from search.data.cache import locked, writable
from search.data.silence import quiet


def prepare_digits(cache: Path, *, again: bool = False) -> Path:
    """The folder of the prepared digits inside the cache, made in a second or two if not there.

    `again` removes what is there first. Safe against two processes and a kill half-way. Raises
    `UserError` where the cache can't be written.
    """
    from search.data.digits import VERSION, Digits

    home = cache / "tfds"
    folder = home / Digits.name / VERSION
    if folder.is_dir() and not again:
        return folder
    with writable(cache, "the prepared digits"):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f"{Digits.name}.lock"):
            if again:
                shutil.rmtree(folder, ignore_errors=True)
            for stale in (home / Digits.name).glob("incomplete.*"):
                shutil.rmtree(stale, ignore_errors=True)
            with quiet():
                builder = Digits(data_dir=os.fspath(home), file_format="array_record")
                builder.download_and_prepare(download_dir=os.fspath(home / "downloads"))
    return folder
