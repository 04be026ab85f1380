"""`GeneratorSpec`, its architectures' own, and `Provenance`: what they take and how they say no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from support.generators import dcgan_spec, mlp_spec, stylegan2_spec

from ganexport.architectures import spec_from_json
from ganexport.errors import SpecError
from ganexport.spec import GeneratorSpec, Provenance

SHA = "0123456789abcdef" * 4
BASE = {"architecture": "any", "resolution": 16, "image_channels": 3, "z_dim": 8}


def test_a_plain_spec_has_the_fields_usual_defaults() -> None:
    spec = GeneratorSpec(**BASE)
    assert (spec.c_dim, spec.w_dim, spec.num_ws) == (0, 0, 0)
    assert spec.z_distribution == "normal"
    assert spec.image_range == (-1.0, 1.0)
    assert not spec.has_w_space
    assert GeneratorSpec(**BASE, w_dim=4, num_ws=2).has_w_space


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 2}, r"resolution: Input should be greater than or equal to 4, found 2"),
        ({"resolution": 16.0}, r"resolution: .*integer.*found 16\.0"),
        ({"resolution": "16"}, r"resolution: .*integer.*found '16'"),
        ({"resolution": True}, r"resolution: .*integer.*found True"),
        ({"image_channels": 2}, r"image_channels: Input should be 1, 3 or 4, found 2"),
        ({"z_dim": 0}, r"z_dim: .*found 0"),
        ({"c_dim": -1}, r"c_dim: .*found -1"),
        ({"z_distribution": "cauchy"}, r"z_distribution: .*'normal' or 'uniform'.*found 'cauchy'"),
        ({"image_range": (1.0, 1.0)}, r"image_range must rise, found \(1\.0, 1\.0\)"),
        ({"image_range": (1.0, -1.0)}, r"image_range must rise"),
        ({"image_range": (float("nan"), 1.0)}, r"image_range must rise"),
        ({"image_range": (0.0,)}, r"image_range"),
        ({"w_dim": 4}, r"w_dim 4 and num_ws 0 must both be zero or neither"),
        ({"num_ws": 4}, r"w_dim 0 and num_ws 4 must both be zero or neither"),
        ({"colour": "blue"}, r"colour: Extra inputs are not permitted, found 'blue'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        GeneratorSpec(**(BASE | changes))
    assert str(caught.value).startswith("GeneratorSpec: ")
    assert "\n" not in str(caught.value)


def test_every_fault_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        GeneratorSpec(architecture="any", resolution=1, image_channels=5)
    for part in ("resolution: ", "image_channels: ", "z_dim: Field required"):
        assert part in str(caught.value)


def test_long_values_are_cut_in_the_message() -> None:
    with pytest.raises(SpecError) as caught:
        GeneratorSpec(**(BASE | {"resolution": "x" * 1000}))
    assert len(str(caught.value)) < 200


def test_a_spec_cannot_be_changed() -> None:
    spec = GeneratorSpec(**BASE)
    with pytest.raises(ValidationError, match="frozen"):
        spec.resolution = 32  # type: ignore[misc]
    assert hash(spec) == hash(GeneratorSpec(**BASE))


# ---------------------------------------------------------------------------------------------------- architectures


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 32}, r"3 blocks end at 16², but the resolution is 32²"),
        ({"channels": (4, 4)}, r"2 blocks end at 8², but the resolution is 16²"),
        ({"channels": (4, 0, 4)}, r"channels must be positive"),
        pytest.param(
            {"channels": ()},
            r"channels",
        ),
        ({"num_ws": 5}, r"num_ws must be 6, found 5"),
        ({"embed_dim": 0}, r"embed_dim 0 and c_dim 3 must both be zero or neither"),
        ({"output": "residual"}, r"output: .*'skip', 'resnet' or 'orig', found 'residual'"),
        ({"conv_clamp": 0.0}, r"conv_clamp: .*greater than 0"),
        ({"conv_clamp": float("nan")}, r"conv_clamp"),
        ({"mapping_layers": 0}, r"mapping_layers"),
        ({"resample_filter": (1.0,)}, r"square with at least two taps, found \(1, 1\)"),
        ({"resample_filter": ((1.0, 2.0),)}, r"square with at least two taps, found \(1, 2\)"),
        ({"resample_filter": ((1.0, 2.0), (1.0,))}, r"."),
        ({"resample_filter": ()}, r"."),
        pytest.param({"resample_filter": (1.0, -1.0)}, r"resample_filter", id="sum-zero"),
        pytest.param({"resample_filter": (1.0, float("nan"))}, r"resample_filter", id="nan-tap"),
        pytest.param({"resample_filter": (1.0, float("inf"))}, r"resample_filter", id="infinite-tap"),
    ],
)
def test_a_stylegan2_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        stylegan2_spec(**changes)


def test_stylegan2_derives_how_many_ws_it_takes() -> None:
    assert stylegan2_spec().num_ws == 6
    assert stylegan2_spec(resolution=8, channels=(3, 2)).num_ws == 4


LAYER = {"channels": 3, "kernel": 16, "stride": 1, "padding": 0, "activation": "tanh"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 32}, r"the layers end at 16², but the resolution is 32²"),
        ({"image_channels": 1}, r"the last layer gives 3 channels, not 1"),
        ({"layers": ()}, r"layers"),
        ({"layers": ({**LAYER, "activation": "swish"},)}, r"layers\.0\.activation: .*found 'swish'"),
        ({"layers": ({**LAYER, "stride": 0},)}, r"layers\.0\.stride"),
        ({"layers": ({**LAYER, "bias": 1},)}, r"layers\.0\.bias: Extra inputs"),
        ({"w_dim": 4, "num_ws": 2}, r"a DCGAN has no w space"),
    ],
)
def test_a_dcgan_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        dcgan_spec(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": ()}, r"hidden"),
        ({"hidden": (8, 0)}, r"a width of 1 or more, found \(8, 0\)"),
        ({"slope": 1.0}, r"slope: .*found 1\.0"),
        ({"label_layers": "some"}, r"label_layers: .*found 'some'"),
        ({"w_dim": 4, "num_ws": 2}, r"a dense GAN has no w space"),
    ],
)
def test_a_dense_net_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        mlp_spec(**changes)


def test_a_dcgan_that_says_nothing_of_labels_joins_them_to_z() -> None:
    """As every checkpoint and manifest did before there was a choice."""
    data = dcgan_spec(c_dim=2).model_dump(mode="json")
    del data["label_layers"]
    assert spec_from_json(data) == dcgan_spec(c_dim=2, label_layers="first")


@pytest.mark.parametrize("data", [{}, {"architecture": None}, {"architecture": "StyleGAN2"}, {"architecture": 5}])
def test_json_without_a_known_architecture_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="unknown architecture"):
        spec_from_json(data)


@pytest.mark.parametrize(
    "spec", [stylegan2_spec(), stylegan2_spec(c_dim=0, conv_clamp=256), dcgan_spec(c_dim=4), mlp_spec()]
)
def test_json_and_back(spec: GeneratorSpec) -> None:
    again = spec_from_json(json.loads(json.dumps(spec.model_dump(mode="json"))))
    assert again == spec
    assert type(again) is type(spec)


# ------------------------------------------------------------------------------------------------------- provenance


@pytest.mark.parametrize("sha", ["", SHA[:-1], SHA.upper(), SHA + "0", "g" * 64, 5])
def test_a_hash_is_64_small_hexadecimal_digits(sha: Any) -> None:
    with pytest.raises(ValidationError):
        Provenance(source_format="test", source_sha256=sha, weights_sha256=SHA, importer="tests", licence="")
    with pytest.raises(ValidationError):
        Provenance(source_format="test", source_sha256=None, weights_sha256=sha, importer="tests", licence="")


def test_provenance_keeps_how_it_was_trained() -> None:
    made = Provenance(
        source_format="training",
        source_sha256=None,
        weights_sha256=SHA,
        importer="train",
        licence="Apache-2.0",
        training={"kimg": 400, "lr": 0.002, "augment": None},
    )
    assert Provenance.model_validate_json(made.model_dump_json()) == made
