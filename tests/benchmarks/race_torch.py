"""Training as the engine does it, in PyTorch: eager, float32, channels-last, on the CPU.

The same arrays, order of batches, learning rates, loss, augmentation, decay, BatchNorm and variance
of first weights as the engine's. `race_check.py` compares the two.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from search.config.train import TrainConfig
from search.data.dataset import Dataset, Split
from search.engine.schedule import Schedule, order
from search.export.folded import groups_of, pads_of
from search.networks.arch import Arch
from search.networks.layers import Layer, layers_of, propagate

MOMENTUM, EPSILON = 0.9, 1e-5
ACTIVATE = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "swish": functional.silu,
    "linear": lambda x: x,
}


class Unit(nn.Module):
    """A convolution without bias, BatchNorm, an optional addition, the activation."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        shape = layer.shape
        (top, bottom), (left, right) = pads_of(shape)
        even = top == bottom and left == right
        # `nn.Conv2d` pads both sides alike, which SAME with stride 2 does not.
        self.pads = None if even else (left, right, top, bottom)
        self.conv = nn.Conv2d(
            shape.inputs,
            shape.outputs,
            shape.kernel,
            shape.stride,
            (top, left) if even else 0,
            groups=groups_of(shape),
            bias=False,
        )
        self.norm = nn.BatchNorm2d(shape.outputs, eps=EPSILON, momentum=1 - MOMENTUM)
        self.act = ACTIVATE[shape.act]

    def forward(self, x: Tensor, add: Tensor | None) -> Tensor:
        y = self.norm(self.conv(x if self.pads is None else functional.pad(x, self.pads)))
        return self.act(y if add is None else y + add)


