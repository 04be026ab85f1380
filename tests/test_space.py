"""The README of a Hugging Face Space, read by another's YAML parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ganexport.manifest import Manifest, read_manifest
from ganexport.space import space_readme

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
AWKWARD = [
    "plain",
    'no: it\'s a "quoted" - # name',
    "yes",
    "1e3",
    "- [a]: {b}",
    "two\nlines\tand \x07\x7f\u2028\ufeff bell",
    "back\\slash /",
    "---",
    "Ünï ☃ 😀",
]


@pytest.fixture(scope="module")
def manifest(digits_bundle: Path) -> Manifest:
    return read_manifest(digits_bundle)


def named(manifest: Manifest, name: str, licence: str | None = None) -> Manifest:
    update: dict[str, Any] = {"name": name}
    if licence is not None:
        update["provenance"] = manifest.provenance.model_copy(update={"licence": licence})
    return manifest.model_copy(update=update)


def read(text: str) -> tuple[dict[str, Any], str]:
    """The settings of a README and what follows them."""
    before, header, body = text.split("---\n", 2)
    assert before == ""
    settings = yaml.safe_load(header)
    assert isinstance(settings, dict)
    return settings, body


def test_settings_are_those_of_a_static_space(manifest: Manifest) -> None:
    settings, body = read(space_readme([("models/digits", manifest)]))
    assert settings["title"] == "digits"
    assert (settings["sdk"], settings["app_file"], settings["pinned"]) == ("static", "index.html", False)
    assert {settings["colorFrom"], settings["colorTo"]} <= COLOURS
    assert not settings["emoji"].isascii()
    assert len(settings["short_description"]) <= 60
    assert settings["custom_headers"] == {
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "cross-origin",
    }
    assert "(models/digits/README.md)" in body
    assert "(models/digits/preview.webp)" in body
    assert "MNIST by LeCun, Cortes, Burges (CC BY-SA 3.0)" in body


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_is_quoted(manifest: Manifest, name: str) -> None:
    settings, _ = read(space_readme([("models/m", named(manifest, name))]))
    assert settings["title"] == "".join(c for c in " ".join(name.split()) if c.isprintable())
    assert settings["sdk"] == "static"


def test_a_title_is_no_longer_than_the_hub_takes(manifest: Manifest) -> None:
    models = [(f"models/{i}", named(manifest, f"model number {i}")) for i in range(20)]
    settings, body = read(space_readme(models))
    assert settings["title"].startswith("model number 0 · model number 1")
    assert len(settings["title"]) == 100
    assert body.count("## model number") == 20


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["Apache-2.0"], "apache-2.0"),
        (["MIT", "mit"], "mit"),
        (["CC BY-SA 4.0"], "cc-by-sa-4.0"),
        (["MIT", "Apache-2.0"], "other"),
        (["mostly MIT"], "other"),
        ([""], "other"),
    ],
)
def test_a_licence_is_named_only_when_it_is_that_of_all(manifest: Manifest, licences: list[str], expected: str) -> None:
    models = [(f"models/{i}", named(manifest, str(i), licence)) for i, licence in enumerate(licences)]
    settings, body = read(space_readme(models))
    assert settings["license"] == expected
    assert ("license_name" in settings) == (expected == "other")
    assert all((licence or "not stated by the source") in body for licence in licences)


def test_a_licence_cannot_become_a_link_or_a_tag(manifest: Manifest) -> None:
    _, body = read(space_readme([("models/m", named(manifest, "m", "[free](https://x) <img src=y>"))]))
    assert "[free]" not in body
    assert "<img" not in body.replace("\\<", "")
