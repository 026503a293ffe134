"""Prepare data with TFDS: the digits without TensorFlow, other sets where it is installed."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

from search.data.cache_folder import locked, writable
from search.data.dataset import ImageShape
from search.data.examples import Progress, Say
from search.data.tfds import locate as prepared
from search.data.tfds.names import nearest_names
from search.data.tfds.runtime import quiet, require_tensorflow
from search.errors import UserError

# Files to fetch by hand that an error names.
_NAMED = 4


def prepare_digits(cache: Path, say: Say, *, again: bool = False) -> Path:
    """The folder of the prepared digits in the cache; preparing them takes a second or two.

    `again` prepares them anew. Safe against concurrent processes and kills. Raises `UserError`
    where the cache can't be written.
    """
    from search.data.tfds.digits import VERSION, Digits

    home = cache / "tfds"
    folder = home / Digits.name / VERSION
    if folder.is_dir() and not again:
        return folder
    with writable(cache, "the prepared digits"):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f"{Digits.name}.lock", "the digits", say):
            if again:
                shutil.rmtree(folder, ignore_errors=True)
            for stale in (home / Digits.name).glob("incomplete.*"):
                shutil.rmtree(stale, ignore_errors=True)
            with quiet():
                builder = Digits(data_dir=os.fspath(home), file_format="array_record")
                builder.download_and_prepare(download_dir=os.fspath(home / "downloads"))
    return folder


def prepare(text: str, home: Path, cache: Path, say: Say, progress: Progress | None = None) -> Path:
    """Let TFDS download `name/config:version` and prepare it as array_record under `home`.

    Files that were fetched by hand are taken from `home/downloads/manual/NAME`, or from TFDS's own
    `home/downloads/manual`. Raises `UserError` for an unknown name, a set that is not images with
    one label, a missing TensorFlow or other package, no network, and files with wrong checksums.
    """
    with writable(cache, "the lock of a preparation"):
        (cache / "tfds").mkdir(parents=True, exist_ok=True)
        name = text.replace("/", "-").replace(":", "-")
        lock = cache / "tfds" / f"{name}.lock"
        with locked(lock, text, say), quiet(), _told(text, home):
            # This process may have waited for another one that prepared it.
            found = prepared.find(home, text)
            return found or _prepare(text, home, progress)


def described(text: str, home: Path) -> ImageShape | None:
    """Image shape and number of classes that TFDS's own code states for `name/config:version`.

    Sizes are 0 where images differ. Prepares and downloads nothing. None where the code does not
    state the classes; raises `UserError` for an unknown name and a set of another kind.
    """
    from search.data.tfds.read import supervised

    with quiet():
        info = _builder(text, home).info
        image, label = supervised(info.features, info.supervised_keys, text)
        height, width, channels = (size or 0 for size in info.features[image].shape)
        classes = info.features[label].num_classes
    return ImageShape(height, width, channels, int(classes)) if classes else None


def _prepare(text: str, home: Path, progress: Progress | None) -> Path:
    import tensorflow_datasets as tfds

    from search.data.tfds.read import supervised

    builder = _builder(text, home)
    supervised(builder.info.features, builder.info.supervised_keys, text)
    require_tensorflow(f"{text} is not prepared in {home}; preparing it needs TensorFlow")
    downloads = home / "downloads"
    manual = downloads / "manual" / builder.name
    _check_network(builder, text, downloads)
    # Reported only now, as the checks above may refuse the set.
    if progress is not None:
        progress(f"preparing {text} with TFDS", 0, 0)
    settings = tfds.download.DownloadConfig(
        manual_dir=os.fspath(manual if manual.is_dir() else manual.parent),
        try_download_gcs=False,
    )
    # TFDS prints these two notices regardless of any log level.
    builder._log_download_bytes = builder._log_download_done = lambda: None
    try:
        builder.download_and_prepare(
            download_dir=os.fspath(downloads),
            download_config=settings,
            file_format="array_record",
        )
    except Exception as error:
        raise _explained(error, builder, text, downloads) from error
    return Path(builder.data_dir)


def _check_network(builder: Any, text: str, downloads: Path) -> None:
    """Raise `UserError` where files have to be downloaded and no host name can be resolved.

    TFDS itself would retry for minutes before it fails.
    """
    from tensorflow_datasets.core.download.resource import get_dl_fname

    absent = []
    for url, info in (builder.url_infos or {}).items():
        manual = downloads / "manual"
        stored = get_dl_fname(url, info.checksum)
        names = [downloads / builder.name / stored, downloads / stored]
        if info.filename:
            names += [manual / builder.name / info.filename, manual / info.filename]
        if not any(name.exists() for name in names):
            absent.append(url)
    # Behind a proxy it is the proxy that resolves names.
    hosts = set() if getproxies() else {urlparse(url).hostname for url in absent}
    if hosts and not any(host and _resolves(host) for host in hosts):
        raise _no_network(builder, text, downloads, f"{min(filter(None, hosts))} is unknown")


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _no_network(builder: Any, text: str, downloads: Path, reason: str) -> UserError:
    return UserError(
        f"can't download {text} ({reason}); without a network put {_wanted(builder)} into"
        f" {downloads / 'manual' / builder.name} and run again"
    )


def _builder(text: str, home: Path) -> Any:
    import tensorflow_datasets as tfds

    name, config, version = prepared.parse_name(text)
    if not name.isidentifier():
        # TFDS raises a `ValueError` for these, also when it is asked for the class alone.
        raise _unknown(name, text, home)
    try:
        return tfds.builder(
            name, data_dir=os.fspath(home), config=config or None, version=version or None
        )
    except tfds.core.registered.DatasetNotFoundError:
        raise _unknown(name, text, home) from None
    except ImportError as error:
        if "tensorflow" not in str(error):
            raise _missing_package(error, text) from None
        require_tensorflow(f"{text} can't even be described without TensorFlow")
        raise
    except (ValueError, AssertionError) as error:
        kind = tfds.builder_cls(name)
        configs = ", ".join(kind.builder_configs) or "none"
        reason = _line(error).rsplit('}": ', 1)[-1]
        raise UserError(
            f"data.name={text} names no config or version of {name} that TFDS has ({reason});"
            f" its configs are {configs}, its version is {kind.VERSION}"
        ) from None


def _unknown(name: str, text: str, home: Path) -> UserError:
    likely = nearest_names(name)
    hint = f"did you mean {', '.join(likely)}?" if likely else "see tensorflow.org/datasets"
    return UserError(
        f"data.name={text} is not a data set that TFDS knows, and none is prepared in {home};"
        f" {hint} (your own images: data=folder data.path=FOLDER)"
    )


@contextmanager
def _told(text: str, home: Path) -> Iterator[None]:
    """Turn a failure to write into a `UserError` that names `home`, which is not the cache."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{home} can't hold the prepared {text}: {_line(error)}; set data.dir= to a folder"
            " with room"
        ) from None


