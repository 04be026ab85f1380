"""The verbs that play with a bundle: what they write, say and refuse."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.trees import tree

from ganexport import cli, open_bundle
from ganexport.latent_files import save_latents
from ganexport.pictures import grid
from ganexport.play import Studio, class_sweep, every_class, mix, signed_sum, walk


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process: status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganexport", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def studio(tiny_bundle: Path) -> Studio:
    return Studio(open_bundle(tiny_bundle))


def read(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """A picture [H, W, C], and what its file says of it."""
    with Image.open(path) as image:
        text = image.text["ganexport"] if path.suffix == ".png" else image.getexif()[0x010E][len("ganexport: ") :]
        return np.asarray(image.convert("RGB")), json.loads(text)


def of(bundle: Path) -> dict[str, str]:
    """What each file says of the bundle that drew it."""
    opened = open_bundle(bundle)
    return {"bundle_name": opened.name, "bundle_digest": opened.digest}


def same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_generate_draws_every_class(
    kind: str, run: Callable[..., Any], studio: Studio, tiny_bundle: Path, tmp_path: Path
) -> None:
    output = tmp_path / f"all.{kind}"
    status, out, err = run("generate", tiny_bundle, "--seeds", "3,4", "--label", "all", "-o", output, "--json")
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert facts["rows"] == ["3", "4"]
    assert facts["columns"] == ["ash", "birch", "cedar"]
    sheet = every_class(studio, studio.seeds([3, 4]))
    picture, made = read(output)
    same(picture, sheet.assemble(studio.draw(sheet.points)))
    assert made == {"seeds": "3,4", "label": "all", "psi": 1.0, **of(tiny_bundle)}


def test_generate_writes_one_file_a_picture(run: Callable[..., Any], tiny_bundle: Path, tmp_path: Path) -> None:
    arguments = ("generate", tiny_bundle, "--seeds", "7,9", "--label", "birch,0", "--each", "-o", tmp_path / "out")
    status, out, _ = run(*arguments, "--json")
    assert status == 0
    pictures = json.loads(out)["pictures"]
    assert pictures == [
        {"name": "7@birch", "file": "00000-7-birch.png"},
        {"name": "9@ash", "file": "00001-9-ash.png"},
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [one["file"] for one in pictures]
    for one, expected in zip(pictures, open_bundle(tiny_bundle).generate([7, 9], [1, 0]), strict=True):
        picture, made = read(tmp_path / "out" / one["file"])
        same(picture, expected)
        seed, label = one["name"].split("@")
        assert (made["seed"], open_bundle(tiny_bundle).manifest.labels[made["label"]]) == (int(seed), label)
        assert made | of(tiny_bundle) == made
    before = tree(tmp_path)
    status, _, err = run(*arguments)
    assert (status, tree(tmp_path)) == (2, before)
    assert "exists; choose another output or pass --force" in err
    assert run(*arguments, "--force")[0] == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    status, _, err = run(*arguments, "--force")
    assert (status, tree(tmp_path)) == (2, before)
    assert "is no folder of such pictures" in err


@pytest.mark.parametrize("name", ["one.png", "one.webp"])
def test_a_single_picture_is_drawn_again_from_its_file(
    name: str, run: Callable[..., Any], tiny_bundle: Path, tmp_path: Path
) -> None:
    options = ("--seeds", "7", "--label", "birch", "--psi", "0.6", "--cutoff", "2", "--noise", "none", "--size", "32")
    assert run("generate", tiny_bundle, *options, "-o", tmp_path / name)[0] == 0
    status, out, _ = run("info", tmp_path / name, "--json")
    facts = {"seed": 7, "label": 1, "psi": 0.6, "cutoff": 2, "noise": "none"}
    assert (status, json.loads(out)) == (
        0,
        {"kind": "picture", "width": 32, "height": 32, **of(tiny_bundle), **facts},
    )
    again = tmp_path / f"again{Path(name).suffix}"
    status, out, err = run("info", tmp_path / name, "--draw-with", tiny_bundle, "-o", again)
    assert status == 0, err
    assert "seed  7" in out
    assert again.read_bytes() == (tmp_path / name).read_bytes()


def test_a_picture_of_a_folder_is_drawn_again(run: Callable[..., Any], dcgan_bundle: Path, tmp_path: Path) -> None:
    assert run("generate", dcgan_bundle, "--seeds", "4-5", "--each", "-o", tmp_path / "out")[0] == 0
    first, again = tmp_path / "out" / "00001-5.png", tmp_path / "again.png"
    assert run("info", first, "--draw-with", dcgan_bundle, "-o", again)[0] == 0
    same(read(again)[0], open_bundle(dcgan_bundle).generate([5])[0])
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_info_of_a_film(kind: str, run: Callable[..., Any], tiny_bundle: Path, tmp_path: Path) -> None:
    film = tmp_path / f"walk.{kind}"
    assert (
        run("walk", tiny_bundle, "--seeds", "1,2", "--label", "0", "--frames", "2", "--size", "16", "-o", film)[0] == 0
    )
    status, out, _ = run("info", film, "--json")
    assert status == 0
    facts = json.loads(out)
    assert facts | of(tiny_bundle) == facts
    assert (facts["kind"], facts["verb"], facts["seeds"], facts["width"]) == ("picture", "walk", "1,2", 16)


def test_what_cannot_be_drawn_again(
    run: Callable[..., Any], tiny_bundle: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    sheet, one, plain = tmp_path / "sheet.png", tmp_path / "one.png", tmp_path / "plain.png"
    assert run("generate", tiny_bundle, "--seeds", "1-4", "--label", "0", "-o", sheet)[0] == 0
    assert run("generate", tiny_bundle, "--seeds", "1", "--label", "0", "-o", one)[0] == 0
    Image.new("L", (4, 4)).save(plain)
    assert json.loads(run("info", sheet, "--json")[1])["seeds"] == "1-4"
    before = tree(tmp_path)
    for arguments, message in (
        ((sheet, "--draw-with", tiny_bundle, "-o", tmp_path / "a.png"), "is not a single picture of a seed; it says"),
        ((one, "--draw-with", digits_bundle, "-o", tmp_path / "a.png"), "the picture was drawn with 'tiny'"),
        ((one, "--draw-with", tiny_bundle, "-o", tmp_path / "a.jpg"), "ends in .png or .webp"),
        ((one, "--draw-with", tiny_bundle), "--draw-with BUNDLE and -o again.png go together"),
        ((plain,), "does not say where it comes from"),
    ):
        status, out, err = run("info", *arguments)
        assert (status, out, tree(tmp_path)) == (2, "", before)
        assert message in err.replace("\n", " ")


@pytest.mark.parametrize(
    "verb",
    [
        ("generate", "--seeds", "1", "--label", "0"),
        ("sweep", "--classes", "0,1"),
        ("walk", "--label", "0"),
        ("mix", "--label", "0"),
        ("arith", "1 - 2", "--label", "0"),
    ],
)
def test_each_verb_says_which_providers_there_are(
    verb: tuple[str, ...], run: Callable[..., Any], tiny_bundle: Path, tmp_path: Path
) -> None:
    output = tmp_path / ("a.gif" if verb[0] == "walk" else "a.png")
    refused = (verb[0], tiny_bundle, *verb[1:], "-o", output)
    status, _, err = run(*refused, "--provider", "cuda,cpu")
    assert status == 1
    assert "the installed onnxruntime has no cuda; it has: cpu." in err.replace("\n", " ")
    status, _, err = run(*refused, "--provider", "fast")
    assert status == 2
    assert "no provider 'fast'; choose from: cpu, cuda" in err.replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_encode_takes_a_provider(run: Callable[..., Any], digits_bundle: Path, tmp_path: Path) -> None:
    picture = digits_bundle / "preview.webp"
    assert run("encode", digits_bundle, picture, "--provider", "cuda")[0] == 1
    assert run("encode", digits_bundle, picture, "--provider", "cpu")[0] == 0


def test_generate_takes_latents_of_a_file(
    run: Callable[..., Any], studio: Studio, tiny_bundle: Path, tmp_path: Path
) -> None:
    points = studio.seeds([5, 6], [2, 1])
    save_latents(tmp_path / "l.safetensors", points.latents, c=points.c, names=["me.png", "you.png"])
    arguments = ("generate", tiny_bundle, "--latents", tmp_path / "l.safetensors", "-o", tmp_path / "out.png")
    assert run(*arguments, "--grid", "1x2")[0] == 0
    picture, made = read(tmp_path / "out.png")
    same(picture, grid(studio.draw(points), 1, 2))
    assert made == {"psi": 1.0, "latents": "l.safetensors", **of(tiny_bundle)}
    assert run(*arguments, "--label", "all")[0] == 0
    assert read(tmp_path / "out.png")[0].shape == (2 * 16, 3 * 16, 3)
    assert "choose one" in run(*arguments, "--seeds", "1")[2]


def test_sweep(run: Callable[..., Any], studio: Studio, tiny_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "s.png"
    common = ("sweep", tiny_bundle, "--steps", 3, "-o", output)
    assert run(*common, "--seeds", "1-2", "--classes", "ash, cedar")[0] == 0
    picture, made = read(output)
    sheet = class_sweep(studio, studio.seeds([1, 2]), 0, 2, 3)
    same(picture, sheet.assemble(studio.draw(sheet.points)))
    assert made["classes"] == "ash, cedar"
    status, out, _ = run(*common, "--coordinate", "0-1", "--label", "all", "--range=-2,2", "--json")
    assert status == 0
    facts = json.loads(out)
    assert facts["rows"] == [f"0@{name}: z{i}" for name in ("ash", "birch", "cedar") for i in (0, 1)]
    assert facts["columns"] == ["-2", "0", "2"]
    assert read(output)[0].shape == (6 * 16, 3 * 16, 3)


def test_sweep_along_directions(run: Callable[..., Any], digits_bundle: Path, tmp_path: Path) -> None:
    directions = open_bundle(digits_bundle).manifest.directions
    one, two = directions.items[:2]
    arguments = ("--direction", one.name, "--direction", two.name, "--label", "3", "--steps", "3")
    status, out, _ = run("sweep", digits_bundle, *arguments, "-o", tmp_path / "s.png", "--json")
    assert (status, len(json.loads(out)["rows"])) == (0, 2)
    assert read(tmp_path / "s.png")[0].shape == (64, 96, 3)


def test_walk(run: Callable[..., Any], studio: Studio, tiny_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "w.webp"
    arguments = ("--seeds", "1,2", "--label", "birch", "--frames", 3, "--fps", 10, "--loop", "--size", 16)
    status, out, err = run("walk", tiny_bundle, *arguments, "-o", output, "--json")
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert (facts["count"], facts["keyframes"]) == (6, ["1@birch", "2@birch"])
    expected = studio.draw(walk(studio, studio.seeds([1, 2], 1), 3, loop=True))
    with Image.open(output) as film:
        assert (film.n_frames, film.size) == (6, (16, 16))  # type: ignore[attr-defined]
        film.seek(5)
        picture = np.asarray(film.convert("RGB")).astype(int)
        assert film.info["duration"] == 100
        assert abs(picture - expected[5]).mean() < 40  # lossy
    assert read(output)[1]["loop"] is True
    assert run("walk", tiny_bundle, "--label", "all", "--seeds", "1", "--frames", 1, "-o", tmp_path / "w.gif")[0] == 0
    with Image.open(tmp_path / "w.gif") as film:
        assert (film.n_frames, film.size) == (3, (256, 256))  # type: ignore[attr-defined]


def test_mix_and_arith(run: Callable[..., Any], studio: Studio, tiny_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.png"
    arguments = ("--columns", "0-1", "--rows", "5", "--label", "ash", "--row-label", "cedar", "--layers", "coarse, 3-5")
    assert run("mix", tiny_bundle, *arguments, "-o", output)[0] == 0
    sheet = mix(studio, studio.seeds([0, 1], 0), studio.seeds([5], 2), ["coarse", "3-5"])
    picture, made = read(output)
    same(picture, sheet.assemble(studio.draw(sheet.points)))
    assert (made["seeds"], made["rows"], made["layers"]) == ("0-1", "5", "coarse, 3-5")

    save_latents(tmp_path / "l.safetensors", studio.bundle.latents([0, 1], 0), names=["a.png", "b.png"])
    arguments = ("--latents", tmp_path / "l.safetensors", *arguments[2:4], "--row-label", "cedar", *arguments[8:])
    status, out, _ = run("mix", tiny_bundle, *arguments, "-o", output, "--json")
    assert (status, json.loads(out)["columns"]) == (0, ["", "a.png", "b.png"])
    same(read(output)[0], picture)

    (tmp_path / "a.csv").write_text("seed,label,hat\n1,ash,1\n2,birch,1\n3,cedar,0\n")
    arguments = ("12@birch - 7 + hat", "--label", "ash", "--attributes", tmp_path / "a.csv")
    status, out, _ = run("arith", tiny_bundle, *arguments, "-o", output, "--json")
    assert status == 0
    assert json.loads(out)["columns"] == ["12@birch", "7@ash", "hat", "result"]
    w = studio.bundle.latents([12, 7, 1, 2], [1, 0, 0, 1]).astype(np.float64)
    result = studio.bundle.draw((w[0] - w[1] + w[2:].mean(axis=0))[None].astype(np.float32))[0]
    same(read(output)[0][:, 48:], result)
    plain = signed_sum(studio, "1 + 2", label=0)
    assert run("arith", tiny_bundle, "1 + 2", "--label", "0", "-o", output)[0] == 0
    same(read(output)[0], plain.assemble(studio.draw(plain.points)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "--label", "all,ash", "--seeds", "1,2"), "class 'all' is unknown"),
        (("generate", "--label", "ash,birch"), "2 labels for 16 seeds"),
        (("generate", "--latents", "none.safetensors"), "none.safetensors does not exist"),
        (("sweep",), "say what to sweep: one of --coordinate 5, --classes 3,8 and --direction NAME"),
        (("sweep", "--coordinate", "1", "--classes", "0,1"), "say what to sweep"),
        (("sweep", "--coordinate", "x", "--label", "0"), "--coordinate takes numbers such as 0-15"),
        (("sweep", "--coordinate", "1", "--label", "0", "--range", "1"), "--range takes two numbers such as -1,1"),
        (("sweep", "--coordinate", "1", "--label", "0", "--space", "y"), "--space is z or w, found 'y'"),
        (("sweep", "--classes", "0"), "--classes takes two classes, such as 3,8, and no --range; found '0'"),
        (("sweep", "--classes", "0,1", "--space", "w"), "--space is for --coordinate"),
        (("sweep", "--direction", "smile", "--label", "0"), "no direction is called 'smile'"),
        (("mix", "--label", "0", "--layers", "rough"), "--layers is all, coarse, middle, fine"),
        (("mix", "--label", "0", "--rows", "x"), "--rows takes numbers"),
        (("mix", "--columns", "1"), "this generator has 3 classes"),
        (("arith", "1 +"), "a sum is written like"),
        (("arith", "1 + smile", "--label", "0"), "'smile' is no seed"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...], message: str, run: Callable[..., Any], tiny_bundle: Path, tmp_path: Path
) -> None:
    verb, *others = arguments
    status, out, err = run(verb, tiny_bundle, *others, "-o", tmp_path / "out.png")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert tree(tmp_path) == {}


def test_a_film_of_another_kind_is_refused_before_anything_else(run: Callable[..., Any], tmp_path: Path) -> None:
    status, _, err = run("walk", tmp_path / "no bundle", "-o", tmp_path / "w.avi")
    assert (status, tree(tmp_path)) == (2, {})
    assert "a film is a file that ends in .gif, .webp, .mp4; found 'w.avi'" in err


@pytest.mark.parametrize("verb", [("generate",), ("sweep", "--classes", "0,1"), ("mix",), ("arith", "1 + 2")])
def test_what_scripts_read_goes_to_stdout_while_a_bar_is_shown(
    verb: tuple[str, ...],
    run: Callable[..., Any],
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # so that stderr counts as a terminal
    status, out, err = run(verb[0], tiny_bundle, *verb[1:], "--label", "0", "-o", tmp_path / "x.png", "--json")
    assert (status, json.loads(out)["output"]) == (0, str(tmp_path / "x.png"))
    assert "\x1b[" in err
