"""Which picture has which seed and class, and in which shard it lies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from ganexport import open_bundle
from ganexport.bulk import FORMATS, Job, plan
from ganexport.bulk.plan import BALANCED
from ganexport.bulk.writers import WRITERS
from ganexport.bundle import Bundle
from ganexport.errors import OptionError


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> Bundle:
    return open_bundle(digits_bundle)


def labels(job: Job) -> list[int | None]:
    return [one.label for shard in range(job.shards) for one in job.pictures(shard)]


def test_every_picture_is_in_one_shard(digits: Bundle) -> None:
    job = plan(digits, 23, seed=100, shard_size=5)
    drawn = [one for shard in range(job.shards) for one in job.pictures(shard)]
    assert [(one.index, one.seed) for one in drawn] == [(i, 100 + i) for i in range(23)]
    assert [job.size(shard) for shard in range(job.shards)] == [5, 5, 5, 5, 3]
    assert [job.name(0), job.key(22)] == ["00000", "00000022"]


def test_names_sort_as_numbers_do(digits: Bundle) -> None:
    job = plan(digits, 300_000_000, shard_size=1)
    assert job.name(7) == "000000007"
    assert job.key(7) == "000000007"


def test_classes_are_balanced(digits: Bundle) -> None:
    for label in (None, BALANCED):
        found = labels(plan(digits, 1003, label=label, shard_size=100))
        assert found == [i % 10 for i in range(1003)]


def test_a_class_for_all(digits: Bundle) -> None:
    assert set(labels(plan(digits, 12, label="7"))) == {7}
    assert set(labels(plan(digits, 12, label=3))) == {3}


def test_shares_are_kept_everywhere(digits: Bundle) -> None:
    found = labels(plan(digits, 6000, label={3: 40, "7": 10, 1: 10}))
    assert Counter(found) == {3: 4000, 7: 1000, 1: 1000}
    for start in range(0, 6000, 6):
        assert Counter(found[start : start + 6]) == {3: 4, 7: 1, 1: 1}


def test_what_is_usual_is_said(digits: Bundle) -> None:
    job = plan(digits, 5)
    assert (job.psi, job.noise) == (digits.manifest.defaults.truncation_psi, digits.manifest.defaults.noise_mode)
    assert (job.bundle, job.bundle_sha256) == ("digits", digits.digest)
    assert job.shard_size == 8192
    assert Job.model_validate_json(job.model_dump_json()) == job
    with pytest.raises(ValidationError):
        Job.model_validate_json(job.model_dump_json().replace('"count":5', '"count":0'))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "at least one picture"),
        ({"count": 5, "shard_size": 0}, "at least one picture"),
        ({"count": 5, "seed": -1}, "seeds go from 0 to 4294967295"),
        ({"count": 5, "seed": 2**32 - 4}, "go beyond that"),
        ({"count": 5, "label": 10}, "class 10 is unknown"),
        ({"count": 5, "label": "x"}, "class 'x' is unknown"),
        ({"count": 5, "label": {}}, "shares of classes"),
        ({"count": 5, "label": {1: 0}}, "a share of at least 1"),
        ({"count": 5, "label": {1: 1, "1": 1}}, "named once"),
        ({"count": 5, "label": {1: 1, 2: 1_000_000}}, "100000 at most"),
        ({"count": 5, "psi": float("nan")}, "psi"),
        ({"count": 5, "noise": "random"}, "random has no meaning"),
        ({"count": 5, "format": "zip"}, "webdataset, parquet, png or npz"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str, digits: Bundle) -> None:
    with pytest.raises(OptionError, match=message):
        plan(digits, **arguments)


def test_the_last_seed(digits: Bundle) -> None:
    job = plan(digits, 4, seed=2**32 - 4)
    assert job.pictures(0)[-1].seed == np.iinfo(np.uint32).max


def test_a_generator_without_classes(dcgan_bundle: Path) -> None:
    bundle = open_bundle(dcgan_bundle)
    job = plan(bundle, 3)
    assert (job.classes, job.psi, labels(job)) == (None, None, [None] * 3)
    for arguments in ({"label": 1}, {"label": BALANCED}, {"psi": 0.5}):
        with pytest.raises(OptionError):
            plan(bundle, 3, **arguments)  # type: ignore[arg-type]


def test_large_pictures_make_small_shards(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    sizes = {}
    for resolution in (16, 256, 1024, 1 << 15):
        spec = bundle.manifest.spec.model_copy(update={"resolution": resolution})
        large = open_bundle(tiny_bundle)
        large.manifest = bundle.manifest.model_copy(update={"spec": spec})
        large.generate = lambda *_, **__: None  # type: ignore[assignment,method-assign,misc]
        sizes[resolution] = plan(large, 1).shard_size
    assert sizes == {16: 8192, 256: 512, 1024: 32, 1 << 15: 1}


def test_every_format_has_a_writer() -> None:
    assert set(FORMATS) == WRITERS.keys()


def test_differences_are_in_words(digits: Bundle) -> None:
    job = plan(digits, 5)
    assert job.differences(job.model_copy(update={"batch": 1})) == []
    assert job.differences(plan(digits, 6, psi=0.5)) == ["count is 5 there, 6 here", "psi is 1.0 there, 0.5 here"]
