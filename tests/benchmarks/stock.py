"""What the engine is measured against: the network and the loop that a plain JAX user writes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.engine.schedule import Schedule, order
from search.networks.arch import Activation, Arch, Block, Head, Input, Stem
from search.networks.layers import Layer, layers_of


class StockUnit(nnx.Module):
    """`nnx.Conv`, `nnx.BatchNorm`, activation."""

    def __init__(self, layer: Layer, dtype: Any, rngs: nnx.Rngs) -> None:
        shape = layer.shape
        self.conv = nnx.Conv(
            shape.inputs,
            shape.outputs,
            (shape.kernel, shape.kernel),
            shape.stride,
            feature_group_count=shape.inputs if shape.kind == "depthwise" else 1,
            use_bias=False,
            # As the engine starts, or networks would be compared by their first weights.
            kernel_init=nnx.initializers.he_normal(),
            dtype=dtype,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(shape.outputs, momentum=0.9, dtype=dtype, rngs=rngs)
        self.act = shape.act

    def __call__(self, x: jax.Array, add: jax.Array | None) -> jax.Array:
        x = self.norm(self.conv(x))
        x = x if add is None else x + add
        return {"relu": nnx.relu, "relu6": nnx.relu6, "swish": nnx.swish}.get(self.act, _same)(x)


def _same(x: jax.Array) -> jax.Array:
    return x


class StockNetwork(nnx.Module):
    """The network of an Arch from stock layers."""

    def __init__(self, arch: Arch, *, dtype: Any = jnp.float32, rngs: nnx.Rngs) -> None:
        self.layers = layers_of(arch)
        self.units = nnx.List([StockUnit(layer, dtype, rngs) for layer in self.layers])
        self.classifier = nnx.Linear(self.layers[-1].shape.outputs, arch.classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        values: list[jax.Array] = []
        for layer, unit in zip(self.layers, self.units, strict=True):
            source = x if layer.source < 0 else values[layer.source]
            values.append(unit(source, None if layer.added is None else values[layer.added]))
        return self.classifier(values[-1].mean((1, 2)).astype(jnp.float32))


Step = Callable[[Any, jax.Array, jax.Array], tuple[Any, jax.Array]]


def stock_step(
    arch: Arch, rate: Any, *, seed: int = 0, dtype: Any = jnp.float32
) -> tuple[Any, Step, Any]:
    """State, step (state, x, y) → (state, loss) and logits (state, x), one jit each."""
    model = StockNetwork(arch, dtype=dtype, rngs=nnx.Rngs(seed))
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    mask = partial(jax.tree_util.tree_map_with_path, lambda path, _: "kernel" in str(path[-2]))
    tx = optax.adamw(rate, weight_decay=0.01, mask=mask)

    @jax.jit
    def step(state: Any, x: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        params, rest, opt_state = state

        def loss_of(params: Any) -> Any:
            model = nnx.merge(graph, params, rest, copy=True)
            logits = model(x)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return losses.mean(), nnx.split(model, nnx.Param, ...)[2]

        (loss, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
        updates, opt_state = tx.update(gradients, opt_state, params)
        return (optax.apply_updates(params, updates), rest, opt_state), loss

    @jax.jit
    def logits(state: Any, x: jax.Array) -> jax.Array:
        model = nnx.merge(graph, state[0], state[1], copy=True)
        model.eval()
        return model(x)

    return (params, rest, tx.init(params)), step, logits


def networks(side: int, channels: int, classes: int = 10) -> dict[str, Arch]:
    """All-conv, all-separable and mixed networks of six blocks, 16-32-64 channels."""
    kinds = {
        "conv": ("conv",) * 6,
        "separable": ("separable",) * 6,
        "mixed": ("conv", "separable", "inverted", "conv", "separable", "inverted"),
    }
    widths, strides = (16, 16, 32, 32, 64, 64), (1, 1, 2, 1, 2, 1)
    found = {}
    for name, ops in kinds.items():
        blocks = tuple(
            Block(op, width, 3, stride, 2 if op == "inverted" else 1)  # type: ignore[arg-type]
            for op, width, stride in zip(ops, widths, strides, strict=True)
        )
        act: Activation = "relu"
        found[name] = Arch(Input(side, side, channels), Stem(16), blocks, Head(), classes, act)
    return found


def random_images(arch: Arch, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 and labels of the network's shape."""
    generator = np.random.default_rng(0)
    size = (count, arch.input.height, arch.input.width, arch.input.channels)
    images = generator.integers(0, 256, size, dtype=np.uint8)
    return images, generator.integers(0, arch.classes, count).astype(np.int32)


def train_stock(arch: Arch, data: Dataset, config: TrainConfig, epochs: int, seed: int) -> float:
    """Validation accuracy of the loop a JAX user writes: one jit, batches fed from NumPy.

    It has the engine's schedule and order of batches, and no augmentation.
    """
    count, batch = len(data.train), min(config.batch, len(data.train))
    steps = max(1, count // batch)
    schedule = Schedule(steps, config.learning_rate, config.warmup, config.decay)
    rates = jnp.asarray([schedule.rate(i, epochs) for i in range(steps * epochs)], jnp.float32)
    state, step, logits = stock_step(arch, lambda index: rates[index], seed=seed)
    mean, std = np.asarray(data.mean, np.float32), np.asarray(data.std, np.float32)

    def scaled(images: np.ndarray) -> np.ndarray:
        return (images.astype(np.float32) / 255 - mean) / std

    for epoch in range(epochs):
        for chosen in order(count, batch, seed, epoch):
            images, labels = data.train.images[chosen], data.train.labels[chosen]
            state, _ = step(state, scaled(images), labels)
    found = np.asarray(logits(state, scaled(data.validation.images))).argmax(1)
    return float((found == data.validation.labels).mean())


def as_dataset(
    name: str, images: np.ndarray, labels: np.ndarray, held_out: int, classes: int
) -> Dataset:
    """A data set whose last `held_out` images, after a fixed shuffle, are for validation."""
    shuffled = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[shuffled], labels[shuffled].astype(np.int32)
    train = Split(images[:-held_out], labels[:-held_out], "train")
    validation = Split(images[-held_out:], labels[-held_out:], "validation")
    pixels = train.images.reshape(-1, images.shape[-1]) / 255
    mean, std = tuple(map(float, pixels.mean(0))), tuple(map(float, pixels.std(0)))
    return Dataset(name, train, validation, tuple(map(str, range(classes))), mean, std)
