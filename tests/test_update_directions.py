"""Directions put into a bundle, named and taken out: as a whole or not at all."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from support.trees import tree

from ganexport import cli, open_bundle, revision
from ganexport.bundle import check_files
from ganexport.describe import describe
from ganexport.directions import DirectionOptions, update, update_directions
from ganexport.errors import BundleError, OptionError, OutputExistsError, UserError
from ganexport.latents import move_along
from ganexport.manifest import FileEntry, Manifest, read_manifest
from ganexport.site import _for_pages
from ganexport.weights import file_sha256

PCA = DirectionOptions(("pca",), count=2, samples=200)


@pytest.fixture(scope="module")
def plain(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits without directions."""
    copy = Path(shutil.copytree(digits_bundle, tmp_path_factory.mktemp("plain") / "digits"))
    if (directions := read_manifest(copy).directions) is not None:
        update_directions(copy, None, drop=[one.name for one in directions.items])
    return copy


@pytest.fixture(scope="module")
def directed(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with `pca-0` and `pca-1`, the first with a title."""
    copy = Path(shutil.copytree(plain, tmp_path_factory.mktemp("directed") / "digits"))
    update_directions(copy, PCA, titles={"pca-0": "slant | <b>"})
    return copy


@pytest.fixture
def bundle(plain: Path, tmp_path: Path) -> Path:
    """A copy of `plain`, to be changed."""
    return Path(shutil.copytree(plain, tmp_path / "there" / "digits"))


@pytest.fixture
def found(directed: Path, tmp_path: Path) -> Path:
    """A copy of `directed`, to be changed."""
    return Path(shutil.copytree(directed, tmp_path / "there" / "digits"))


def names(folder: Path) -> list[str]:
    directions = read_manifest(folder).directions
    return [] if directions is None else [one.name for one in directions.items]


def test_directions_become_part_of_the_bundle(bundle: Path) -> None:
    before = tree(bundle)
    items = update_directions(bundle, PCA, titles={"pca-0": "slant | <b>"})
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    assert manifest.directions is not None
    assert manifest.directions.items == items
    assert [one.preview for one in items] == ["directions/pca-0.webp", "directions/pca-1.webp"]
    assert sorted(load_file(bundle / "directions.safetensors")) == ["pca-0", "pca-1"]
    assert describe(bundle)["directions"] == ["pca-0: slant | <b>", "pca-1"]
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "| `pca-0` | slant \\| \\<b\\> | pca | 0–7 | ![pictures along pca-0](directions/pca-0.webp) |" in card
    assert card.index("## Proof") < card.index("## Directions") < card.index("## Use")
    assert [p.name for p in bundle.parent.iterdir()] == ["digits"]

    offered = _for_pages(manifest)
    assert offered.directions == manifest.directions
    assert {"directions.safetensors", "directions/pca-0.webp", "directions/pca-1.webp"} <= offered.files.keys()

    assert update_directions(bundle, None, drop=["pca-0", "pca-1"]) == ()
    assert tree(bundle) == before


def test_a_preview_shows_the_way_along_it(found: Path) -> None:
    opened = open_bundle(found)
    with Image.open(found / "directions" / "pca-1.webp") as image:
        strip = np.asarray(image.convert("L")).astype(float)
    assert strip.shape == (3 * 32, 7 * 32)
    ws = opened.latents([2], 6)  # the third row: two thirds of the ten classes
    for column, amount in ((0, -3.0), (3, 0.0), (6, 3.0)):
        expected = opened.draw(move_along(ws, opened.moves({"pca-1": amount})))[0, :, :, 0]
        shown = strip[64:, column * 32 : column * 32 + 32]
        assert abs(shown - expected).mean() < 6  # it was compressed; another picture differs by 20 and more


def test_finding_them_again_needs_force_and_changes_nothing(found: Path) -> None:
    before = tree(found)
    with pytest.raises(OutputExistsError, match="has pca-0, pca-1 already; pass --force to find them again, or --name"):
        update_directions(found, PCA)
    update_directions(found, DirectionOptions(("pca",), count=2, samples=200, force=True))
    assert tree(found) == before


def test_a_title_goes_with_what_it_was_given_to(found: Path) -> None:
    path = found / "directions.safetensors"
    vectors = load_file(path)
    save_file({"pca-0": vectors["pca-1"], "pca-1": vectors["pca-0"]}, path)
    manifest = read_manifest(found)
    entry = FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))
    files = {**manifest.files, path.name: entry}
    (found / "ganexport.json").write_text(manifest.model_copy(update={"files": files}).to_json())
    items = update_directions(found, DirectionOptions(("pca",), count=2, samples=200, force=True))
    assert [one.title for one in items] == [None, None]


def test_naming_and_dropping_find_nothing_anew(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "find_directions", None)
    vectors = load_file(found / "directions.safetensors")
    items = update_directions(found, None, titles={"pca-0": "", "pca-1": "weight"}, drop=["pca-0"])
    assert [(one.name, one.title) for one in items] == [("pca-1", "weight")]
    check_files(found, read_manifest(found))
    assert not (found / "directions" / "pca-0.webp").exists()
    np.testing.assert_array_equal(load_file(found / "directions.safetensors")["pca-1"], vectors["pca-1"])


def test_new_ones_stand_beside_those_that_are_there(found: Path) -> None:
    update_directions(found, DirectionOptions(("sefa",), count=1, layers="fine", samples=200, previews=False))
    assert names(found) == ["pca-0", "pca-1", "sefa-fine-0"]
    directions = read_manifest(found).directions
    assert directions is not None
    assert [one.preview is None for one in directions.items] == [False, False, True]
    assert directions.items[0].title == "slant | <b>"
    assert directions.items[2].layers == (5, 8)


@pytest.mark.parametrize("where", ["save_preview", "save_file", "with_directions", "to_json"])
@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()])
def test_a_bundle_is_never_half_changed(
    where: str, stop: BaseException, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(found.parent)

    def fail(*arguments: object, **more: object) -> None:
        raise stop

    monkeypatch.setattr(*((Manifest, where) if where == "to_json" else (update, where)), fail)
    with pytest.raises(type(stop)):
        update_directions(found, DirectionOptions(("pca",), count=1, samples=200, force=True))
    assert tree(found.parent) == before


def test_a_file_system_without_links(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(revision.os, "link", refuse)
    update_directions(found, None, titles={"pca-1": "weight"})
    check_files(found, read_manifest(found))


@pytest.mark.parametrize(
    ("titles", "drop", "message"),
    [
        ({"pca-7": "x"}, [], "no direction 'pca-7'; this bundle has: pca-0, pca-1"),
        ({}, ["smile\n"], r"no direction 'smile\?'; this bundle has"),
        ({"pca-0": "two\nlines"}, [], "a title is one line of at most 100 characters, found 'two.lines'"),
        ({"pca-0": "x" * 101}, [], "a title is one line of at most 100 characters"),
    ],
)
def test_names_that_mean_nothing(titles: dict[str, str], drop: list[str], message: str, found: Path) -> None:
    before = tree(found)
    with pytest.raises(OptionError, match=message):
        update_directions(found, None, titles=titles, drop=drop)
    assert tree(found) == before


def test_two_attributes_of_one_name(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("seed,label,a b,a-b\n1,0,0,1\n2,0,1,0\n")
    with pytest.raises(OptionError, match="two attributes come to the same name: attribute-a-b"):
        update_directions(bundle, DirectionOptions(attributes=path, samples=200))


def test_vectors_that_do_not_fit(found: Path) -> None:
    path = found / "directions.safetensors"
    good = load_file(path)
    for wrong in ({"pca-0": good["pca-0"]}, good | {"x": good["pca-0"]}, good | {"pca-0": good["pca-0"][:9]}):
        save_file(wrong, path)
        with pytest.raises(BundleError, match=r"the directions of .* cannot be read: the tensors do not fit"):
            open_bundle(found).moves({"pca-0": 1.0})
        with pytest.raises(BundleError, match=r"is not whole: directions\.safetensors"):
            update_directions(found, None, titles={"pca-0": "x"})
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(BundleError, match="cannot be read"):
        open_bundle(found).moves({"pca-0": 1.0})
    with pytest.raises(OptionError, match="no direction 'smile'; this bundle has: pca-0, pca-1"):
        open_bundle(found).moves({"smile": 1.0})


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no bundle"):
        update_directions(tmp_path)


def test_a_manifest_cannot_have_other_files_removed(found: Path) -> None:
    manifest = read_manifest(found)
    assert manifest.directions is not None
    items = tuple(one.model_copy(update={"preview": "onnx/mapping.onnx"}) for one in manifest.directions.items)
    directions = manifest.directions.model_copy(update={"items": items})
    (found / "ganexport.json").write_text(manifest.model_copy(update={"directions": directions}).to_json())
    assert update_directions(found, None, drop=["pca-0", "pca-1"]) == ()
    check_files(found, read_manifest(found))
    assert (found / "onnx" / "mapping.onnx").is_file()


def test_the_page_about_directions_says_what_works(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[1] / "docs" / "directions.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z]+", "".join(re.findall(r"```\n(ganexport.*?)```", text, re.DOTALL))))
    assert options == {"--method", "--layers", "--count", "--name", "--drop", "--attributes"}
    assert options <= {f"--{name}" for name in inspect.signature(cli.directions.directions).parameters}

    shutil.copytree(digits_bundle, tmp_path / "converted_models" / "digits")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    plain = names["bundle"].generate([1, 2], 3)
    assert names["pictures"].sum() > 1.1 * plain.sum()  # bold strokes