def _explained(error: Exception, builder: Any, text: str, downloads: Path) -> Exception:
    """A `UserError` with the cause of a failed preparation and its fix; other errors unchanged."""
    kinds = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if "NonMatchingChecksumError" in kinds:
        return UserError(
            f"a file of {text} is not the one that TFDS expects: {_line(error)};"
            f" remove it from {downloads} and fetch it again"
        )
    if kinds & {"RequestException", "URLError", "ConnectionError", "DownloadError", "HTTPError"}:
        return _no_network(builder, text, downloads, _line(_chain(error)[-1], 80))
    absent = {"AssertionError", "FileNotFoundError", "NotFoundError"}
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and kinds & absent:
        how = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        return UserError(f"{text} has to be fetched by hand into {downloads / 'manual'}: {how}")
    if "ImportError" in kinds:
        return _missing_package(error, text)
    return error


def _missing_package(error: Exception, text: str) -> UserError:
    return UserError(f"TFDS needs another package to prepare {text}: {_line(error)}")


def _wanted(builder: Any) -> str:
    files = [
        f"{info.filename or url.rsplit('/', 1)[-1]} ({info.size}, from {url})"
        for url, info in sorted((builder.url_infos or {}).items())
    ]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more if files else "its files"


def _chain(error: BaseException) -> list[BaseException]:
    links = [error]
    while (cause := links[-1].__cause__ or links[-1].__context__) and cause not in links:
        links.append(cause)
    return links


def _line(error: BaseException, limit: int = 240) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"
