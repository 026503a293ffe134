"""The engine's figures on an accelerator, with jax, flax, optax and numpy alone.

    python tests/benchmarks/device.py [--peak TFLOPS] [--sides 8 28 32] [--batches 128 1024]

Prints what the engine's choices depend on. Memory, and how much of it the images may take. Time and
error of a float32 product as JAX would make it and at the engine's precision. Compile seconds
before and after autotuning's results are kept. The forms of the depthwise convolution. A step
called by itself and in a loop. Candidates an hour with one and with several trainings side by side,
in threads and as seeds of one program. Step time for each network, type and form, images a second,
the share of the chip's peak (`--peak`, in 10^12 operations a second), compile seconds; and from
those the constants of `search/engine/programs/choice.py`. And how many candidates have layers of
the same shapes, once rounded, so that one program could train them side by side.
"""

import argparse
import itertools
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding
from stock import as_dataset, networks, random_images

from search.config.space import SpaceConfig
from search.config.train import TrainConfig
from search.engine.batches import Steps, resident_bytes
from search.engine.evaluator import TrainingEvaluator
from search.engine.ops import depthwise, reference
from search.engine.programs.choice import costs_on
from search.engine.programs.compile import compiled
from search.engine.programs.per_epoch import PerEpochProgram
from search.engine.programs.per_layer import PerLayerPrograms, rounded_layers
from search.engine.programs.per_step import PerStepProgram
from search.engine.schedule import order
from search.engine.state import fresh
from search.engine.trainer import Trainer
from search.jobs import Candidate
from search.networks.arch import Arch, Input
from search.networks.cost import multiplies_of
from search.networks.layers import layers_of
from search.spaces.budget_table import tabulate
from search.spaces.stages import build


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
    kept = [made.to_device([fresh(arch, trainer.recipe, 0)], trainer.device)]
    index = np.arange(batch, dtype=np.int32)
    given = jax.device_put((data.train.images, data.train.labels, index))
    many = 10

    def call() -> None:
        for number in range(many):
            rate = np.float32(0.01)
            kept[0], _ = made.step(kept[0], given, np.uint32(0), np.uint32(number), rate)
        jax.block_until_ready(kept[0])

    return timed(call, seconds) / many, compiling


def memory() -> None:
    """Print how much memory the device has, and how much of it a split's images may take."""
    device = jax.local_devices()[0]
    found = device.memory_stats() or {}
    limit, peak = (found.get(name, 0) / 2**20 for name in ("bytes_limit", "peak_bytes_in_use"))
    resident = resident_bytes(None, device) / 2**20
    print(
        f"memory: {limit:.0f} MB, {peak:.0f} used at most; images up to {resident:.0f} MB lie there"
    )


def products(options: argparse.Namespace) -> None:
    """Print what float32 means: a product's time and largest error by the precision asked for."""
    x = jax.random.normal(jax.random.key(0), (1024, 1024))
    exact = np.asarray(x, np.float64) @ np.asarray(x, np.float64)
    for precision in (None, "highest"):
        with jax.default_matmul_precision(precision):
            product = jax.jit(jnp.matmul)
            took = timed(lambda p=product: jax.block_until_ready(p(x, x)), options.seconds)
            error = np.abs(np.asarray(product(x, x)) - exact).max() / np.abs(exact).max()
        print(
            f"float32 product, precision {precision or 'default'}: {1e3 * took:.3f} ms, {error:.1e}"
        )


