"""GAN checkpoints to ONNX and TensorFlow.js, proven to draw the same picture.

Importing this package loads neither TensorFlow nor a runtime. To convert: `from ganexport.convert import convert`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganexport.bundle import Bundle, open_bundle
    from ganexport.errors import GanExportError
    from ganexport.generator import Generator, load

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "GanExportError",
    "Generator",
    "__version__",
    "load",
    "open_bundle",
]

_HOMES = {
    "Bundle": "ganexport.bundle",
    "GanExportError": "ganexport.errors",
    "Generator": "ganexport.generator",
    "load": "ganexport.generator",
    "open_bundle": "ganexport.bundle",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ganexport' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
