"""Looking inside: what is recorded is what the layers do, its parts sum to the picture, and it is drawn as it is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from oracles import dcgan as dcgan_oracle
from oracles import stylegan2 as stylegan2_oracle
from support.generators import make_generator, oracle_name, oracle_settings
from support.inspected import PSI, SEED, SKIP, SPECS, feeds, generator_of, recording_of
from support.interpreters import relative_error

from ganexport.architectures import ARCHITECTURES, weight_shapes
from ganexport.inspect import Inside
from ganexport.inspect.measure import block_parts, channel_parts, strongest_channels
from ganexport.inspect.panel import channels_panel, parts_panel, signed_colours
from ganexport.inspect.record import layer_names
from ganexport.parity.cases import Oracle
from ganexport.pictures import to_uint8

# The package guards a norm by max(x, eps), the oracles, as published, by x + eps.
EXACT = 1e-6


def test_every_architecture_is_tried() -> None:
    assert {spec.architecture for spec in SPECS.values()} == ARCHITECTURES.keys()


@pytest.mark.parametrize("net", SPECS)
def test_layers_are_those_with_a_kernel_among_the_canonical_tensors(net: str) -> None:
    shapes = weight_shapes(SPECS[net])
    kernels = (re.fullmatch(r"synthesis\.(.*?(?<!affine)(?<!shift)(?<!depthwise))\.weight", name) for name in shapes)
    expected = [match[1] for match in kernels if match]
    assert sorted(recording_of(net).layers) == sorted(expected) == sorted(layer_names(shapes))
    for name, layer in recording_of(net).layers.items():
        assert layer.kernel.size == np.prod(shapes[f"synthesis.{name}.weight"])
        assert layer.kernel.shape[1] == shapes[f"synthesis.{name}.weight"][1] == layer.inputs.shape[1]


@pytest.mark.parametrize("net", SPECS)
def test_looking_changes_nothing_and_parts_sum_to_the_picture(net: str) -> None:
    recording = recording_of(net)
    picture = Oracle(generator_of(net))(feeds(net))["image"]
    np.testing.assert_array_equal(recording.image, picture)
    assert recording.parts
    np.testing.assert_allclose(sum(recording.parts.values()), picture, rtol=0, atol=1e-9)
    for layer in recording.layers.values():
        whole = layer.offset + sum(layer.contribution(i) for i in range(layer.inputs.shape[1]))
        np.testing.assert_allclose(layer.finish(whole), layer.output, rtol=0, atol=1e-9)


def straight_styled_layers(net: str) -> dict[str, dict[str, np.ndarray]]:
    """Inputs, kernel and output of every layer of a skip net, by the straight-line program."""
    generator, given = generator_of(net), feeds(net)
    weights, spec = generator.weights, generator.spec
    ws = stylegan2_oracle.mapping(weights, given["z"], given["c"], truncation_psi=np.float64(np.float32(PSI)))
    taps = stylegan2_oracle.fir(oracle_settings(spec)["resample_filter"])  # type: ignore[arg-type]
    x = np.asarray(weights["synthesis.b4.const"], np.float64)[np.newaxis]
    index, layers = 0, {}
    for resolution in (4, 8, 16):
        for part in ("conv1", "torgb") if resolution == 4 else ("conv0", "conv1", "torgb"):
            name = f"synthesis.b{resolution}.{part}"
            style = stylegan2_oracle.dense(ws[:, index], weights, f"{name}.affine")[0]
            kernel = weights[f"{name}.weight"].astype(np.float64) * style[None, :, None, None]
            if part == "torgb":
                output = stylegan2_oracle.to_rgb(x, ws[:, index], weights, name, None)
            else:
                kernel /= np.sqrt(np.sum(kernel**2, axis=(1, 2, 3), keepdims=True))
                up = taps if part == "conv0" else None
                output = stylegan2_oracle.styled_conv(x, ws[:, index], weights, name, up)
                index += 1
            layers[f"b{resolution}.{part}"] = {"inputs": x, "kernel": kernel, "output": output}
            x = x if part == "torgb" else output
    return layers


def test_modulated_layers_are_those_of_the_straight_line_program() -> None:
    expected = straight_styled_layers(SKIP)
    found = recording_of(SKIP).layers
    assert list(found) == list(expected)
    for name, arrays in expected.items():
        assert found[name].kind.startswith("modulated"), name
        for what, array in arrays.items():
            assert relative_error(getattr(found[name], what), array) < EXACT, (name, what)


def test_transposed_convolutions_are_those_of_the_straight_line_program() -> None:
    generator, given = generator_of("dcgan"), feeds("dcgan")
    weights = {oracle_name(n): a.swapaxes(0, 1) if a.ndim == 4 else a for n, a in generator.weights.items()}
    layers = [(one.stride, one.padding, one.activation) for one in generator.spec.layers]  # type: ignore[attr-defined]
    before = np.concatenate([given["z"], given["c"]], axis=1)[:, :, None, None]
    for i in range(len(layers)):
        found = recording_of("dcgan").layers[f"layer{i}"]
        after = dcgan_oracle.generate(weights, given["z"], given["c"], layers=layers[: i + 1])
        assert found.kind == "transposed convolution"
        np.testing.assert_array_equal(found.kernel, generator.weights[f"synthesis.layer{i}.weight"])
        np.testing.assert_allclose(found.inputs, before, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.output, after, rtol=0, atol=1e-12)
        before = after


def test_a_dense_layer_has_a_picture_of_each_of_its_inputs() -> None:
    recording, weights = recording_of("mlp"), generator_of("mlp").weights
    layer = recording.layers["fc2"]
    hidden = layer.inputs[0, :, 0, 0]
    assert layer.kernel.shape == (3, 7, 8, 8)  # five units and two classes
    np.testing.assert_array_equal(layer.kernel[:, 3].ravel(), weights["synthesis.fc2.weight"][:, 3])
    drawn = sum(hidden[i] * weights["synthesis.fc2.weight"][:, i].astype(np.float64) for i in range(7))
    picture = np.tanh(drawn + weights["synthesis.fc2.bias"]).reshape(1, 3, 8, 8)
    np.testing.assert_allclose(recording.image, picture, rtol=0, atol=1e-12)
    assert recording.layers["fc1"].output.shape == (1, 5, 1, 1)


def test_a_demodulated_kernel_has_the_length_that_is_published() -> None:
    layers = list(recording_of("stylegan3").layers.values())[1:-1]  # without Fourier features and to-RGB
    for settings, layer in zip(SPECS["stylegan3"].layers, layers, strict=True):  # type: ignore[attr-defined]
        lengths = np.sqrt(np.sum(layer.kernel**2, axis=(1, 2, 3)))
        np.testing.assert_allclose(lengths, settings.input_gain, rtol=1e-6)


def test_a_block_adds_what_the_net_draws_when_the_others_give_nothing() -> None:
    generator = generator_of(SKIP)
    for block, picture in recording_of(SKIP).parts.items():
        others = re.compile(rf"synthesis\.(?!{re.escape(block)}\.)b\d+\.torgb\.(weight|bias)")
        muted = {n: np.zeros_like(a) if others.fullmatch(n) else a for n, a in generator.weights.items()}
        alone = Oracle(make_generator(generator.spec, muted))(feeds(SKIP))["image"]
        np.testing.assert_allclose(picture, alone, rtol=0, atol=1e-12)


def test_the_picture_comes_together_block_by_block() -> None:
    recording = recording_of(SKIP)
    parts = block_parts(recording)
    assert [part.title for part in parts] == ["b4.torgb", "b8.torgb", "b16.torgb"]
    np.testing.assert_allclose(parts[-1].so_far, recording.image[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts[1].so_far - parts[0].so_far, parts[1].adds, rtol=0, atol=1e-12)
    assert block_parts(recording_of("dcgan")) == []


@pytest.mark.parametrize("net", ["dcgan", "mlp", "stylegan", "stylegan3"])
def test_the_picture_comes_together_channel_by_channel(net: str) -> None:
    recording = recording_of(net)
    layer = list(recording.layers.values())[-1]
    parts = channel_parts(layer, 2)
    channels = [part.title for part in parts]
    assert channels[0] == "bias"
    assert channels[-1] == f"{layer.inputs.shape[1] - 2} others"
    assert len(parts) == 4
    np.testing.assert_allclose(parts[-1].so_far, recording.image[0], rtol=0, atol=1e-9)
    strengths = [np.sqrt(np.mean(layer.contribution(i) ** 2)) for i in range(layer.inputs.shape[1])]
    assert channels[1:3] == [f"channel {i}" for i in sorted(range(len(strengths)), key=lambda i: -strengths[i])[:2]]
    assert len(channel_parts(layer, layer.inputs.shape[1])) == 1 + layer.inputs.shape[1]


def test_the_last_inputs_are_added_to_what_the_blocks_before_gave() -> None:
    inside = Inside("", SEED, 1, PSI, recording_of(SKIP), (-1.0, 1.0))
    parts = inside.parts(inside.recording.layers["b16.torgb"])
    assert [part.title for part in parts[:2]] == ["before", "bias"]
    np.testing.assert_allclose(parts[0].so_far, block_parts(recording_of(SKIP))[1].so_far, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts[-1].so_far, inside.recording.image[0], rtol=0, atol=1e-9)
    smaller = inside.parts(inside.recording.layers["b8.torgb"])
    assert smaller[0].title == "bias"
    np.testing.assert_allclose(smaller[-1].so_far, inside.recording.layers["b8.torgb"].output[0], rtol=0, atol=1e-9)


def test_the_strongest_channels_come_first() -> None:
    layer = recording_of(SKIP).layers["b16.conv1"]
    channels = strongest_channels(layer, 3, 2)
    by_hand = [float(np.sqrt((layer.output[0, o] ** 2).mean())) for o in range(4)]
    assert [one.strength for one in channels] == pytest.approx(sorted(by_hand, reverse=True)[:3])
    for one in channels:
        np.testing.assert_array_equal(one.map, layer.output[0, one.index])
        assert [each.kernel.shape for each in one.filters] == [(3, 3)] * 2
        weighs = [
            np.linalg.norm(layer.kernel[one.index, i]) * np.sqrt((layer.inputs[0, i] ** 2).mean()) for i in range(4)
        ]
        assert [each.index for each in one.filters] == list(np.argsort(weighs)[::-1][:2])


@pytest.mark.parametrize("net", SPECS)
def test_every_layer_can_be_drawn(net: str) -> None:
    inside = Inside("a net", SEED, 1, PSI, recording_of(net), SPECS[net].image_range)
    for name, layer in inside.recording.layers.items():
        picture = inside.draw_layer(layer, 2)
        assert picture.shape[1] <= 354, name
        assert picture.std() > 5, name
    assert inside.draw(inside.layer(None), 2).shape[1] <= 744
    assert inside.layer(None).name not in inside.recording.parts


def test_signed_colours_have_their_ends_and_their_middle() -> None:
    (row,) = signed_colours(np.array([[-2.0, -1.0, -0.5, 0.0, 1.0, 9.0]]), 1.0).astype(int)
    assert row[0].tolist() == row[1].tolist() == [20, 80, 190]
    assert row[2].tolist() == [133, 163, 218]  # half way, exactly
    assert row[3].tolist() == [246, 246, 246]
    assert row[4].tolist() == row[5].tolist() == [190, 40, 20]
    assert (signed_colours(np.zeros((2, 2)), 0.0) == 246).all()


def test_a_panel_shows_the_map_and_the_picture_as_they_are() -> None:
    recording = recording_of(SKIP)
    channels = strongest_channels(recording.layers["b16.conv1"], 4, 3)
    panel = np.asarray(channels_panel(channels, 720))
    greatest = max(np.abs(one.map).max() for one in channels)
    expected = signed_colours(channels[0].map, greatest).repeat(4, 0).repeat(4, 1)  # 16² as 64²
    np.testing.assert_array_equal(panel[1:65, 1:65], expected)

    parts = block_parts(recording)
    panel = np.asarray(parts_panel(parts, (-1.0, 1.0), 720))
    left, top = 2 * 70 + 1, 68 + 1  # the third, below what it adds
    picture = to_uint8(recording.image, (-1.0, 1.0))[0].repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(panel[top : top + 64, left : left + 64], picture)
