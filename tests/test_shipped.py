"""The bundles that come with the repository are whole, proven, small, and say where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.shipped import CONVERTED_MODELS

from ganexport.manifest import read_manifest
from ganexport.verify import verify

LARGEST = 8_000_000
SHIPPED = sorted(path.parent for path in CONVERTED_MODELS.glob("*/ganexport.json"))


def test_they_are_found() -> None:
    assert [folder.name for folder in SHIPPED] == ["digits", "emoji-people"]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_bundle_still_draws_what_was_recorded(folder: Path) -> None:
    results = verify(folder)
    assert results and {result.status for result in results} == {"ok"}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_is_told_of_it_is_of_these_weights(folder: Path) -> None:
    """Its size, its hash and its data: in the page on all shipped models as in the bundle itself."""
    manifest, page = read_manifest(folder), (CONVERTED_MODELS / "README.md").read_text(encoding="utf-8")
    chapter = page.partition(f"\n## {folder.name}\n")[2].partition("\n## ")[0]
    assert f"`{manifest.provenance.weights_sha256}`" in chapter
    assert f"a bundle of {sum(e.bytes for e in manifest.files.values()) / 1e6:.1f} MB" in chapter.replace("\n", " ")
    assert f"converted_models/{folder.name}:" in (CONVERTED_MODELS.parent / "NOTICE").read_text(encoding="utf-8")
    assert manifest.provenance.licence
    assert max(entry.bytes for entry in manifest.files.values()) < LARGEST
