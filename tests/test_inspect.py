"""Looking inside: what is recorded is what the layers do, its parts sum to the picture, and it is drawn as it is."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import dcgan as dcgan_oracle
from oracles import stylegan2 as stylegan2_oracle
from PIL import Image
from support.generators import Arrays, dcgan_spec, make_generator, oracle_name, oracle_settings, stylegan2_spec
from support.interpreters import relative_error
from support.stylegan3 import stylegan3_spec, stylegan3_tensors
from support.trees import tree

from ganexport import cli, open_bundle
from ganexport.architectures import ARCHITECTURES, lucidrains, mlp, progressive, stylegan, weight_shapes
from ganexport.bundle import check_files
from ganexport.describe import describe
from ganexport.generator import Generator
from ganexport.inspect import Inside, Subject, look_inside, open_subject, update
from ganexport.inspect.measure import block_parts, channel_parts, strongest_channels
from ganexport.inspect.panel import channels_panel, parts_panel, signed_colours
from ganexport.inspect.record import Recording, layer_names, record
from ganexport.manifest import GoldenCase, read_manifest
from ganexport.parity import feeds_of
from ganexport.parity.cases import Oracle
from ganexport.pictures import to_uint8
from ganexport.site import _for_pages
from ganexport.spec import GeneratorSpec

# The package guards a norm by max(x, eps), the oracles, as published, by x + eps.
EXACT = 1e-6
PSI = 0.8
SEED = 3

SMALL: dict[str, Any] = {"resolution": 16, "image_channels": 3, "z_dim": 7, "channels": (7, 6, 4)}
MAPPED: dict[str, Any] = SMALL | {"w_dim": 7, "mapping_layers": 2}
SPECS: dict[str, GeneratorSpec] = {
    "stylegan2": stylegan2_spec(),
    "stylegan2-resnet-clamp": stylegan2_spec(output="resnet", conv_clamp=0.8, c_dim=0),
    "stylegan2-orig-grey": stylegan2_spec(output="orig", image_channels=1),
    "stylegan2-as-wide-as-a-picture": stylegan2_spec(channels=(3, 3, 3)),
    "dcgan": dcgan_spec(3),
    "dcgan-labels-everywhere": dcgan_spec(3, label_layers="every"),
    "mlp": mlp.Spec(resolution=8, image_channels=3, z_dim=7, c_dim=2, hidden=(6, 5), label_layers="every"),
    "progressive-fading": progressive.Spec(**SMALL, lod=0.4),
    "progressive-small": progressive.Spec(**(SMALL | {"resolution": 32}), lod=1.0),
    "stylegan": stylegan.Spec(**MAPPED, mapping_width=9),
    "lucidrains": lucidrains.Spec(**MAPPED, attention=(8,)),
    "stylegan3": stylegan3_spec(),
}
SKIP = "stylegan2"


@cache
def generator_of(net: str) -> Generator:
    spec = SPECS[net]
    return make_generator(spec, stylegan3_tensors(spec) if net == "stylegan3" else None)  # type: ignore[arg-type]


@cache
def feeds(net: str) -> Arrays:
    spec = SPECS[net]
    noise = "const" if getattr(spec, "noise", False) else "none"
    labels = (1,) if spec.c_dim else None
    case = GoldenCase(name="inside", seeds=(SEED,), labels=labels, truncation_psi=PSI, noise_mode=noise)
    return feeds_of(case, spec, noise)


@cache
def recording_of(net: str) -> Recording:
    return record(generator_of(net), feeds(net))


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


# ------------------------------------------------------------------------------------------------ the command line


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `ganexport inspect` in this process."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganexport", "inspect", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    generator_of(SKIP).save(tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


def test_it_lists_layers(run: Callable[..., tuple[int, str, str]], checkpoint: Path) -> None:
    status, out, _ = run(checkpoint, "--list")
    assert status == 0
    (line,) = (line for line in out.splitlines() if line.strip().startswith("b16.conv0"))
    assert re.split(r"\s{2,}", line.strip()) == [
        "b16.conv0",
        "modulated transposed convolution",
        "3×3",
        "6 → 4",
        "16×16",
    ]
    listed = json.loads(run(checkpoint, "--list", "--json")[1])
    assert [one["layer"] for one in listed] == list(recording_of(SKIP).layers)


def test_it_draws_and_tells_the_numbers(run: Callable[..., tuple[int, str, str]], checkpoint: Path) -> None:
    output = checkpoint.with_name("inside.png")
    asked = ("--seed", SEED, "--label", 1, "--psi", PSI, "--layer", "b16.conv1", "--channels", 2)
    status, out, _ = run(checkpoint, *asked, "-o", output, "--json")
    assert status == 0
    facts = json.loads(out)
    expected = strongest_channels(recording_of(SKIP).layers["b16.conv1"], 2, 8)
    assert [one["strength"] for one in facts["channels"]] == [one.strength for one in expected]
    assert facts["picture"] == "toy, seed 3, class 1"
    assert facts["last_layer"] == "b16.torgb"
    assert [one["title"] for one in facts["blocks"]] == ["b4.torgb", "b8.torgb", "b16.torgb"]
    with Image.open(output) as image:
        assert json.loads(image.info["ganexport"]) == {"inside": "toy, seed 3, class 1", "layer": "b16.conv1"}
        assert image.size[0] > 400


def test_a_bundle_is_looked_into_as_it_draws(run: Callable[..., tuple[int, str, str]], digits_bundle: Path) -> None:
    status, out, _ = run(digits_bundle, "--seed", 9, "--label", 3, "--json")
    assert status == 0
    assert json.loads(out)["layer"] == "b32.conv1"
    inside = look_inside(open_subject(digits_bundle), 9, "3")
    drawn = open_bundle(digits_bundle).generate([9], 3)
    assert np.abs(to_uint8(inside.recording.image, inside.image_range).astype(int) - drawn).max() <= 1


def test_noise_is_as_the_bundle_takes_it() -> None:
    generator = make_generator(stylegan2_spec(c_dim=0))
    pictures = {
        mode: look_inside(Subject(generator, "toy", mode, 1.0, None), 5).recording.image
        for mode in ("const", "none", "random", "input")
    }
    spec = generator.spec
    random = np.random.RandomState(5)
    z = random.randn(1, spec.z_dim)
    sizes = [4, 8, 8, 16, 16]
    names = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    noise = {f"noise.{name}": random.randn(1, 1, n, n) for name, n in zip(names, sizes, strict=True)}
    given = {"z": z, "truncation_psi": np.ones((1, spec.num_ws)), **noise}
    expected = Oracle(generator)({name: value.astype(np.float32) for name, value in given.items()})["image"]
    np.testing.assert_allclose(pictures["random"], expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(pictures["input"], pictures["none"])  # where nobody gives any
    assert np.abs(pictures["const"] - pictures["none"]).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", 1, "-o", "x.png"), "this generator has 3 classes: say which, for example --label 0"),
        (("--label", 0), "say where the picture goes, for example -o inside.png, or pass --list, --json or --web"),
        (
            ("--web", "--list"),
            "--web puts all layers into the bundle, and --no-web takes them out: neither goes with an output",
        ),
        (
            ("--label", 0, "--layer", "b32", "--json"),
            "no layer 'b32'; this generator has: b4.conv1, b4.torgb, b8.conv0",
        ),
    ],
)
def test_nonsense_is_said_to_be_so(
    run: Callable[..., tuple[int, str, str]], checkpoint: Path, arguments: tuple[object, ...], message: str
) -> None:
    status, _, err = run(checkpoint, *arguments)
    assert status == 2
    assert message in err
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_psi_needs_a_w_space(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    generator_of("dcgan").save(tmp_path / "dcgan.safetensors")
    status, _, err = run(tmp_path / "dcgan.safetensors", "--label", 0, "--psi", 0.5, "--json")
    assert (status, "no w space, so psi means nothing" in err) == (2, True)


def test_a_bundle_without_a_checkpoint_cannot_be_looked_into(
    run: Callable[..., tuple[int, str, str]], digits_bundle: Path, tmp_path: Path
) -> None:
    manifest = json.loads((digits_bundle / "ganexport.json").read_text())
    del manifest["files"]["checkpoint.safetensors"]
    (tmp_path / "ganexport.json").write_text(json.dumps(manifest))
    status, _, err = run(tmp_path, "--label", 0, "--list")
    assert status == 2
    assert "has no checkpoint.safetensors, whose layers would be looked into: convert it without --no-checkpoint" in err


# --------------------------------------------------------------------------------------------------- in the bundle


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "there" / "tiny"))


def test_pictures_from_within_become_part_of_the_bundle(run: Callable[..., tuple[int, str, str]], bundle: Path) -> None:
    before = tree(bundle)
    assert run(bundle, "--web", "--seed", 9, "--label", "birch")[0] == 0
    assert run(bundle, "--web", "--seed", 4, "--label", 0)[0] == 0
    assert run(bundle, "--web", "--seed", 9, "--label", 1, "--psi", 0.5)[0] == 0  # in place of the first
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    assert [(one.seed, one.label, one.truncation_psi) for one in manifest.inside] == [(4, 0, 1.0), (9, 1, 0.5)]
    items = manifest.inside[1].items
    assert [one.layer for one in items] == [None, *recording_of(SKIP).layers]
    assert describe(bundle)["inside"] == ["seed 4, class 0", "seed 9, class 1"]
    assert items[1].picture == "inside/9-1/b4.conv1.webp"
    assert "b4.conv1: modulated convolution 3 x 3, 8 to 8 channels of 4 x 4. The 8 strongest" in items[1].text

    inside = look_inside(open_subject(bundle), 9, 1, 0.5)
    with Image.open(bundle / items[1].picture) as image:
        np.testing.assert_array_equal(np.asarray(image), inside.draw_layer(inside.layer("b4.conv1"), 8))
    offered = _for_pages(manifest)
    assert offered.inside == manifest.inside
    assert {one.picture for one in items} <= offered.files.keys()

    assert run(bundle, "--no-web")[0] == 0
    assert tree(bundle) == before


@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()])
def test_a_bundle_is_never_half_changed(bundle: Path, stop: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(bundle.parent)

    def fail(*arguments: object, **more: object) -> None:
        raise stop

    monkeypatch.setattr(update, "save_webp", fail)
    with pytest.raises(type(stop)):
        update.add_inside(bundle, 9, 1)
    assert tree(bundle.parent) == before


def test_the_page_about_looking_inside_says_what_works(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., tuple[int, str, str]]
) -> None:
    if not read_manifest(digits_bundle).inside:
        pytest.skip("the digits were not shipped")
    text = (Path(__file__).parents[1] / "docs" / "inspect.md").read_text(encoding="utf-8")
    shutil.copytree(digits_bundle, tmp_path / "digits")
    (tmp_path / "converted_models").symlink_to(digits_bundle.parent)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^ganexport inspect (.*?)(?: +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        assert run(*command.split())[0] == 0, command
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["kernel"].shape == (48, 48, 3, 3)
    assert names["maps"].shape == (1, 48, 16, 16)
    assert names["inside"].last(names["layer"]).name == "b32.torgb"
    strongest = json.loads(run("digits", "--seed", 9, "--label", 3, "--json")[1])["parts"][
        2:
    ]  # after what was before, and the bias
    assert max(strongest, key=lambda one: one["strength"])["title"] == "channel 29"  # the strokes