def form_of(kind: Any, arch: Arch, batch: int, seeds: int = 1) -> tuple[Trainer, Any, int]:
    """Return a trainer on random images, the network's programs of a kind, an epoch's steps."""
    images, labels = random_images(arch, 16 * batch + 1)
    data = as_dataset("random", images, labels, 1, arch.classes)
    trainer = Trainer(data, TrainConfig(batch=batch), jax.local_devices()[0], programs=None)
    layers, count = layers_of(arch), len(data.train)
    if kind is PerEpochProgram:
        form: Any = kind(layers, trainer.recipe, data.shape, (count, 1), seeds, count // batch)
    else:
        form = kind(layers, trainer.recipe, data.shape, (count, 1))
    return trainer, form, count // batch


def tuning(options: argparse.Namespace) -> None:
    """Print the seconds to compile, with nothing tuned and with what that left."""
    sharding = SingleDeviceSharding(jax.local_devices()[0])
    with tempfile.TemporaryDirectory() as folder:
        for name, arch in networks(options.sides[0], 1).items():
            for told in ("first", "again"):
                _, form, _ = form_of(PerStepProgram, arch, options.batches[0])
                began = time.perf_counter()
                for spec in form.program_specs():
                    quickly, own = spec.quickly, Path(folder)
                    compiled(spec.function, spec.arguments, sharding, quickly=quickly, tuned=own)
                print(f"compiling {name} {told}: {time.perf_counter() - began:.1f} s", flush=True)
        print(f"autotuning left {sum(path.is_file() for path in Path(folder).rglob('*'))} files")


def loops(options: argparse.Namespace) -> None:
    """Print the milliseconds of a step called by itself, and of one in a loop on the device."""
    batch = options.batches[0]
    for name, arch in networks(options.sides[0], 1).items():
        found = []
        for kind in (PerStepProgram, PerEpochProgram):
            trainer, form, count = form_of(kind, arch, batch)
            form.ready(trainer.programs)
            kept = [form.to_device([fresh(arch, trainer.recipe, 0)], trainer.device)]
            chosen = order(count * batch, batch, 0, 0)[None]
            rates, seeds = np.full(count, 1e-3, np.float32), np.zeros(1, np.uint32)
            given = Steps(chosen, seeds, 0, rates, threading.Event())

            def call(
                form: Any = form, trainer: Any = trainer, kept: Any = kept, g: Any = given
            ) -> None:
                kept[0], _ = form.advance(kept[0], trainer._training, g)

            found.append(1e3 * timed(call, options.seconds) / count)
        print(f"{name}: {found[0]:.2f} ms a step in calls, {found[1]:.2f} in a loop", flush=True)


def constants(rows: list[tuple[int, float, float, float]]) -> None:
    """Print `Costs` by least squares.

    `rows`: layers, a step's multiplies / 10^6, seconds that the shared programs take longer for it,
    and seconds to compile the whole network.
    """
    layers, multiplies, excess, compiling = np.array(rows).T
    calls, traffic = np.linalg.lstsq(np.stack([layers, multiplies], 1), excess, rcond=None)[0]
    compile_ = float((layers * compiling).sum() / (layers**2).sum())
    print(f"measured: Costs(compile={compile_:.2g}, calls={calls:.2g}, traffic={traffic:.2g})")
    print(f"in use:   {costs_on(jax.local_devices()[0].platform)}")


def steps(options: argparse.Namespace) -> None:
    """Print the table of steps, and what it says of the choice between the two forms."""
    rows = []
    print("net            batch dtype    form    ms/step  images/s  peak %  compile s")
    for side in options.sides:
        for name, arch in networks(side, 3 if side == 32 else 1).items():
            for batch in options.batches:
                for precision in options.precisions:
                    found = {}
                    for form in ("whole", "layers"):
                        took, compiling = step(arch, batch, precision, form, options.seconds)
                        found[form] = took, compiling
                        # Forward and both gradients; a multiply and an addition each.
                        share = 6 * multiplies_of(arch) * batch / took / (options.peak * 1e12)
                        print(
                            f"{name:10} {side:3} {batch:6} {precision:8} {form:6}"
                            f" {1e3 * took:8.2f} {batch / took:9.0f} {share:7.1%} {compiling:8.1f}",
                            flush=True,
                        )
                    excess = found["layers"][0] - found["whole"][0]
                    work = multiplies_of(arch) * batch / 1e6
                    rows.append((len(layers_of(arch)), work, excess, found["whole"][1]))
    constants(rows)


def alike(side: int) -> None:
    """Print how many of 16 networks of the default space share their rounded shapes."""
    chain = build(SpaceConfig(), Input(side, side, 1), 10)
    rng = np.random.default_rng(0)
    encodings = tabulate(chain).sample_level(rng, 1000)
    shapes = [
        tuple(layer.shape for layer in rounded_layers(layers_of(chain.value(one))))
        for one in encodings
    ]
    drawn = [[shapes[i] for i in rng.permutation(len(shapes))[:16]] for _ in range(200)]
    shared = np.mean([[some.count(one) > 1 for one in some] for some in drawn])
    print(f"{len(set(shapes))} shapes among 1,000 networks; {shared:.1%} of any 16 share theirs")


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
    memory()
    products(options)
    tuning(options)
    depthwise_forms(options)
    loops(options)
    alike(options.sides[0])
    side_by_side(options)
    steps(options)


if __name__ == "__main__":
    main()
