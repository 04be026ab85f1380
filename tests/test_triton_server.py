"""Triton itself takes the repository: it checks the configuration, warms up, batches, and finds what is added."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.shipped import DIGITS, EMOJI_PEOPLE
from support.triton_server import TritonServer, fetch_triton, triton_server
from tritonclient.http import InferenceServerClient, InferInput

from ganexport.bundle import open_bundle
from ganexport.latents import one_hot, z_from_seeds
from ganexport.triton import TritonOptions, write_repository

pytestmark = [pytest.mark.soak, pytest.mark.slow]

OPTIONS = TritonOptions(max_batch=8, queue_delay=100_000)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("triton") / "repository"


@pytest.fixture(scope="module")
def triton(repository: Path, dcgan_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    write_repository([DIGITS, dcgan_bundle], repository, OPTIONS)
    with triton_server(fetch_triton(tmp_path_factory.mktemp("program")), repository) as server:
        yield server


def ask(server: TritonServer, name: str, version: str = "", **values: np.ndarray) -> np.ndarray:
    client = InferenceServerClient(server.address)
    inputs = []
    for tensor in client.get_model_metadata(name, version)["inputs"]:
        value = values[tensor["name"]]
        inputs.append(InferInput(tensor["name"], [len(value), *tensor["shape"][1:]], tensor["datatype"]))
        inputs[-1].set_data_from_numpy(value.reshape(inputs[-1].shape()))
    return np.asarray(client.infer(name, inputs, version).as_numpy("images")).astype(int)


def ask_digits(server: TritonServer, seeds: list[int], label: int, version: str = "") -> np.ndarray:
    psi = np.full(len(seeds), 0.7, np.float32)
    c = one_hot([label] * len(seeds), 10)
    return ask(server, "digits", version, z=z_from_seeds(seeds, 64), c=c, truncation_psi=psi)


def test_it_is_ready_after_the_runs_of_its_warm_up(triton: TritonServer) -> None:
    for model in ("digits", "tiny-dcgan"):
        triton.wait_for(f"/v2/models/{model}")
        assert [run["requests"] for run in triton.runs(model)][:2] == [[1], [1] * 8]


def test_it_draws_the_librarys_pictures(triton: TritonServer, dcgan_bundle: Path) -> None:
    seeds = [0, 5, 2**32 - 1]
    expected = open_bundle(DIGITS).generate(seeds, label=4, psi=0.7)
    assert np.abs(ask_digits(triton, seeds, 4) - expected).max() <= 1
    expected = open_bundle(dcgan_bundle).generate(seeds)
    assert np.abs(ask(triton, "tiny-dcgan", z=z_from_seeds(seeds, 10)) - expected).max() <= 1


def test_it_joins_requests_to_batches(triton: TritonServer) -> None:
    before = len(triton.runs("digits"))
    seeds = list(range(24))
    with ThreadPoolExecutor(len(seeds)) as pool:
        drawn = list(pool.map(lambda seed: ask_digits(triton, [seed], 2), seeds))
    expected = open_bundle(DIGITS).generate(seeds, label=2, psi=0.7)
    assert np.abs(np.concatenate(drawn) - expected).max() <= 1
    sizes = [sum(run["requests"]) for run in triton.runs("digits")[before:]]
    assert sum(sizes) == len(seeds)
    assert 1 < max(sizes) <= 8


def test_it_finds_what_is_added_while_it_runs(triton: TritonServer, repository: Path) -> None:
    write_repository([DIGITS], repository, TritonOptions(version=2))
    write_repository([EMOJI_PEOPLE], repository, OPTIONS)
    triton.wait_for("/v2/models/digits/versions/2")
    triton.wait_for("/v2/models/emoji-people")
    expected = open_bundle(DIGITS).generate([3], label=1, psi=0.7)
    assert np.abs(ask_digits(triton, [3], 1, version="2") - expected).max() <= 1
    assert triton.runs("digits")[-1]["version"] == "2"
    log = triton.log_file.read_text(encoding="utf-8", errors="replace")
    assert "failed to load" not in log, "it saw something that was not whole"
    assert "Poll failed" not in log
