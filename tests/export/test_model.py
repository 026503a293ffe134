"""A loaded model: the images that it takes, and all that it tells of them."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from export.models import ARCH, FINAL, images, packed
from export.numpy_reference import forward
from flax import nnx
from jax import export as jax_export

from search.errors import UserError
from search.export import model as module
from search.export.model import Model
from search.networks.arch import Arch, Block, Head, Input, Stem, to_json
from search.networks.cost import cost_of
from search.networks.layers import layers_of, stage_ends

PACKED = packed()
MODEL = Model(PACKED)
IMAGES = images()


def test_the_logits_are_those_of_the_format() -> None:
    normalised = (IMAGES / 255 - 0.4) / 0.25
    expected = forward(json.loads(to_json(ARCH)), PACKED.arrays, normalised)
    np.testing.assert_allclose(MODEL(IMAGES), expected, rtol=1e-4, atol=1e-4)


def test_images_may_be_written_in_many_ways() -> None:
    expected = MODEL(IMAGES)
    for same in (
        IMAGES / 255,
        (IMAGES / 255).astype(np.float32),
        IMAGES[..., 0],
        jnp.asarray(IMAGES),
        [image / 255 for image in IMAGES],
        (IMAGES / 255).tolist(),
    ):
        np.testing.assert_allclose(MODEL(same), expected, rtol=1e-5, atol=1e-5)
    for one in (IMAGES[1], IMAGES[1] / 255, IMAGES[1, ..., 0]):
        np.testing.assert_allclose(MODEL(one), expected[1], rtol=1e-5, atol=1e-5)
    assert MODEL.predict(IMAGES[1]).shape == ()
    assert MODEL.classes[MODEL.predict(IMAGES[1])] == f"class {expected[1].argmax()}"
    assert MODEL.predict(IMAGES).tolist() == expected.argmax(-1).tolist()


def test_halves_are_floats_too() -> None:
    pixels = jnp.asarray(IMAGES / 255, jnp.bfloat16)
    np.testing.assert_allclose(MODEL(pixels), MODEL(np.asarray(pixels, np.float32)), rtol=1e-6)


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (IMAGES.astype(np.float32), r"images are floats from \d+ to \d+; give uint8"),
        (IMAGES / 255 - 0.5, r"images are floats from -0[.]\d+ to 0[.]\d+; give uint8"),
        (np.full(IMAGES.shape, np.nan), "images are floats from nan to nan; give uint8"),
        (IMAGES.astype(np.int64), "images are int64; give uint8 with pixels from 0 to 255, or"),
        (IMAGES > 9, "images are bool; give uint8"),
        (IMAGES[:, 1:], r"images have shape \[3, 8, 6, 1\]; give \[n, 9, 6, 1\], or one image"),
        (IMAGES[None], r"images have shape \[1, 3, 9, 6, 1\]; give \[n, 9, 6, 1\]"),
        (IMAGES.swapaxes(1, 2), r"images have shape \[3, 6, 9, 1\]; give"),
        (7, r"images have shape \[\]; give \[n, 9, 6, 1\]"),
        ([[1], [2, 3]], "are no array; give uint8"),
        ("cat.png", r"images have shape \[\]; give"),
    ],
)
def test_other_images_are_refused_in_one_line(bad: object, line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        MODEL.predict(bad)
    assert len(str(caught.value).splitlines()) == 1


def test_a_shape_that_means_two_things_is_refused() -> None:
    tiny = Model(packed(Arch(Input(1, 1, 1), Stem(2), (), Head(), 2)))
    with pytest.raises(UserError, match=r"can be one image or several; give \[n, 1, 1, 1\]"):
        tiny(np.zeros((1, 1, 1), np.uint8))
    assert tiny(np.zeros((1, 1, 1, 1), np.uint8)).shape == (1, 2)


def test_images_that_are_traced_are_sent_to_the_module() -> None:
    with pytest.raises(UserError, match=r"call model\.module"):
        jax.jit(MODEL)(IMAGES)


def test_no_images_have_no_results() -> None:
    assert MODEL(IMAGES[:0]).shape == (0, 3)
    assert MODEL.predict(IMAGES[:0, ..., 0]).shape == (0,)
    assert [maps.shape[0] for maps in MODEL.feature_maps(IMAGES[:0])] == [0, 0]


def test_many_images_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = MODEL(images(5))
    monkeypatch.setattr(module, "_BATCH", 2)
    np.testing.assert_allclose(MODEL(images(5)), expected, rtol=1e-5, atol=1e-6)
    assert [maps.shape[0] for maps in MODEL.feature_maps(images(5))] == [5, 5]


def test_probabilities_features_and_maps_belong_together() -> None:
    assert MODEL.probabilities(IMAGES).sum(-1) == pytest.approx(1, abs=1e-5)
    features, maps = MODEL.embed(IMAGES), MODEL.feature_maps(IMAGES)
    assert [one.shape for one in maps] == [(3, 5, 3, 5), (3, 3, 2, 7)]
    np.testing.assert_allclose(maps[-1].mean((1, 2)), features, rtol=1e-5, atol=1e-6)
    kernel, bias = (PACKED.arrays[f"classifier.{name}"] for name in ("kernel", "bias"))
    np.testing.assert_allclose(features @ kernel + bias, MODEL(IMAGES), rtol=1e-4, atol=1e-4)
    assert MODEL.embed(IMAGES[0]).shape == (7,)
    assert MODEL.feature_maps(IMAGES[0])[0].shape == (5, 3, 5)


@pytest.mark.parametrize(
    ("arch", "paths"),
    [
        (Arch(Input(8, 8, 1), Stem(4), (), Head(), 2), ["stem"]),
        (Arch(Input(8, 8, 1), Stem(4), (), Head(3), 2), ["head"]),
        (Arch(Input(8, 8, 1), Stem(4, pool=2), (), Head(), 2), ["stem", "pool"]),
        # Not the expanded map, which has the larger resolution but is inside the block.
        (
            Arch(Input(8, 8, 1), Stem(4), (Block("inverted", 4, 3, 2, 3),), Head(), 2),
            ["stem", "blocks.0.project"],
        ),
        (
            Arch(Input(8, 8, 1), Stem(4), (Block("basic", 4), Block("basic", 6, 3, 2)), Head(), 2),
            ["blocks.0.second", "blocks.1.second"],
        ),
        # A stride on a map of one pixel reduces nothing.
        (
            Arch(Input(1, 1, 1), Stem(4), (Block("conv", 4), Block("conv", 5)), Head(), 2),
            ["blocks.1.conv"],
        ),
    ],
)
def test_stages_end_where_the_resolution_falls(arch: Arch, paths: list[str]) -> None:
    layers = layers_of(arch)
    assert [layers[index].path for index in stage_ends(layers)] == paths


def test_the_module_takes_what_preprocess_gives() -> None:
    x = MODEL.preprocess(IMAGES)
    assert (x.dtype, x.shape) == (np.float32, IMAGES.shape)
    assert (MODEL.preprocess.mean, MODEL.preprocess.std) == ((0.4,), (0.25,))
    np.testing.assert_allclose(MODEL.module(x), MODEL(IMAGES), rtol=1e-4, atol=1e-5)


def test_changing_the_module_does_not_change_the_model() -> None:
    model = Model(PACKED)
    before = model(IMAGES)
    bias = model.module.classifier.bias
    assert isinstance(bias, nnx.Param)
    bias.set_value(bias.get_value() + 5)
    np.testing.assert_array_equal(model(IMAGES), before)


def test_xla_convolutions_are_exported_as_convolutions() -> None:
    model = Model(PACKED, convolutions="xla")
    np.testing.assert_allclose(model(IMAGES), MODEL(IMAGES), rtol=1e-4, atol=1e-4)
    (batch,) = jax_export.symbolic_shape("batch")
    spec = jax.ShapeDtypeStruct((batch, 9, 6, 1), jnp.float32)
    exported = jax_export.export(jax.jit(model.module.__call__))(spec)
    # Stem, conv, three of inverted, two of separable, head.
    assert exported.mlir_module().count("stablehlo.convolution") == 8
    x = model.preprocess(IMAGES)
    np.testing.assert_allclose(exported.call(x), MODEL(IMAGES), rtol=1e-4, atol=1e-4)


def test_it_says_what_it_is() -> None:
    assert repr(MODEL) == (
        f"Model({ARCH.id}, {MODEL.cost.multiplies / 1000:.4g}k multiplies, 3 classes, search"
        " weights, validation accuracy 0.8000)"
    )
    assert MODEL.cost == cost_of(ARCH)
    final = Model(packed(measured=FINAL, accuracy=0.7512))
    assert "final weights, test accuracy 0.7512 over 3 seeds" in repr(final)
    page = final._repr_html_()
    for text in ("accuracy on the test part", "mean over 3 seeds", "0.7500", "final", ARCH.id):
        assert text in page
    data = {**PACKED.data, "classes": ["<script>", "b", "c"]}
    assert "<script>" not in Model(packed(data=data))._repr_html_()
