"""`Generator`: a spec with its weights and where they came from; `load` reads any known checkpoint."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ganexport.architectures import spec_from_json, weight_shapes
from ganexport.errors import BundleError, CheckpointError, OptionError, SpecError, WeightsError
from ganexport.graph_model import GraphModel
from ganexport.importers import NO_OPTIONS, ImportOptions, import_checkpoint, safetensors_metadata
from ganexport.spec import GeneratorSpec, Provenance, explain, short
from ganexport.weights import Tensors, check_cover, file_sha256, hash_tensors, read_tensors, write_tensors

__all__ = ["Generator", "Provenance", "load", "load_of_bundle", "with_labels"]

METADATA_KEY = "ganexport"
FORMAT_VERSION = 1
MAX_LABEL_BYTES = 1 << 20


@dataclass(frozen=True)
class Generator:
    """A generator in canonical form.

    Attributes:
        spec: What goes in and what comes out.
        weights: Canonical float32 tensors, exactly those of `weight_shapes(spec)`.
        provenance: Where the weights came from.
        labels: Names of the classes, in order; None without names.

    Raises:
        WeightsError: The tensors are not exactly those that the spec calls for.
        SpecError: There are not as many names as classes.
    """

    spec: GeneratorSpec
    weights: Tensors
    provenance: Provenance
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_cover(self.weights, weight_shapes(self.spec))
        found = hash_tensors(self.weights)
        if found != self.provenance.weights_sha256:
            raise WeightsError(
                f"the tensors were changed: their hash is {found[:12]}…, "
                f"the provenance says {self.provenance.weights_sha256[:12]}…"
            )
        if self.labels is not None and len(self.labels) != self.spec.c_dim:
            raise SpecError(f"{len(self.labels)} label names for {self.spec.c_dim} classes")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise SpecError("two classes have the same name")
        if self.labels is not None and any("\ud800" <= c <= "\udfff" for c in "".join(self.labels)):
            raise SpecError("the name of a class is no valid Unicode text: it has half a surrogate pair")

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.size for tensor in self.weights.values())

    def save(self, path: Path, *, force: bool = True) -> None:
        """Write the canonical checkpoint: one `.safetensors` file, whole or not at all."""
        header = {
            "version": FORMAT_VERSION,
            "spec": self.spec.model_dump(mode="json"),
            "provenance": self.provenance.model_dump(mode="json"),
            "labels": self.labels,
        }
        write_tensors(path, self.weights, {METADATA_KEY: json.dumps(header)}, force=force)


S = TypeVar("S", bound="Generator | GraphModel")


def load(path: Path, options: ImportOptions = NO_OPTIONS) -> Generator:
    """Read a checkpoint of any known kind, ours or foreign; the kind is told from the content.

    Args:
        path: The file.
        options: What a foreign file does not tell of itself.

    Raises:
        CheckpointError: The file is missing, broken, or of no known kind.
        OptionError: An option has no meaning for this file.
    """
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, not a checkpoint file")
    if METADATA_KEY not in (safetensors_metadata(path) or {}):
        return _foreign(path, options)
    if options.given:
        raise OptionError(f"{path} tells all of itself: --network, --c-dim and the like are for foreign files")
    tensors, metadata = read_tensors(path)
    header = _header(path, metadata[METADATA_KEY])
    try:
        labels = header["labels"]
        if labels is not None and not (isinstance(labels, list) and all(isinstance(n, str) for n in labels)):
            raise CheckpointError(f"{path}: the names of the classes must be a list of texts")
        provenance = Provenance.model_validate(header["provenance"])
        if provenance.source_sha256 is None:
            source = {"source_format": "ganexport checkpoint", "source_sha256": file_sha256(path)}
            provenance = provenance.model_copy(update=source)
        return Generator(
            spec=spec_from_json(header["spec"]),
            weights=dict(tensors),  # type: ignore[arg-type]  # check_cover demands float32
            provenance=provenance,
            labels=None if labels is None else tuple(labels),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: the header is incomplete: {error!r}") from None
    except RecursionError:
        raise CheckpointError(f"{path}: the header is nested too deeply") from None
    except ValidationError as error:
        raise CheckpointError(f"{path}: the provenance is not valid: {explain(error)}") from None
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def load_of_bundle(path: Path, weights_sha256: str) -> Generator:
    """The canonical checkpoint that lies in a bundle, if it holds the weights that the manifest says.

    Raises:
        CheckpointError: The file is missing or broken.
        BundleError: It holds other weights.
    """
    generator = load(path)
    if generator.provenance.weights_sha256 != weights_sha256:
        raise BundleError(f"{path} holds other weights than the manifest says")
    return generator


def _foreign(path: Path, options: ImportOptions) -> Generator:
    """A generator out of someone else's checkpoint."""
    with ThreadPoolExecutor(1) as pool:
        source = pool.submit(file_sha256, path)  # a second core's work: seconds for a large file
        imported = import_checkpoint(path, options)
        provenance = Provenance(
            source_format=imported.source_format,
            weights_sha256=hash_tensors(imported.weights),
            source_sha256=source.result(),
            importer=imported.importer,
            licence=imported.licence,
        )
    try:
        return Generator(imported.spec, imported.weights, provenance)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def _header(path: Path, text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header is not JSON: {error}") from None
    version = header.get("version") if isinstance(header, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path} has checkpoint version {short(version)}; this ganexport reads {FORMAT_VERSION}")
    assert isinstance(header, dict)
    return header


def with_labels(generator: S, path: Path) -> S:
    """The same generator with the class names of a text file, one a line.

    Raises:
        OptionError: The file cannot be read.
        SpecError: There are not as many names as classes.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no plain file")
        with path.open("rb") as file:
            data = file.read(MAX_LABEL_BYTES + 1)
        if len(data) > MAX_LABEL_BYTES:
            raise OSError("it is larger than 1 MiB")
        names = [line.strip() for line in data.decode().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read the class names in {path}: {error}") from None
    return replace(generator, labels=tuple(names))