class Network(nn.Module):
    """The network of an Arch, with first weights drawn as the engine's are: He, by fan-in."""

    def __init__(self, arch: Arch, seed: int = 0) -> None:
        super().__init__()
        self.layers = layers_of(arch)
        if any(layer.shape.kind == "pool" for layer in self.layers):
            raise ValueError("networks with pooling are not in the race's spaces")
        self.units = nn.ModuleList(Unit(layer) for layer in self.layers)
        self.index = {layer.path: i for i, layer in enumerate(self.layers)}
        self.classifier = nn.Linear(self.layers[-1].shape.outputs, arch.classes)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for unit in self.units:
                kernel = unit.conv.weight
                fan_in = kernel[0].numel()
                kernel.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
            width = self.classifier.in_features
            self.classifier.weight.normal_(0, width**-0.5, generator=generator)
            self.classifier.bias.zero_()
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        def apply(layer: Layer, x: Tensor, add: Tensor | None) -> Tensor:
            return self.units[self.index[layer.path]](x, add)

        return self.classifier(propagate(self.layers, x, apply)[-1].mean((2, 3)))

    def take(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take weights named as in `search.build`'s module."""
        with torch.no_grad():
            for path, index in self.index.items():
                unit = self.units[index]
                kernel = np.asarray(weights[f"{path}.kernel"]).transpose(3, 2, 0, 1)
                unit.conv.weight.copy_(torch.from_numpy(kernel.copy()))
                for name, own in (("scale", unit.norm.weight), ("bias", unit.norm.bias)):
                    own.copy_(torch.from_numpy(np.array(weights[f"{path}.norm.{name}"])))
            kernel = np.array(weights["classifier.kernel"]).T.copy()
            self.classifier.weight.copy_(torch.from_numpy(kernel))
            self.classifier.bias.copy_(torch.from_numpy(np.array(weights["classifier.bias"])))

    def optimiser(self, weight_decay: float) -> torch.optim.AdamW:
        """Return AdamW that decays kernels only."""
        kernels = [unit.conv.weight for unit in self.units] + [self.classifier.weight]
        chosen = {id(one) for one in kernels}
        rest = [one for one in self.parameters() if id(one) not in chosen]
        groups = [
            {"params": kernels, "weight_decay": weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, fused=True)


class TorchTrainer:
    """Trains networks on one data set; `scored_on`: by default the validation part.

    Raises `ValueError` for settings that the race does not use.
    """

    def __init__(self, data: Dataset, config: TrainConfig, scored_on: Split | None = None) -> None:
        augment = data.augment
        unused = (config.optimiser != "adamw", config.class_weights, augment.cutout, augment.mixup)
        if any(unused):
            raise ValueError("only adamw, shift and flip are written in PyTorch here")
        self.config, self.data = config, data
        self.count = len(data.train)
        self.batch = max(1, min(config.batch, self.count))
        steps = max(1, self.count // self.batch)
        self.schedule = Schedule(steps, config.learning_rate, config.warmup, config.decay)
        # Normalised once: shifting and mirroring move pixels only.
        self._images = self.normalised(data.train.images)
        self._labels = torch.from_numpy(np.asarray(data.train.labels, np.int64))
        held = data.validation if scored_on is None else scored_on
        self._held_images = self.normalised(held.images)
        self._held_labels = torch.from_numpy(np.asarray(held.labels, np.int64))

    def normalised(self, images: Any) -> Tensor:
        """Return uint8 images as normalised floats [n, h, w, c]."""
        mean, std = (np.asarray(one, np.float32) for one in (self.data.mean, self.data.std))
        scaled = np.asarray(images, np.float32) / np.float32(255) - mean
        return torch.from_numpy(scaled / np.maximum(std, np.float32(1e-6)))

    def loss(self, network: Network, x: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross-entropy against smoothed labels; x is [n, h, w, c]."""
        smoothing = self.config.label_smoothing
        # An image in NHWC, seen as NCHW, is channels-last.
        logits = network(x.permute(0, 3, 1, 2))
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)

    def step(
        self, network: Network, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, rate: float
    ) -> Tensor:
        """Make one step; return the loss before it."""
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss = self.loss(network, x, y)
        loss.backward()
        optimiser.step()
        return loss.detach()

    def augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return images shifted, edges repeated, and mirrored, as the settings say."""
        augment, (n, height, width, _) = self.data.augment, x.shape
        if augment.shift:
            reach = augment.shift
            moves = torch.randint(-reach, reach + 1, (n, 2), generator=generator)
            rows = (torch.arange(height) + moves[:, :1]).clamp(0, height - 1)
            columns = (torch.arange(width) + moves[:, 1:]).clamp(0, width - 1)
            x = x[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
        if augment.flip:
            mirror = torch.rand(n, generator=generator) < 0.5
            x = torch.where(mirror[:, None, None, None], x.flip(2), x)
        return x

    def train(self, arch: Arch, epochs: int, seed: int) -> "Trained":
        """Train from fresh weights and score; accuracy is NaN where the loss diverged."""
        began = time.perf_counter()
        network = Network(arch, seed)
        network.train()
        optimiser = network.optimiser(self.config.weight_decay)
        generator = torch.Generator().manual_seed(seed)
        for epoch in range(epochs):
            losses = []
            for place, chosen in enumerate(order(self.count, self.batch, seed, epoch)):
                index = torch.from_numpy(chosen.astype(np.int64))
                rate = self.schedule.rate(epoch * self.schedule.steps + place, epochs)
                x = self.augmented(self._images[index], generator)
                losses.append(self.step(network, optimiser, x, self._labels[index], rate))
            if not torch.isfinite(torch.stack(losses)).all():
                return Trained(float("nan"), time.perf_counter() - began, network)
        self._biased(network, self.schedule.total(epochs))
        return Trained(self.score(network), time.perf_counter() - began, network)

    def _biased(self, network: Network, steps: int) -> None:
        """Turn running variances into those of biased batch variances, which the engine keeps."""
        kept = MOMENTUM**steps
        for layer, unit in zip(network.layers, network.units, strict=True):
            height, width = layer.shape.out_size
            size = self.batch * height * width
            variance = unit.norm.running_var
            variance.sub_(kept).mul_((size - 1) / size).add_(kept)

    @torch.no_grad()
    def score(self, network: Network) -> float:
        """Return the share of held-out images that are right; NaN logits are wrong."""
        network.eval()
        hits = 0
        for x, y in zip(self._held_images.split(512), self._held_labels.split(512), strict=True):
            logits = network(x.permute(0, 3, 1, 2))
            right = (logits.argmax(1) == y) & torch.isfinite(logits).all(1)
            hits += int(right.sum())
        return hits / len(self._held_labels)


class Trained:
    """A training's accuracy, its wall seconds and the network."""

    def __init__(self, accuracy: float, seconds: float, network: Network) -> None:
        self.accuracy, self.seconds, self.network = accuracy, seconds, network
