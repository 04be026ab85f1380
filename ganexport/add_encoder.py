"""Put an encoder into a bundle, or take it out; the bundle changes as a whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ganexport.bundle import check_files
from ganexport.encoders import EncoderSpec
from ganexport.encoders.encoder import Encoder
from ganexport.errors import OptionError, OutputExistsError
from ganexport.exporters.encoder import ENCODER_EXPORTERS, NAME
from ganexport.manifest import Encoder as EncoderEntry
from ganexport.manifest import Graph, Manifest, ParityResult, TargetName, read_manifest
from ganexport.model_card import with_encoder
from ganexport.parity import CASE, check_encoder, encoder_cases, require_parity
from ganexport.progress import SILENT, Progress
from ganexport.revision import Revision, revised

__all__ = ["ENCODER_NAME", "add_encoder", "remove_encoder"]

ENCODER_NAME = "encoder.safetensors"
CARD_NAME = "README.md"
PLACES = (ENCODER_NAME, f"onnx/{NAME}", f"tfjs/{NAME}/")
"""Where the files of an encoder begin."""


def add_encoder(
    folder: Path,
    encoder: Encoder,
    *,
    force: bool = False,
    allow_unverified: bool = False,
    progress: Progress = SILENT,
    on_result: Callable[[ParityResult], None] = lambda result: None,
) -> EncoderEntry:
    """Write an encoder's graphs into a bundle, and prove them.

    Args:
        folder: The bundle.
        encoder: One that was trained for the bundle's generator.
        force: Whether to replace one that is there.
        allow_unverified: Whether a target may stay in that no runtime here could verify.
        progress: Told what happens now.
        on_result: Told each result of the gate.

    Returns:
        Its entry in the manifest.

    Raises:
        OptionError: The encoder belongs to another generator, or what was measured of it is no number.
        OutputExistsError: The bundle has an encoder and `force` was not given.
        BundleError: The folder is no whole bundle.
        ParityError: The gate failed; nothing was written.
    """
    folder = folder.resolve()
    progress.stage("checking the files")
    before = read_manifest(folder)
    check_files(folder, before)
    if before.encoder is not None and not force:
        raise OutputExistsError(f"{folder} has an encoder already; pass --force to replace it")
    _check_fit(before, encoder)
    with revised(folder) as revision:
        plain = _without(revision)
        for name in before.files:
            if name.startswith(PLACES):  # it would be written over, and is a file of the old bundle too
                revision.drop(name)
        graphs: dict[TargetName, Graph] = {}
        for target in plain.targets:
            progress.stage(f"writing the encoder for {target}")
            graphs[target] = ENCODER_EXPORTERS[target](encoder, revision.folder)
        encoder.save(revision.new(ENCODER_NAME))
        cases = encoder_cases(revision.folder, plain.goldens, encoder, progress)
        results = check_encoder(
            revision.folder,
            graphs,
            cases,
            encoder,
            multiply_adds=plain.multiply_adds,
            progress=progress,
            on_result=on_result,
        )
        require_parity(results, graphs, allow_unverified=allow_unverified)
        entry = EncoderEntry(
            file=ENCODER_NAME,
            weights_sha256=encoder.weights_sha256,
            space=encoder.spec.space,
            graphs=graphs,
            figures=encoder.figures,
        )
        update = {"encoder": entry, "parity": (*plain.parity, *results)}
        _finish(revision, plain.model_copy(update=update))
    return entry


def remove_encoder(folder: Path, *, progress: Progress = SILENT) -> None:
    """Take the encoder out of a bundle.

    Raises:
        OptionError: It has none.
        BundleError: The folder is no whole bundle.
    """
    folder = folder.resolve()
    progress.stage("checking the files")
    before = read_manifest(folder)
    check_files(folder, before)
    if before.encoder is None:
        raise OptionError(f"{folder} has no encoder that could be removed")
    with revised(folder) as revision:
        _finish(revision, _without(revision))


def _check_fit(manifest: Manifest, encoder: Encoder) -> None:
    """Whether it finds latents of this generator, in pictures as this one draws them."""
    wanted, spec = manifest.provenance.weights_sha256, encoder.spec
    if unknown := [name for name, value in encoder.figures.items() if not math.isfinite(value)]:
        raise OptionError(f"the encoder's {unknown[0]} is {encoder.figures[unknown[0]]}: its training went astray")
    if encoder.generator_sha256 != wanted:
        raise OptionError(
            f"the encoder was trained for other weights ({encoder.generator_sha256[:12]}…) than this bundle's "
            f"({wanted[:12]}…); train one for them with `python -m train encoder`"
        )
    contract = EncoderSpec.contract(manifest.spec)
    found = {name: getattr(spec, name) for name in contract}
    if found != contract:
        wrong = [f"{name} {found[name]} for {value}" for name, value in contract.items() if found[name] != value]
        raise OptionError(f"the encoder does not fit this generator: it has {', '.join(wrong)}")


def _without(revision: Revision) -> Manifest:
    """The manifest without an encoder, whose files go from the folder."""
    manifest = revision.before
    found = manifest.encoder
    if found is None:
        return manifest
    graphs = [name for graph in found.graphs.values() for name in (graph.file, *graph.weight_files)]
    for name in (*graphs, *([found.file] if found.file else [])):
        revision.drop(name)
    parity = tuple(result for result in manifest.parity if not result.case.startswith(CASE))
    return manifest.model_copy(update={"encoder": None, "parity": parity})


def _finish(revision: Revision, manifest: Manifest) -> None:
    """Write the model card and the manifest."""
    if CARD_NAME in manifest.files:
        card = (revision.folder / CARD_NAME).read_text(encoding="utf-8")
        revision.new(CARD_NAME).write_text(with_encoder(card, manifest.encoder), encoding="utf-8")
    revision.save(manifest)
