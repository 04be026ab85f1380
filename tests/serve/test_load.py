"""Under load: no errors but 429, most of a bare session's speed, memory that stays. `pytest -s` shows the figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.generators import make_generator
from support.load import Outcome, get, load, post
from support.serving import Server, served
from support.shipped import DIGITS

from benchmarks.nets import paper_spec
from ganexport.bundle import Bundle, open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.picture_origin import encode_picture, origin_of

pytestmark = pytest.mark.soak

CLIENTS = 200
SECONDS = 60.0


def raw(n: int) -> bytes:
    return post("/v1/models/digits/images", f'{{"seeds": [{n}], "label": {n % 10}, "format": "raw"}}')


def png(n: int) -> bytes:
    return get(f"/v1/models/digits/image?seed={n}&label={n % 10}")


def raw256(n: int) -> bytes:
    return post("/v1/models/raw256/images", f'{{"seeds": [{n}], "format": "raw"}}')


@pytest.fixture(scope="module")
def bundle256(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StyleGAN2 of 256² with at most 32 maps and random weights: 1.06 GMAC a picture."""
    folder = tmp_path_factory.mktemp("bundles") / "raw256"
    convert(make_generator(paper_spec(256, most_channels=32)), folder, ConvertOptions(targets=("onnx",)))
    return folder


def only_good_or_429(outcome: Outcome, refused: float) -> None:
    print(f"\n{outcome}")
    answers = sum(outcome.statuses.values())
    assert set(outcome.statuses) <= {200, 429}, outcome
    assert outcome.statuses[429] <= refused * answers, outcome


def pictures_a_second(bundle: Bundle, seconds: float) -> float:
    """Of a bare session that draws full runs."""
    label = 0 if bundle.manifest.spec.c_dim else None
    seeds = list(range(bundle.a_run))
    bundle.generate(seeds, label)
    begin, drawn = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        drawn += len(bundle.generate(seeds, label))
    return drawn / (time.perf_counter() - begin)


@pytest.mark.parametrize("request_of", [png, raw])
def test_two_hundred_clients(tmp_path: Path, request_of: Callable[[int], bytes]) -> None:
    with served(tmp_path, DIGITS) as server:
        only_good_or_429(load(server.port, request_of, clients=CLIENTS, seconds=SECONDS), 0.0)
        assert not server.troubles()


def test_twice_as_many_clients_as_there_is_room_for(tmp_path: Path, bundle256: Path) -> None:
    """A hundred may wait and two hundred come, who ask again at once when they are served."""
    settings = ("--queue", "100", "--deadline", "60")
    with served(tmp_path, bundle256, *settings) as server:
        outcome = load(server.port, raw256, clients=CLIENTS, seconds=SECONDS)
        only_good_or_429(outcome, 0.2)
        assert outcome.statuses[429] > 0
        assert not server.troubles()


def test_a_server_is_nearly_as_fast_as_a_bare_session(tmp_path: Path, bundle256: Path) -> None:
    bundle, shares = open_bundle(bundle256), []
    with served(tmp_path, bundle256, "--deadline", "60") as server:
        for _ in range(5):  # in turns, since the machine may have other things to do
            bare = pictures_a_second(bundle, SECONDS / 10)
            outcome = load(server.port, raw256, clients=32, seconds=SECONDS / 10)
            shares.append(outcome.rate / bare)
            print(f"\nbare session {bare:.2f} pictures/s; {outcome}: {shares[-1]:.1%}")
    assert float(np.median(shares)) >= 0.85, shares


def test_the_encoder_s_share(tmp_path: Path) -> None:
    """For the digits HTTP is the most of the work: the figures, without a promise."""
    bundle = open_bundle(DIGITS)
    bare = pictures_a_second(bundle, 5)
    picture, origin = bundle.generate([1], 1)[0], origin_of(bundle, 1, 1)
    begin = time.perf_counter()
    for _ in range(1000):
        encode_picture(picture, "png", origin)
    encoding = (time.perf_counter() - begin) / 1000
    with served(tmp_path, DIGITS) as server:
        for request_of in (raw, png):
            outcome = load(server.port, request_of, clients=64, seconds=SECONDS / 4)
            print(f"\n{request_of.__name__}: {outcome}; bare {bare:.0f}/s; a PNG takes {encoding * 1000:.2f} ms")
            assert set(outcome.statuses) == {200}


def test_memory_stays_over_20000_requests(tmp_path: Path) -> None:
    with served(tmp_path, DIGITS) as server:
        load(server.port, png, clients=64, requests=4_000)
        before = resident(server)
        outcome = load(server.port, png, clients=64, requests=20_000)
        grown = resident(server) - before
    print(f"\n{before / 1e6:.0f} MB after 4,000 requests, {grown / 1e6:+.1f} MB after 20,000 more: {outcome}")
    assert outcome.statuses[200] >= 20_000
    assert grown < 16e6


def resident(server: Server) -> int:
    """Bytes of memory that the server uses."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096
