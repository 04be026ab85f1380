"""`ganexport inspect`: what it prints and draws, and what it puts into a bundle."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.generators import make_generator, stylegan2_spec
from support.inspected import PSI, SEED, SKIP, generator_of, recording_of
from support.trees import tree

from ganexport import cli, open_bundle
from ganexport.bundle import check_files
from ganexport.describe import describe
from ganexport.inspect import Subject, look_inside, open_subject, update
from ganexport.inspect.measure import strongest_channels
from ganexport.manifest import read_manifest
from ganexport.parity.cases import Oracle
from ganexport.pictures import to_uint8
from ganexport.site import _for_pages

Run = Callable[..., tuple[int, str, str]]
"""Status, what it said, and its errors."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
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


def test_it_lists_layers(run: Run, checkpoint: Path) -> None:
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


def test_it_draws_and_tells_the_numbers(run: Run, checkpoint: Path) -> None:
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


def test_a_bundle_is_looked_into_as_it_draws(run: Run, digits_bundle: Path) -> None:
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
def test_nonsense_is_said_to_be_so(run: Run, checkpoint: Path, arguments: tuple[object, ...], message: str) -> None:
    status, _, err = run(checkpoint, *arguments)
    assert status == 2
    assert message in err
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_psi_needs_a_w_space(run: Run, tmp_path: Path) -> None:
    generator_of("dcgan").save(tmp_path / "dcgan.safetensors")
    status, _, err = run(tmp_path / "dcgan.safetensors", "--label", 0, "--psi", 0.5, "--json")
    assert (status, "no w space, so psi means nothing" in err) == (2, True)


def test_a_bundle_without_a_checkpoint_cannot_be_looked_into(run: Run, digits_bundle: Path, tmp_path: Path) -> None:
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


def test_pictures_from_within_become_part_of_the_bundle(run: Run, bundle: Path) -> None:
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
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
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
