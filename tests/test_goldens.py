"""Every published network of which there is a golden: imported, and drawn in every runtime as its own program drew."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.generators import Arrays
from support.goldens import GOLDENS, golden_arrays, golden_file
from support.interpreters import assert_all_close, run_numpy, run_onnxruntime, run_tensorflow
from support.replays import replay_tfjs

from ganexport.cost import multiply_adds
from ganexport.generator import Generator, load
from ganexport.latents import psi_by_layer
from ganexport.manifest import NoiseMode
from ganexport.spec import GeneratorSpec

TOLERANCE = 1e-4
"""Of the greatest recorded value, for every file: also those in half precision, whose golden has the same weights."""

LARGE = 300_000_000
"""Multiply-adds of a picture: those of a StyleGAN3 of 32², which filters much."""

SAME_GOLDEN = {
    f"dcgan64_{how}.pth": "dcgan64" for how in ("zip", "legacy", "half", "bf16", "ddp_plaindict", "nested", "fullmodel")
}
NO_GOLDEN = {"torch_views.pt", "torch_views_legacy.pt"}
OTHER_KEYS = {"seeds", "z", "c", "num_ws", "latent_avg", "noise", "transform"}
"""What a golden says beside what was drawn."""

FILES = (
    *SAME_GOLDEN,
    "lucid_64.pt",
    "real/dcgan-faces64.tar",
    "rosinality_8.pt",
    "sg2ada_32.pkl",
    "sg2ada_32_cond10.pkl",
    "sg2ada_32_grey_3tap.pkl",
    "sg2ada_32_nonoise.pkl",
    "sg2ada_32_orig.pkl",
    "sg2ada_32_proto2.pkl",
    "sg2ada_32_resnet.pkl",
    "sg3_cfg_stylegan2_32.pkl",
    "sg3r_32.pkl",
    "sg3t_32.pkl",
    "sg3t_32_cond5.pkl",
    "tf_pggan_32.pkl",
    "tf_pggan_32_unfused.pkl",
    "tf_sg1_128_fused.pkl",
    "tf_sg1_32.pkl",
    "tf_sg1_32_label.pkl",
    "tf_sg2_32.pkl",
    "tf_sg2_32_resnet.pkl",
)

DRAWN = re.compile(
    r"(?P<what>ws|img|w)(?:_psi(?P<psi>[\d.]+))?(?:_cut(?P<cutoff>None|\d+))?(?:_(?P<noise>const|none))?"
)

Case = tuple[Arrays, Arrays]
"""Feeds, and what was recorded, by name."""


def noise_of(file: str) -> NoiseMode:
    return "input" if file == "lucid_64.pt" else "const"


@cache
def generator_of(file: str) -> Generator:
    return load(golden_file(file))


def golden_of(file: str) -> Arrays:
    return golden_arrays(SAME_GOLDEN.get(file, file.rpartition(".")[0]))


@cache
def settings_of(file: str) -> list[Case]:
    """Each recorded psi, cutoff and noise at the recorded batch; a StyleGAN3's transformed picture last."""
    golden, spec = golden_of(file), generator_of(file).spec
    settings: dict[tuple[float, int | None, bool], Arrays] = {}
    for key, array in golden.items():
        if (match := DRAWN.fullmatch(key)) is None:
            assert key in OTHER_KEYS or key == "img_transformed", key
            continue
        cutoff = None if match["cutoff"] in (None, "None") else int(match["cutoff"])
        recorded = settings.setdefault((float(match["psi"] or 1), cutoff, match["noise"] == "none"), {})
        name = "image" if match["what"] == "img" else "ws"
        recorded[name] = np.repeat(array[:, None], spec.num_ws, 1) if match["what"] == "w" else array
    cases = [(feeds_of(golden, spec, *setting), recorded) for setting, recorded in settings.items()]
    if "img_transformed" in golden:
        turned = {"transform": golden["transform"][None].astype(np.float32)}
        cases.append((rows_of(cases[0][0], [0]) | turned, {"image": golden["img_transformed"]}))
    return cases


@cache
def cases_of(file: str) -> list[Case]:
    """Each setting twice: at batch 3, and the first picture alone."""
    batches = [np.arange(3), np.arange(1)]
    cases = [(fed, drawn, rows % len(fed["z"])) for fed, drawn in settings_of(file) for rows in batches]
    return [(rows_of(fed, rows), rows_of(drawn, rows)) for fed, drawn, rows in cases]


