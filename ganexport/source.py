"""Whatever a file holds: weights of a known architecture, or a graph and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from ganexport.errors import CheckpointError, GanExportError, OptionError, SpecError
from ganexport.generator import Generator, load
from ganexport.graph_model import GraphModel
from ganexport.importers import NO_OPTIONS, ImportOptions
from ganexport.importers.graphs import kind_of

__all__ = ["Source", "graph_importer", "open_source"]

Source = Generator | GraphModel
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What is met in a graph that contradicts itself."""


def open_source(path: Path, options: ImportOptions = NO_OPTIONS) -> Source:
    """Read a checkpoint, an ONNX or Keras file, or a SavedModel folder; the kind is told from the content.

    Args:
        path: The file or folder.
        options: What it does not tell of itself.

    Raises:
        CheckpointError: Nothing there, broken, of no known kind, or holding what no generator needs.
        OptionError: An option has no meaning for it.
        MissingExtraError: It is a Keras or SavedModel generator, and `ganexport[keras]` is not installed.
    """
    importer = graph_importer(path)
    if importer is None:
        if options.of_graphs:
            raise OptionError(f"{path}: --input, --label-input and --image-output are for ONNX and Keras files")
        return load(path, options)
    if (options.network, options.resolution) != (None, None):
        raise OptionError(f"{path}: --network and --resolution are for checkpoints; this is a graph as it is")
    try:
        model: GraphModel = importer.read(path, options)
        return model
    except SpecError as error:
        raise CheckpointError(f"{path}: it cannot be drawn: {error}") from None
    except GanExportError as error:
        raise type(error)(f"{path}: {error}") from None
    except DAMAGE as error:
        raise CheckpointError(f"{path}: the graph in it is not what its names say ({type(error).__name__})") from None


def graph_importer(path: Path) -> ModuleType | None:
    """The module that reads a file or folder as a graph; None where it is something else."""
    kind = kind_of(path)
    if kind is None:
        return None
    from ganexport.importers.graphs import keras_model, onnx_model  # late: a checkpoint needs neither

    return onnx_model if kind == "ONNX" else keras_model
