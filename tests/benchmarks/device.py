"""The engine's figures on an accelerator, with jax, flax, optax and numpy alone.

    python tests/benchmarks/device.py [--peak TFLOPS] [--sides 8 28 32] [--batches 128 1024]

Prints step time for each network, type and form, images a second and the share of the chip's peak;
compile seconds; the forms of the depthwise convolution; candidates an hour with one and with
several trainings side by side, in threads and as seeds of one program. `--peak`: of the chip, in
10^12 operations a second.
"""

import argparse
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from stock import as_dataset, networks, random_images

from search.config.train import TrainConfig
from search.engine.evaluator import TrainingEvaluator
from search.engine.ops import depthwise, reference
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.engine.state import fresh, resized
from search.engine.trainer import Trainer
from search.jobs import Candidate
from search.networks.arch import Arch
from search.networks.cost import multiplies_of
from search.networks.layers import layers_of


def timed(call: Any, seconds: float) -> float:
    """Median seconds of a call that waits for its result."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def step(arch: Arch, batch: int, precision: str, form: str, seconds: float) -> tuple[float, float]:
    """Seconds of one step among many in flight, and seconds to compile."""
    images, labels = random_images(arch, batch + 1)
    data = as_dataset("random", images, labels, 1, arch.classes)
    config = TrainConfig(batch=batch, precision=precision, form=form)
    trainer = Trainer(data, config, jax.local_devices()[0])
    kind = PerStepProgram if form == "whole" else PerLayerPrograms
    made = kind(layers_of(arch), trainer.recipe, data.shape, (batch, 1))
    compiling = made.ready(trainer.programs)
    kept = [jax.device_put(resized(fresh(arch, trainer.recipe, 0), made.like))]
    index = np.arange(batch, dtype=np.int32)
    given = jax.device_put((data.train.images, data.train.labels, index))
    many = 10

    def call() -> None:
        for number in range(many):
            rate = np.float32(0.01)
            kept[0], _ = made.step(kept[0], given, np.uint32(0), np.uint32(number), rate)
        jax.block_until_ready(kept[0])

    return timed(call, seconds) / many, compiling


def steps(options: argparse.Namespace) -> None:
    """Print the table of steps."""
    print("net            batch dtype    form    ms/step  images/s  peak %  compile s")
    for side in options.sides:
        for name, arch in networks(side, 3 if side == 32 else 1).items():
            for batch in options.batches:
                for precision in options.precisions:
                    for form in ("whole", "layers"):
                        took, compiling = step(arch, batch, precision, form, options.seconds)
                        # Forward and both gradients; a multiply and an addition each.
                        share = 6 * multiplies_of(arch) * batch / took / (options.peak * 1e12)
                        print(
                            f"{name:10} {side:3} {batch:6} {precision:8} {form:6}"
                            f" {1e3 * took:8.2f} {batch / took:9.0f} {share:7.1%} {compiling:8.1f}",
                            flush=True,
                        )


def depthwise_forms(options: argparse.Namespace) -> None:
    """Print forward with both gradients of the depthwise forms."""
    print("depthwise, batch 128: ms forward and backward   XLA   shifted")
    for side, channels in ((32, 32), (16, 64), (8, 128)):
        for precision in options.precisions:
            dtype = jnp.dtype(precision)
            x = jnp.ones((128, side, side, channels), dtype)
            kernel = jnp.ones((3, 3, 1, channels), dtype)
            found = []
            for form in (reference.depthwise, depthwise.depthwise):

                @jax.jit
                def both(x: Any, kernel: Any, form: Any = form) -> Any:
                    out, pull = jax.vjp(lambda x, kernel: form(x, kernel, 1), x, kernel)
                    return pull(out)

                def call(both: Any = both, x: Any = x, kernel: Any = kernel) -> None:
                    jax.block_until_ready(both(x, kernel))

                found.append(1e3 * timed(call, options.seconds))
            print(f"{side:3}×{side}×{channels} {precision:8} {found[0]:26.2f} {found[1]:9.2f}")


def side_by_side(options: argparse.Namespace) -> None:
    """Print candidates an hour for several trainings at once."""
    nets = networks(options.sides[0], 1)
    images, labels = random_images(nets["mixed"], options.images)
    data = as_dataset("random", images, labels, options.images // 5, 10)
    evaluator = TrainingEvaluator(data, TrainConfig(), None)
    candidates = [Candidate.of(arch) for arch in nets.values()]
    for candidate in candidates:
        evaluator(candidate.job())
    for threads in (1, 2, 4):
        chosen = itertools.islice(itertools.cycle(candidates), options.jobs)
        jobs = [candidate.job(options.epochs, seed) for seed, candidate in enumerate(chosen)]
        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(evaluator, jobs))
        hourly = 3600 * len(jobs) / (time.perf_counter() - began)
        print(f"{threads} at once: {hourly:.0f} candidates/h", flush=True)
    trainer = Trainer(data, TrainConfig(), jax.local_devices()[0])
    for seeds in options.together:
        for name, arch in nets.items():
            # The first time compiles.
            trainer.fit_seeds(arch, 1, range(seeds))
            began = time.perf_counter()
            trainer.fit_seeds(arch, options.epochs, range(seeds))
            hourly = 3600 * seeds / (time.perf_counter() - began)
            print(f"{seeds} seeds of {name} in one program: {hourly:.0f} trainings/h", flush=True)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", type=float, default=1.0)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 28, 32])
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--together", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    device = jax.local_devices()[0]
    print(f"{device.device_kind}, {device.platform}; jax {jax.__version__}")
    depthwise_forms(options)
    side_by_side(options)
    steps(options)


if __name__ == "__main__":
    main()
