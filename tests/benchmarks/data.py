"""How long 60,000 images take: to decode once, and from the warm cache to the first batch.

    python tests/benchmarks/data.py                 on random images of Fashion-MNIST's size
    python tests/benchmarks/data.py --dir FOLDER    on fashion_mnist as it lies in FOLDER
    python tests/benchmarks/data.py --original DIR  the same, once TFDS has prepared it from DIR

`--original` needs TensorFlow and no network. DIR holds the four files of Debian's package
dataset-fashion-mnist (/usr/share/datasets/fashion-mnist). Debian repacks them: the name is taken
out of the gzip header and its time replaced, the compressed bytes are the original ones. Putting
name and time back restores the published files bit for bit, as TFDS's own SHA-256 sums confirm,
which it checks as for any download. Nothing of TFDS is overridden.
"""

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from search.config.data import DataConfig
from search.data import open_dataset
from search.data.tfds.locate import find
from search.data.tfds.runtime import quiet

COUNT = 60_000
# Seconds since 1970 in the headers of the published files: 31 August 2017, 10:50 UTC.
TIMES = {
    "t10k-images-idx3-ubyte": 1504176627,
    "t10k-labels-idx1-ubyte": 1504176627,
    "train-images-idx3-ubyte": 1504176606,
    "train-labels-idx1-ubyte": 1504176606,
}
# In a process of its own: what a user waits for after the command is typed.
WARM = """
import json, sys, time
start = time.perf_counter()
import jax
import numpy as np
from search.config.data import DataConfig
from search.data import open_dataset
jax.devices()
imported = time.perf_counter()
dataset = open_dataset(DataConfig(name=sys.argv[1], dir=sys.argv[2], cache=sys.argv[3]), seed=0)
opened = time.perf_counter()
order = np.random.default_rng(0).permutation(len(dataset.train))[:128]
batch = jax.device_put((dataset.train.images[order], dataset.train.labels[order]))
jax.block_until_ready(batch)
ready = time.perf_counter()
print(json.dumps([imported - start, opened - imported, ready - opened, len(dataset.train)]))
"""


def restore(source: Path, target: Path) -> None:
    """Write the published .gz files to `target` from Debian's repacked ones in `source`."""
    target.mkdir(parents=True, exist_ok=True)
    for name, seconds in TIMES.items():
        packed = (source / f"{name}.gz").read_bytes()
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", seconds) + b"\x00\x03"
        (target / f"{name}.gz").write_bytes(header + name.encode() + b"\0" + packed[10:])


def stand_in(home: Path) -> str:
    """Prepare a data set of random grey images under `home`, without TensorFlow; its name."""
    with quiet():
        import tensorflow_datasets as tfds

        class StandIn(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self) -> Any:
                features = {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(features),
                    supervised_keys=("image", "label"),
                )

            def _split_generators(self, _: Any) -> dict[str, Any]:
                return {"train": self._generate_examples()}

            def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
                generator = np.random.default_rng(0)
                for index in range(COUNT):
                    stream = io.BytesIO()
                    # A third of the pixels, as many as Fashion-MNIST's PNGs leave uncompressed.
                    pixels = generator.integers(0, 256, (28, 28), dtype=np.uint8)
                    pixels[:, 10:] = 0
                    Image.fromarray(pixels).save(stream, "png")
                    stream.seek(0)
                    yield index, {"image": stream, "label": index % 10}

        builder = StandIn(data_dir=os.fspath(home), file_format="array_record")
        builder.download_and_prepare()
    return str(builder.name)


def read_by_tfds(name: str, home: Path) -> float:
    """Seconds a whole pass takes through TFDS's own reader, measured on a tenth of it."""
    folder = find(home, name)
    with quiet():
        import tensorflow_datasets as tfds

        source = tfds.builder_from_directory(os.fspath(folder)).as_data_source("train[:10%]")
        start = time.perf_counter()
        for index in range(len(source)):
            source[index]["image"].sum()
    return 10 * (time.perf_counter() - start)


def measure(name: str, home: Path, cache: Path) -> None:
    """Print the seconds of decoding, of opening again, and of what TFDS would take."""
    start = time.perf_counter()
    config = DataConfig(name=name, dir=os.fspath(home), cache=os.fspath(cache))
    # The stand-in has no test split, and nobody searches on it.
    open_dataset(config, seed=0, say=lambda _: None)
    first = time.perf_counter() - start
    runs = []
    for _ in range(5):
        arguments = [sys.executable, "-c", WARM, name, os.fspath(home), os.fspath(cache)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout))
    imports, opening, batch, count = np.median(np.array(runs), axis=0)
    through = read_by_tfds(name, home)
    print(f"{name}: {int(count)} training images")
    print(f"one pass through TFDS's reader        {through:8.2f} s")
    print(f"decoded into the cache, the first time {first:7.2f} s")
    print(
        f"opened from the warm cache            {opening:8.3f} s, {first / opening:.0f} x quicker"
    )
    print(f"first batch on the device             {batch:8.3f} s")
    print(f"from typing to the first batch        {imports + opening + batch:8.2f} s")
    print(f"  of it importing JAX and the package {imports:8.2f} s")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dir", type=Path, help="where fashion_mnist lies prepared")
    parser.add_argument("--original", type=Path, help="folder of Debian's four files")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, name = given.dir or Path(folder) / "tfds", "fashion_mnist"
        if given.original:
            restore(given.original, home / "downloads" / "manual" / name)
            from search.data.tfds.prepare import prepare

            start = time.perf_counter()
            prepare(name, home, Path(folder), print)
            print(f"prepared by TFDS's own builder        {time.perf_counter() - start:8.2f} s")
        elif not given.dir:
            name = stand_in(home)
        measure(name, home, Path(folder) / "cache")


if __name__ == "__main__":
    main()
