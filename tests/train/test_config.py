"""What a configuration refuses, before anything is read or written; and that the documents name presets that exist."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ganexport.errors import CheckpointError, OptionError
from train.__main__ import _parser
from train.config import AUGMENTATIONS, Config
from train.presets import PRESETS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"augment": ("flipp",)}, "--augment takes flip, rotate90, translate, geometry, color, cutout, found 'flipp'"),
        ({"augment": ("flip",), "augment_p": 1.5}, "--augment-p must be from 0 to 1, found 1.5"),
        ({"augment": ("flip",), "augment_kimg": 0.0}, "--augment-kimg must be above 0, found 0.0"),
        ({"augment_target": 0.6}, "--augment-p and --augment-target are of --augment, which names nothing"),
        ({"style_mixing": 2.0}, "--style-mixing must be from 0 to 1"),
        ({"lr_end": -0.1}, "--lr-end must be from 0 to 1"),
        ({"beta2": 1.0}, "--beta2 must be at least 0 and below 1"),
        ({"r1_gamma": -1.0}, "--r1-gamma must be at least 0"),
        ({"mismatch": -1.0}, "--mismatch must be at least 0"),
        ({"held_out": 3}, "--held-out must be 0, or at least 4 to measure against, found 3"),
        ({"d_pretrain": -1}, "--d-pretrain must be at least 0"),
        ({"seed": -1}, "--seed must be at least 0 and below 2147483648, found -1"),
        ({"seed": 1 << 31}, "--seed must be at least 0 and below 2147483648"),
    ],
)
def test_what_means_nothing_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=re.escape(words)):
        replace(Config(), **options)  # type: ignore[arg-type]


def test_the_augmentations_are_those_that_there_are() -> None:
    pytest.importorskip("tensorflow")
    from train.augment import KINDS

    assert KINDS == AUGMENTATIONS


def test_augmentation_can_be_turned_off_on_the_command_line() -> None:
    assert _parser().parse_args(["run", "digits", "--augment", ""]).augment == ()
    assert _parser().parse_args(["run", "digits", "--augment", "flip,color"]).augment == ("flip", "color")


@pytest.mark.parametrize("text", ["{", "[]", '{"batch": 0}', '{"batches": 8}', '{"batch": "many"}'])
def test_a_damaged_configuration_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Config.read(path)


def test_the_documents_run_presets_that_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"python -m train run ([a-z][\w-]*)", page.read_text())}
    assert len(named) > 5 and named <= PRESETS.keys()


def test_the_flags_in_the_documents_go_with_every_architecture() -> None:
    """Label smoothing is in the presets that need it, and means nothing in losses without targets."""
    page = (ROOT / "docs" / "lineage.md").read_text()
    rows = [row.split() for row in re.findall(r"^\| `(--[^`]*)` \|", page, re.MULTILINE)]
    assert len(rows) >= 6
    for flags in rows:
        for name, start in PRESETS.items():
            given = vars(_parser().parse_args(["run", name, *flags]))
            changes = {f.name: given[f.name] for f in fields(Config) if given[f.name] is not None}
            if "init" not in changes:
                replace(start, **({"label_smoothing": 0.0} | changes))
