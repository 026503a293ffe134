"""Time of a training step: ours, stock `nnx.Conv` under one jit, PyTorch eager on the CPU.

    python tests/benchmarks/step.py [--sides 8 28 32] [--nets conv separable mixed] [--batch 128]

The three take turns, and medians are compared, so that a noisy machine disturbs all alike.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from stock import networks, random_images, stock_step

from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.engine.programs.per_layer import PerLayerPrograms
from search.engine.programs.per_step import PerStepProgram
from search.engine.state import fresh
from search.engine.trainer import Trainer
from search.executors.malloc import keep_memory
from search.networks.arch import Arch
from search.networks.layers import layers_of

Call = Callable[[], None]


def ours(arch: Arch, batch: int, form: str) -> tuple[Call, float]:
    """A step of the engine, and the seconds its programs took to compile."""
    images, labels = random_images(arch, batch)
    split = Split(images, labels, "")
    channels = arch.input.channels
    names = tuple(map(str, range(arch.classes)))
    data = Dataset("random", split, split, names, (0.5,) * channels, (0.3,) * channels)
    trainer = Trainer(data, TrainConfig(batch=batch, form=form), jax.local_devices()[0])
    kind = PerStepProgram if form == "whole" else PerLayerPrograms
    made = kind(layers_of(arch), trainer.recipe, data.shape, (batch, batch))
    seconds = made.ready(trainer.programs)
    state = [made.to_device([fresh(arch, trainer.recipe, 0)], trainer.device)]
    given = jax.device_put((images, labels, np.arange(batch, dtype=np.int32)))

    def call() -> None:
        state[0], loss = made.step(state[0], given, np.uint32(0), np.uint32(0), np.float32(0.01))
        jax.block_until_ready((state[0], loss))

    return call, seconds


def stock(arch: Arch, batch: int) -> tuple[Call, float]:
    """A step of the stock network."""
    images, labels = random_images(arch, batch)
    state, step, _ = stock_step(arch, 0.01)
    x, y = jax.device_put((images.astype(np.float32) / 255, labels))
    kept = [state]

    def call() -> None:
        kept[0], loss = step(kept[0], x, y)
        jax.block_until_ready((kept[0], loss))

    began = time.perf_counter()
    call()
    return call, time.perf_counter() - began


def pytorch(arch: Arch, batch: int) -> Call | None:
    """A step of the same network in PyTorch, eager and channels-last; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    layers = layers_of(arch)
    acts: dict[str, Callable[[Any], Any]] = {"relu": torch.relu, "linear": lambda x: x}

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(
                nn.Conv2d(
                    s.inputs,
                    s.outputs,
                    s.kernel,
                    s.stride,
                    s.kernel // 2,
                    groups=s.inputs if s.kind == "depthwise" else 1,
                    bias=False,
                )
                for s in (layer.shape for layer in layers)
            )
            self.norms = nn.ModuleList(nn.BatchNorm2d(layer.shape.outputs) for layer in layers)
            self.classifier = nn.Linear(layers[-1].shape.outputs, arch.classes)

        def forward(self, x: Any) -> Any:
            values: list[Any] = []
            for layer, conv, norm in zip(layers, self.convs, self.norms, strict=True):
                y = norm(conv(x if layer.source < 0 else values[layer.source]))
                y = y if layer.added is None else y + values[layer.added]
                values.append(acts[layer.shape.act](y))
            return self.classifier(values[-1].mean((2, 3)))

    model = Network().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), 0.01)
    images, labels = random_images(arch, batch)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    x = x.contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels).long()

    def call() -> None:
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()

    return call


def medians(calls: dict[str, Call], seconds: float) -> dict[str, float]:
    """Median milliseconds of each call; they take turns for so many seconds.

    A turn is five calls in a row, of which the first is not counted: threads of the one before
    still spin for a while, waiting for more work.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, times.values())) < 3:
        for name, call in calls.items():
            for turn in range(5):
                began = time.perf_counter()
                call()
                times[name] += [1e3 * (time.perf_counter() - began)] * (turn > 0)
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> None:
    """Print one row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 28, 32])
    parser.add_argument("--nets", nargs="+", default=["conv", "separable", "mixed"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each row")
    parser.add_argument("--without", nargs="*", default=[], help="of whole layers stock pytorch")
    options = parser.parse_args()
    # As the command does, before JAX makes its threads. The stock step gains by it, too.
    keep_memory()
    print("side net        ours ms  by layer ms  stock ms  PyTorch ms  ÷stock  ×PyTorch  compile s")
    for side in options.sides:
        nets = networks(side, 3 if side == 32 else 1)
        for name in options.nets:
            row(side, name, nets[name], options)


def row(side: int, name: str, arch: Arch, options: argparse.Namespace) -> None:
    """Measure and print one network."""
    calls: dict[str, Call] = {}
    compiled = {}
    for form in ("whole", "layers"):
        if form not in options.without:
            calls[form], compiled[form] = ours(arch, options.batch, form)
    if "stock" not in options.without:
        calls["stock"], compiled["stock"] = stock(arch, options.batch)
    torch = None if "pytorch" in options.without else pytorch(arch, options.batch)
    if torch is not None:
        calls["pytorch"] = torch
    elif "pytorch" not in options.without:
        print("PyTorch is not installed: its column stays empty")
    found = medians(calls, options.seconds)
    nan = float("nan")
    whole = found.get("whole", nan)
    print(
        f"{side:4} {name:10} {whole:8.1f} {found.get('layers', nan):12.1f}"
        f" {found.get('stock', nan):9.1f} {found.get('pytorch', nan):11.1f}"
        f" {found.get('stock', nan) / whole:7.1f} {whole / found.get('pytorch', nan):9.2f}"
        f"  {' '.join(f'{k} {v:.1f}' for k, v in compiled.items())}",
        flush=True,
    )


if __name__ == "__main__":
    main()
