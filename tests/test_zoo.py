"""The zoo against published figures, golden layers, and the original definitions told again."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.errors import UserError
from search.networks import zoo
from search.networks.arch import Input, from_json, to_json
from search.networks.cost import cost_of

GOLDEN = Path(__file__).parent / "golden"
SIZES = [(28, 28), (96, 96), (130, 130), (225, 225), (224, 160), (57, 91)]
WIDTHS = [0.05, 0.25, 0.35, 0.5, 0.6, 0.75, 1.0, 1.3, 1.4, 2.0]


def rows(name: str) -> Iterator[dict[str, str]]:
    with (GOLDEN / name).open(newline="") as file:
        yield from csv.DictReader(file)


@pytest.mark.parametrize(
    "row",
    list(rows("zoo_totals.csv")),
    ids=lambda r: f"{r['network']}-{r['width']}-{r['resolution']}",
)
def test_totals_equal_published_networks(row: dict[str, str]) -> None:
    size = int(row["resolution"])
    width = float(row["width"])
    cost = cost_of(zoo.network(row["network"], width=width, input=Input(size, size, 3)))
    assert cost.multiplies == int(row["multiplies"])
    assert cost.params == int(row["params"])


def test_layers_equal_golden_layers() -> None:
    golden = defaultdict(list)
    for row in rows("zoo_layers.csv"):
        key = row["network"], float(row["width"]), int(row["resolution"])
        numbers = [int(value) for value in list(row.values())[4:]]
        golden[key].append((row["kind"], *numbers))
    assert len(golden) == 6
    for (name, width, size), layers in golden.items():
        cost = cost_of(zoo.network(name, width=width, input=Input(size, size, 3)))
        assert layers == [
            (
                layer.kind,
                layer.kernel,
                layer.stride,
                layer.in_channels,
                layer.out_channels,
                layer.in_size[0],
                layer.out_size[0],
                layer.multiplies,
                layer.weights,
                layer.biases,
                layer.batch_norms,
            )
            for layer in cost.layers
        ], name


class Retold:
    """A network told as a list of convolutions, with PyTorch's arithmetic for padded sizes."""

    def __init__(self, height: int, width: int) -> None:
        self.size, self.channels = (height, width), 3
        self.multiplies = self.params = 0

    def conv(self, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in self.size)
        weights = out * (self.channels // groups) * kernel * kernel
        self.size, self.channels = (height, width), out
        self.multiplies += weights * height * width
        self.params += weights + 2 * out

    def finish(self, classes: int) -> tuple[int, int]:
        weights = self.channels * classes
        return self.multiplies + weights, self.params + weights + classes


def retold_v1(size: tuple[int, int], width: float, skipped: range, full: bool) -> tuple[int, int]:
    net = Retold(*size)
    net.conv(max(8, int(32 * width)), 3, 2)
    doubled = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    for index, channels in enumerate(doubled):
        if index in skipped:
            continue
        stride = 2 if index in (1, 3, 5, 11) else 1
        out = max(8, int(channels * width))
        if full:
            net.conv(out, 3, stride)
        else:
            net.conv(net.channels, 3, stride, groups=net.channels)
            net.conv(out, 1)
    return net.finish(1000)


def eight(value: float) -> int:
    nearest = max(8, 8 * math.floor(value / 8 + 0.5))
    return nearest if nearest >= 0.9 * value else nearest + 8


def retold_v2(size: tuple[int, int], width: float) -> tuple[int, int]:
    net = Retold(*size)
    net.conv(eight(32 * width), 3, 2)
    strided = {1, 3, 6, 13}
    outs = [16, *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320]
    for index, out in enumerate(outs):
        if index:
            net.conv(net.channels * 6, 1)
        net.conv(net.channels, 3, 2 if index in strided else 1, groups=net.channels)
        net.conv(eight(out * width), 1)
    net.conv(eight(1280 * width) if width > 1 else 1280, 1)
    return net.finish(1000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", WIDTHS)
def test_other_widths_and_resolutions(size: tuple[int, int], width: float) -> None:
    expected = {
        "mobilenet_v1": retold_v1(size, width, range(0), full=False),
        "conv_mobilenet": retold_v1(size, width, range(0), full=True),
        "shallow_mobilenet": retold_v1(size, width, range(6, 11), full=False),
        "mobilenet_v2": retold_v2(size, width),
    }
    for name, figures in expected.items():
        cost = cost_of(zoo.network(name, width=width, input=Input(*size, 3)))
        assert (cost.multiplies, cost.params) == figures, name


@pytest.mark.parametrize(
    ("name", "width", "multiplies", "params"),
    [
        # Millions of multiply-adds as the authors' tables print them; parameters as torchvision and
        # Keras Applications build these networks, the two running statistics of BatchNorm included.
        ("mobilenet_v1", 0.25, 41, 475_544),
        ("mobilenet_v1", 0.5, 149, 1_342_536),
        ("mobilenet_v1", 0.75, 325, 2_601_976),
        ("mobilenet_v1", 1.0, 569, 4_253_864),
        ("mobilenet_v2", 0.35, 59, 1_691_208),
        ("mobilenet_v2", 0.5, 97, 1_987_224),
        ("mobilenet_v2", 0.75, 209, 2_663_064),
        ("mobilenet_v2", 1.0, 301, 3_538_984),
        ("mobilenet_v2", 1.3, 509, 5_431_048),
        ("mobilenet_v2", 1.4, 582, 6_156_712),
    ],
)
def test_published_widths(name: str, width: float, multiplies: int, params: int) -> None:
    cost = cost_of(zoo.network(name, width=width))
    assert round(cost.multiplies / 1e6) == pytest.approx(multiplies, abs=1)
    assert cost.params + cost.batch_norms == params


@pytest.mark.parametrize(
    ("name", "multiplies", "params"),
    [
        # torchvision's weight metadata, then the tables of pytorch-cifar-models.
        ("resnet18", 1814, 11_689_512),
        ("resnet34", 3664, 21_797_672),
        ("cifar_resnet20", 40.81, 272_474),
        ("cifar_resnet32", 69.12, 466_906),
        ("cifar_resnet44", 97.44, 661_338),
        ("cifar_resnet56", 125.75, 855_770),
    ],
)
def test_published_resnets(name: str, multiplies: float, params: int) -> None:
    cost = cost_of(zoo.network(name))
    assert cost.multiplies / 1e6 == pytest.approx(multiplies, abs=0.4 if multiplies > 999 else 5e-3)
    assert cost.params == params


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_depth_counts_weighted_layers(depth: int) -> None:
    layers = cost_of(zoo.network(f"cifar_resnet{depth}")).layers
    assert sum(layer.role != "shortcut" for layer in layers) == depth
    assert sum(layer.role == "shortcut" for layer in layers) == 2


@given(st.floats(0.01, 5000))
def test_make_divisible(value: float) -> None:
    rounded = zoo.make_divisible(value)
    assert rounded % 8 == 0
    assert rounded >= 8
    assert rounded >= 0.9 * value
    assert rounded <= max(8, value + 8)


def test_every_network_is_an_ordinary_arch() -> None:
    for name in zoo.names():
        arch = zoo.network(name, classes=7)
        assert arch.classes == 7
        assert from_json(to_json(arch)) == arch
    assert len(zoo.names()) == 11
    assert zoo.network("cifar_resnet20").input == Input(32, 32, 3)
    assert zoo.network("mobilenet_v2").input == Input(224, 224, 3)
    assert zoo.network("mobilenet_v2").classes == 1000
    assert sum(block.skip for block in zoo.network("mobilenet_v2").blocks) == 10


def test_resnets_scale_every_convolution() -> None:
    """Twice the width, four times the multiplies, but for what reads the image or the classes."""
    once, twice = (cost_of(zoo.network("cifar_resnet20", width=w)) for w in (1.0, 2.0))
    ends = 32 * 32 * 9 * 3 * 16 + 64 * 10
    assert twice.multiplies - 2 * ends == 4 * (once.multiplies - ends)
    arch = zoo.network("cifar_resnet20", width=0.1)
    assert {block.channels for block in arch.blocks} == {2, 3, 6}


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_width_is_positive_and_finite(width: float) -> None:
    with pytest.raises(UserError, match="positive and finite"):
        zoo.network("mobilenet_v1", width=width)


@pytest.mark.parametrize(
    ("name", "settings", "parts"),
    [
        ("mobilenet_v3", {}, "mobilenet_v2"),
        ("resnet_18", {}, "did you mean resnet18"),
        ("resnet18", {"width": 1e9}, "at width 1000000000.0 .*stem.channels"),
        ("mobilenet_v1", {"input": Input(16, 16, 3)}, "input 16x16x3: .*no pixel"),
        ("mobilenet_v1", {"classes": 0}, "classes is 0"),
        ("mobilenet_v2", {"width": 1e9}, "at width 1000000000.0 .*stem.channels"),
    ],
)
def test_mistakes_name_the_rule(name: str, settings: dict[str, object], parts: str) -> None:
    with pytest.raises(UserError, match=parts):
        zoo.network(name, **settings)  # type: ignore[arg-type]


COSTS = {
    name: [
        cost_of(zoo.network(name, width=step / 100, input=Input(28, 28, 1), classes=10)).multiplies
        for step in range(1, 101)
    ]
    for name in ("mobilenet_v1", "mobilenet_v2", "cifar_resnet20")
}


@given(st.sampled_from(sorted(COSTS)), st.integers(1, 12_000_000))
def test_the_widest_within_a_budget_is_the_widest_of_all_hundredths(name: str, budget: int) -> None:
    fitting = [step for step, cost in enumerate(COSTS[name], 1) if cost <= budget]
    if not fitting:
        with pytest.raises(UserError, match=f"{name} costs .* at width 0.01, above"):
            zoo.widest(name, budget, input=Input(28, 28, 1), classes=10)
        return
    width, arch = zoo.widest(name, budget, input=Input(28, 28, 1), classes=10)
    assert round(100 * width) == fitting[-1]
    assert cost_of(arch).multiplies == COSTS[name][fitting[-1] - 1]
