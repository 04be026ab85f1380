"""Readers of other people's checkpoints: one file a source, found by what is in the file. Nothing in it is executed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from ganexport.errors import CheckpointError, GanExportError, OptionError, SpecError
from ganexport.importers import dcgan_torch, lucidrains, nvidia_tf, nvidia_torch, rosinality
from ganexport.importers._options import NO_OPTIONS, Imported, ImportOptions
from ganexport.importers.inert.containers import Container, open_container, safetensors_metadata
from ganexport.importers.inert.stubs import Audit, Stub, shown

__all__ = [
    "IMPORTERS",
    "NO_OPTIONS",
    "ImportOptions",
    "Imported",
    "audit",
    "import_checkpoint",
    "safetensors_metadata",
]

IMPORTERS: dict[str, ModuleType] = {
    "nvidia_torch": nvidia_torch,
    "nvidia_tf": nvidia_tf,
    "rosinality": rosinality,
    "lucidrains": lucidrains,
    "dcgan_torch": dcgan_torch,
}
"""In the order in which they are asked: the most specific first."""


def import_checkpoint(path: Path, options: ImportOptions = NO_OPTIONS) -> Imported:
    """Read a foreign checkpoint of any known kind.

    Args:
        path: The file; its kind is told from its content.
        options: What the file does not tell of itself.

    Raises:
        CheckpointError: No checkpoint, damaged, of an unknown network, or holding what no checkpoint needs.
        OptionError: An option does not fit the file.
    """
    container = open_container(path)
    try:
        for importer in IMPORTERS.values():
            if importer.recognises(container):
                imported: Imported = importer.read(container, options)
                break
        else:
            raise CheckpointError(_unknown(container))
    except SpecError as error:
        raise CheckpointError(f"{path}: the network in it cannot be drawn: {error}") from None
    except GanExportError as error:
        raise type(error)(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the network in it is not what its names say ({type(error).__name__})") from None
    if options.resolution not in (None, imported.spec.resolution):
        size = imported.spec.resolution
        raise OptionError(f"{path} draws at {size}² only; --resolution is for networks that were grown block by block")
    if options.c_dim not in (None, imported.spec.c_dim):
        raise OptionError(f"{path} says that it has {imported.spec.c_dim} classes, not {options.c_dim}")
    return imported


def audit(path: Path) -> dict[str, Any]:
    """What a file names and what a reader leaves out, for people who were sent one; nothing is executed.

    Raises:
        CheckpointError: No checkpoint, or damaged before it named anything.
    """
    found = Audit()
    try:
        container = open_container(path, found, lenient=True)
        facts = {"kind": container.kind, "holds": _summary(container)}
    except CheckpointError as error:
        if not found.globals:
            raise
        facts = {"kind": "damaged, or made to harm", "problem": str(error)}
    return {
        **facts,
        "refused": found.refused,
        "globals": dict(sorted(found.globals.items())),
        "ignored": found.ignored,
    }


def _unknown(container: Container) -> str:
    known = f"known are {', '.join(IMPORTERS)}"
    if container.kind == "safetensors":
        return f"a safetensors file, but no ganexport checkpoint: it holds no spec, and no network known here; {known}"
    return f"holds no generator that can be imported: {_summary(container)}; {known}"


def _summary(container: Container) -> str:
    """The outermost things in the file."""
    root = container.root
    if isinstance(root, Stub):
        return f"a {container.kind} file with a {root.class_name}"
    if isinstance(root, dict):
        names = [shown(str(key), 40) for key in list(root)[:8] if isinstance(key, str | int)]
        return f"a {container.kind} file with {', '.join(names) or 'nothing'}{' …' if len(root) > 8 else ''}"
    if isinstance(root, list | tuple):
        kinds = [item.class_name if isinstance(item, Stub) else type(item).__name__ for item in root[:4]]
        return f"a {container.kind} file with a list of {', '.join(kinds) or 'nothing'}"
    return f"a {container.kind} file with a {type(root).__name__}"
