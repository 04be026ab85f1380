"""Check a finished bundle: its files, and that every runtime here draws what was proven."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ganexport.bundle import check_files
from ganexport.encoders.encoder import load_encoder
from ganexport.errors import BundleError
from ganexport.generator import load_of_bundle
from ganexport.latents import noise_from_seeds
from ganexport.manifest import CHECKPOINT_NAME, GoldenCase, Manifest, ParityResult, TargetName, read_manifest
from ganexport.parity import (
    CASE,
    Case,
    Oracle,
    check_encoder,
    check_target,
    encoder_cases,
    feeds_of,
    require_parity,
    too_slow,
)
from ganexport.parity.compare import Row
from ganexport.parity.tolerances import GREY_LEVELS
from ganexport.precision import read_back, stored_weights
from ganexport.progress import SILENT, Progress

__all__ = ["verify"]


def verify(
    folder: Path,
    *,
    browser: bool = False,
    allow_unverified: bool = False,
    progress: Progress = SILENT,
) -> list[ParityResult]:
    """Replay a bundle's golden cases in every runtime of its targets.

    A bundle with its checkpoint is held against the float64 oracle, whole tensors; one without it against its recorded
    pictures, within one grey level. The oracle has the weights as the manifest says that they are stored.

    Args:
        folder: The bundle.
        browser: Whether to run it in a real browser too.
        allow_unverified: Whether a target that no runtime here could run is fine.
        progress: Told what happens now.

    Raises:
        BundleError: A file is missing, left over or altered.
        ParityError: A runtime draws something else, or none could run.
    """
    progress.stage("checking the files")
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    progress.stage("drawing the oracle's pictures")
    cases = _cases(folder, manifest)
    results: list[ParityResult] = []
    for target, graphs in manifest.targets.items():
        results += check_target(
            folder,
            target,
            graphs,
            cases,
            weights_sha256=manifest.provenance.weights_sha256,
            image_range=manifest.spec.image_range,
            multiply_adds=manifest.multiply_adds,
            progress=progress,
        )
    results += _encoder(folder, manifest, progress)
    if browser:
        progress.stage("verifying in a browser")
        results += _browser(folder, manifest)
    require_parity(results, manifest.targets, allow_unverified=allow_unverified)
    return results


def _encoder(folder: Path, manifest: Manifest, progress: Progress) -> list[ParityResult]:
    """Whether the encoder's graphs find what its canonical weights find; without these nobody can tell."""
    found = manifest.encoder
    if found is None:
        return []
    if found.file is None:
        reason = "the bundle has no canonical weights of its encoder"
        return [Row(target, "encoder", case=f"{CASE}all").result("not verified", reason) for target in found.graphs]
    encoder = load_encoder(folder / found.file)
    if encoder.weights_sha256 != found.weights_sha256:
        raise BundleError(f"{folder / found.file} holds other weights than the manifest says")
    cases = encoder_cases(folder, manifest.goldens, encoder, progress)
    return check_encoder(folder, found.graphs, cases, encoder, multiply_adds=manifest.multiply_adds, progress=progress)


def _cases(folder: Path, manifest: Manifest) -> list[Case]:
    checkpoint = folder / CHECKPOINT_NAME
    if checkpoint.exists():
        generator = load_of_bundle(checkpoint, manifest.provenance.weights_sha256)
        stored = stored_weights(generator, manifest.precision.stored)
        oracle = Oracle(generator, read_back(generator.weights, stored))
        spec = generator.spec
        feeds = [feeds_of(golden, spec, manifest.defaults.noise_mode) for golden in manifest.goldens.cases]
        return [Case(g, f, oracle(f)) for g, f in zip(manifest.goldens.cases, feeds, strict=True)]
    recorded = load_file(folder / manifest.goldens.file)
    cases = []
    for golden in manifest.goldens.cases:
        own = {k.removeprefix(f"{golden.name}."): v for k, v in recorded.items() if k.startswith(f"{golden.name}.")}
        images = own.pop("images")
        cases.append(Case(golden, own | _noise(golden, manifest), {"images": np.asarray(images)}))
    return cases


def _noise(golden: GoldenCase, manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Noise that is not recorded, since it is drawn from the seeds; zeros where a case has none."""
    spec, shapes = manifest.spec, next(iter(manifest.targets.values())).noise_shapes
    if golden.noise_mode == "none":
        return {name: np.zeros((len(golden.seeds), *shape), np.float32) for name, shape in shapes.items()}
    return noise_from_seeds(golden.seeds, spec.z_dim, spec.z_distribution, spec.noise_distribution, shapes)


def _browser(folder: Path, manifest: Manifest) -> list[ParityResult]:
    from ganexport.runtimes.browser import BROWSER_RUNTIMES, browser_results

    targets: dict[str, TargetName] = {name: "onnx" if name.startswith("ort") else "tfjs" for name in BROWSER_RUNTIMES}
    offered = [name for name, target in targets.items() if target in manifest.targets]
    slow = {name: reason for name in offered if (reason := too_slow(name, manifest.multiply_adds)) is not None}
    results = [_left_out(targets[name], name, reason) for name, reason in slow.items()]
    for found in browser_results(folder, [name for name in offered if name not in slow]):
        if found.left_out:
            results.append(_left_out(targets[found.runtime], found.runtime, found.reason or "left out"))
            continue
        error = found.max_grey_levels
        ok = error is not None and error <= GREY_LEVELS and not found.leaked_tensors
        reason = found.reason or (
            f"kept {found.leaked_tensors} tensors after the runs" if found.leaked_tensors else "differs from the record"
        )
        results.append(
            ParityResult(
                target=targets[found.runtime],
                runtime=f"{found.runtime} in a browser",
                version=found.version,
                case=found.case,
                tensor="images",
                status="ok" if ok else "failed",
                max_abs=error,
                tolerance=GREY_LEVELS,
                reason=None if ok else reason,
            )
        )
    return results


def _left_out(target: TargetName, runtime: str, reason: str) -> ParityResult:
    return ParityResult(
        target=target,
        runtime=f"{runtime} in a browser",
        version=None,
        case="all",
        tensor="all",
        status="not verified",
        reason=reason,
    )
