"""What a checkpoint or a bundle holds, and where a picture comes from, as plain facts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from ganexport.errors import CheckpointError, GanExportError
from ganexport.importers import NO_OPTIONS, ImportOptions
from ganexport.manifest import MANIFEST_NAME, Direction, Inside, read_manifest
from ganexport.picture_origin import read_facts
from ganexport.pictures import is_picture, picture_size
from ganexport.source import graph_importer, open_source

__all__ = ["describe"]


def describe(path: Path, options: ImportOptions = NO_OPTIONS) -> dict[str, Any]:
    """Facts of a checkpoint file, a bundle's folder or a picture that was drawn here, ready for JSON.

    Args:
        path: The file or folder.
        options: What a foreign checkpoint does not tell of itself.

    Raises:
        CheckpointError: Nothing there, or nothing that is known.
        BundleError: A folder that is no bundle.
        OptionError: A picture that does not say where it comes from.
    """
    if not path.exists():
        raise CheckpointError(f"{path} does not exist")
    if path.is_file() and is_picture(path):
        width, height = picture_size(path)
        return {"kind": "picture", "width": width, "height": height, **read_facts(path)}
    if (importer := graph_importer(path)) is not None and hasattr(importer, "describe"):
        return _graph(path, importer)
    return _bundle(path) if path.is_dir() or path.name == MANIFEST_NAME else _checkpoint(path, options)


def _graph(path: Path, importer: ModuleType) -> dict[str, Any]:
    """A file that only another program could draw: what it says of itself."""
    try:
        facts: dict[str, Any] = importer.describe(path)
        return facts
    except GanExportError as error:
        raise type(error)(f"{path}: {error}") from None


def _bundle(path: Path) -> dict[str, Any]:
    folder = path if path.is_dir() else path.parent
    manifest = read_manifest(folder)
    statuses = [result.status for result in manifest.parity]
    return {
        "kind": "bundle",
        "name": manifest.name,
        **_spec(manifest.spec.model_dump(mode="json")),
        "labels": manifest.labels and list(manifest.labels),
        "targets": sorted(manifest.targets),
        **({"encoder": f"from pictures to {manifest.encoder.space}"} if manifest.encoder else {}),
        **({"directions": [_direction(one) for one in found.items]} if (found := manifest.directions) else {}),
        **({"inside": [_inside(one) for one in manifest.inside]} if manifest.inside else {}),
        "bytes": sum(entry.bytes for entry in manifest.files.values()),
        "parity": {status: statuses.count(status) for status in sorted(set(statuses))},
        "provenance": manifest.provenance.model_dump(mode="json"),
    }


def _inside(inside: Inside) -> str:
    return f"seed {inside.seed}" + ("" if inside.label is None else f", class {inside.label}")


def _direction(one: Direction) -> str:
    return one.name if one.title is None else f"{one.name}: {one.title}"


def _checkpoint(path: Path, options: ImportOptions) -> dict[str, Any]:
    generator = open_source(path, options)
    return {
        "kind": "checkpoint",
        **_spec(generator.spec.model_dump(mode="json")),
        "labels": generator.labels and list(generator.labels),
        "weights": generator.parameters,
        "provenance": generator.provenance.model_dump(mode="json"),
    }


def _spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with the architecture first, and without what does not apply."""
    return {key: value for key, value in spec.items() if value not in (None, [], ())}
