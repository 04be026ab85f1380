"""What the shipped portraits do when they are played with: skin tone, mixed styles, arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from support.shipped import EMOJI_PEOPLE

from ganexport.bundle import open_bundle
from ganexport.directions.attributes import Attributes, read_attributes
from ganexport.latents import move_along
from ganexport.play import Studio, mix, signed_sum
from train import data as data_module
from train.data import EMBEDDED, load_dataset, split
from train.metrics.classes import rank_correlation
from train.metrics.classifier import Classifier, load_or_train

PICTURES, AMOUNTS = 100, np.linspace(-1, 1, 9)
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")
LUMINANCE = np.array([0.299, 0.587, 0.114])
BIN = 16
"""Grey levels: colours are told apart by so many steps of each."""


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(open_bundle(EMOJI_PEOPLE))


@pytest.fixture(scope="module")
def is_skin() -> np.ndarray:
    """Whether real pictures have a colour [red, green, blue] more often where skin is than where it is not.

    Skin is what differs between the five portraits of one person in five tones.
    """
    data = load_dataset("emoji-people", resolution=32)
    assert data.labels is not None
    with np.load(Path(data_module.__file__).parent / "datasets" / EMBEDDED["emoji-people"].file) as file:
        people = [re.sub("-1F3F[B-F]", "", code) for code in file["codepoints"]]
    seen = np.zeros((2, BIN, BIN, BIN))
    for person in sorted(set(people)):
        tones = [i for i, name in enumerate(people) if name == person and data.labels[i] > 0]
        if len(tones) == len(TONES):
            pictures = data.images[tones].astype(int)
            skin = pictures.std(axis=0).max(axis=-1) > 12
            for part, mask in enumerate((~skin, skin)):
                np.add.at(seen[part], tuple((pictures[:, mask] // BIN).reshape(-1, 3).T), 1)
    return np.asarray(seen[1] > seen[0])


def test_the_skin_tone_changes_steadily_and_little_else_does(studio: Studio, is_skin: np.ndarray) -> None:
    """On a medium tone, half of the direction's range to both sides; distances are mean differences in grey levels."""
    bundle = studio.bundle
    assert bundle.manifest.directions is not None
    direction = next(one for one in bundle.manifest.directions.items if one.title == "skin tone")
    ws = bundle.latents(range(PICTURES), "medium")
    moved = [move_along(ws, bundle.moves({direction.name: a * direction.range[1] / 2})) for a in AMOUNTS]
    drawn = np.stack([bundle.draw(latents).astype(float) for latents in moved], axis=1)  # [N, steps, H, W, 3]
    start = drawn[:, len(AMOUNTS) // 2]
    another = np.abs(bundle.generate(range(1000, 1000 + PICTURES), "medium") - start).mean(axis=-1)
    changed = np.abs(drawn[:, [0, -1]] - start[:, None]).mean(axis=(1, 4))  # [N, H, W]
    correlations, skin, rest, other = [], [], [], []
    for i in range(PICTURES):
        mask = is_skin[tuple(np.moveaxis(start[i].astype(int) // BIN, -1, 0))]
        correlations.append(-rank_correlation(AMOUNTS, (drawn[i] @ LUMINANCE)[:, mask].mean(axis=1)))
        skin.append(changed[i][mask].mean())
        rest.append(changed[i][~mask].mean())
        other.append(another[i][~mask].mean())
    assert np.median(correlations) >= 0.9, np.quantile(correlations, [0, 0.1, 0.5])
    assert np.mean(np.asarray(correlations) >= 0.9) >= 0.95
    assert np.median(skin) >= 15
    assert np.median(rest) <= np.median(skin) / 3, (np.median(skin), np.median(rest))
    assert np.median(rest) <= np.median(other) / 4, (np.median(rest), np.median(other))


def test_coarse_styles_bring_the_shape_and_fine_ones_leave_it(studio: Studio) -> None:
    columns, rows = studio.seeds(range(8), "medium"), studio.seeds(range(20, 28), "medium")
    drawn = studio.draw(mix(studio, columns, rows, ["coarse", "fine"]).points).astype(float)
    own, bands = drawn[:8][None], drawn[8:].reshape(2, 8, 9, *drawn.shape[1:])  # in a row first the row's own picture
    theirs, (coarse, fine) = bands[0, :, :1], bands[:, :, 1:]

    def shape(pictures: np.ndarray) -> np.ndarray:
        return pictures.min(axis=-1) < 230  # what is not the white ground

    def nearer(mixed: np.ndarray) -> float:
        """Share of the pictures whose shape has more in common with the row's than with the column's."""
        from_rows, from_columns = ((shape(mixed) != shape(one)).mean(axis=(2, 3)) for one in (theirs, own))
        return float((from_rows < from_columns).mean())

    assert nearer(coarse) >= 0.6 and nearer(fine) <= 0.1, (nearer(coarse), nearer(fine))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the classifiers are kept."""
    pytest.importorskip("tensorflow")
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture(scope="module")
def judges(cache: Path) -> dict[str, Classifier]:
    """Classifiers of real portraits, by what they tell."""
    sets = {what: load_dataset("emoji-people", resolution=32, labels=what) for what in ("gender_sign", "skin_tone")}
    return {what: load_or_train(*split(pictures, 100, 0), cache) for what, pictures in sets.items()}


@pytest.fixture(scope="module")
def signs(cache: Path) -> Attributes:
    """Which of 2,000 seeds show a woman, which a man."""
    from train.label_seeds import label_seeds

    source, table = EMOJI_PEOPLE / "checkpoint.safetensors", cache / "signs.csv"
    label_seeds(source, table, data="emoji-people", attribute="gender_sign", count=2000, classes=None, cache=cache)
    return read_attributes(table)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("away", "towards", "terms"), [("woman", "man", "- woman + man"), ("man", "woman", "- 2*!woman + 2*woman")]
)
def test_arithmetic_as_a_classifier_of_real_portraits_sees_it(
    away: str, towards: str, terms: str, studio: Studio, signs: Attributes, judges: dict[str, Classifier]
) -> None:
    """Most that show the one sign lose it, half as many gain the other, and the tone stays; many show neither."""
    names, labels = EMBEDDED["emoji-people"].labels["gender_sign"], [1 + seed % len(TONES) for seed in range(PICTURES)]
    sums = [signed_sum(studio, f"{seed} {terms}", signs, label).points for seed, label in enumerate(labels)]
    before = np.stack([studio.draw(points.pick([0]))[0] for points in sums])
    after = np.stack([studio.draw(points.pick([len(points) - 1]))[0] for points in sums])
    seen_before, seen_after = (np.asarray(judges["gender_sign"].judge(drawn).classes) for drawn in (before, after))
    left = seen_before == names.index(away)
    assert (seen_after[left] == names.index(away)).mean() <= 0.5
    assert (seen_after == names.index(towards)).sum() - (seen_before == names.index(towards)).sum() >= left.sum() / 2
    assert (judges["skin_tone"].judge(after).classes == labels).mean() >= 0.8