@cache
def mixed_cases_of(file: str) -> list[Case]:
    """Batches of 3 with another setting in each picture, and one picture alone: fewer, where a runtime is slow."""
    settings = settings_of(file)
    common = set.intersection(*(set(drawn) for _, drawn in settings))
    filled = [settings[i % len(settings)] for i in range(-(-len(settings) // 3) * 3)]
    pictures = [(i % len(fed["z"]), fed, drawn) for i, (fed, drawn) in enumerate(filled)]
    threes = [pictures[i : i + 3] for i in range(0, len(pictures), 3)]
    return [
        (
            {name: np.stack([fed[name][row] for row, fed, _ in batch]) for name in batch[0][1]},
            {name: np.stack([drawn[name][row] for row, _, drawn in batch]) for name in common},
        )
        for batch in (*threes, pictures[-1:])
    ]


def few_cases_of(file: str) -> list[Case]:
    """A batch of 3 and one picture alone where plain JavaScript would take minutes."""
    mixed = mixed_cases_of(file)
    return [mixed[0], mixed[-1]] if multiply_adds(generator_of(file).spec) > LARGE else mixed


def rows_of(arrays: Arrays, rows: Any) -> Arrays:
    return {name: array[rows] for name, array in arrays.items()}


def feeds_of(golden: Arrays, spec: GeneratorSpec, psi: float, cutoff: int | None, silent: bool) -> Arrays:
    count = len(golden["z"])
    feeds = {"z": golden["z"].reshape(count, -1)}
    if spec.c_dim:
        feeds["c"] = golden["c"]
    if spec.has_w_space:
        feeds["truncation_psi"] = np.tile(psi_by_layer(psi, spec.num_ws, cutoff), (count, 1))
    if "noise" in golden:
        feeds["noise"] = golden["noise"]
    elif getattr(spec, "noise", False):
        feeds["noise_scale"] = np.full(count, 0.0 if silent else 1.0)
    if "transform" in golden:
        feeds["transform"] = np.tile(np.eye(3), (count, 1, 1))
    return {name: array.astype(np.float32) for name, array in feeds.items()}


def check(got: list[Arrays], cases: list[Case]) -> None:
    assert_all_close(got, [recorded for _, recorded in cases], TOLERANCE)


def feeds(cases: list[Case]) -> list[Arrays]:
    return [fed for fed, _ in cases]


def test_every_golden_is_drawn() -> None:
    golden_file("dcgan64.golden.npz")
    found = {
        p.relative_to(GOLDENS).as_posix() for p in GOLDENS.rglob("*") if p.suffix in (".pkl", ".pt", ".pth", ".tar")
    }
    assert found - NO_GOLDEN == set(FILES)
    goldens = {p.relative_to(GOLDENS).as_posix() for p in GOLDENS.rglob("*.golden.npz")}
    assert goldens == {f"{SAME_GOLDEN.get(file, file.rpartition('.')[0])}.golden.npz" for file in FILES}


@pytest.mark.parametrize("file", FILES)
def test_all_that_was_recorded_is_compared(file: str) -> None:
    pictures = [array for key, array in golden_of(file).items() if key.startswith("img")]
    compared = [drawn["image"] for _, drawn in settings_of(file) if "image" in drawn]
    assert sorted(map(np.sum, compared)) == sorted(map(np.sum, pictures))
    for cases in (cases_of(file), mixed_cases_of(file)):
        assert {len(fed["z"]) for fed in feeds(cases)} == {1, 3}
        assert sum(len(fed["z"]) for fed in feeds(cases)) > len(pictures)


@pytest.mark.parametrize("file", FILES)
def test_numpy(file: str) -> None:
    cases = mixed_cases_of(file)
    check(run_numpy(generator_of(file), feeds(cases)), cases)


@pytest.mark.parametrize("file", FILES)
def test_onnxruntime(file: str, tmp_path: Path) -> None:
    cases = cases_of(file)
    check(run_onnxruntime(tmp_path, generator_of(file), feeds(cases), noise_of(file)), cases)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_tensorflow(file: str) -> None:
    cases = mixed_cases_of(file)
    check(run_tensorflow(generator_of(file), feeds(cases)), cases)


TFJS_CASES = {"wasm": cases_of, "cpu": few_cases_of}


@pytest.fixture(scope="module")
def tfjs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], list[Arrays]]]:
    """What a backend draws of a file; all files of one kind in one Node, and each network once."""

    @cache
    def all_of(backend: str, kind: tuple[NoiseMode, bool]) -> dict[str, list[Arrays]]:
        of_network = {hash_of(file): file for file in FILES if kind_of(file) == kind}
        nets = {key: generator_of(file) for key, file in of_network.items()}
        cases = {key: feeds(TFJS_CASES[backend](file)) for key, file in of_network.items()}
        return replay_tfjs(tmp_path_factory.mktemp(backend), backend, nets, cases, kind[0])

    def kind_of(file: str) -> tuple[NoiseMode, bool]:
        return noise_of(file), is_large(file)

    yield lambda backend, file: all_of(backend, kind_of(file))[hash_of(file)]


def is_large(file: str) -> bool:
    """Whether plain JavaScript takes so long for it that it is left to the soak tier."""
    return re.search("64|128|sg3[rt]", file) is not None


def hash_of(file: str) -> str:
    return generator_of(file).provenance.weights_sha256


@pytest.mark.parametrize(
    ("backend", "file"),
    [
        pytest.param(backend, file, marks=[pytest.mark.soak] if backend == "cpu" and is_large(file) else [])
        for backend in TFJS_CASES
        for file in FILES
    ],
)
def test_tfjs(backend: str, file: str, tfjs: Callable[[str, str], list[Arrays]]) -> None:
    check(tfjs(backend, file), TFJS_CASES[backend](file))
