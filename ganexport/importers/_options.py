"""What the caller of an import may say, and what an import gives."""

from __future__ import annotations

from dataclasses import dataclass

from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors

__all__ = ["NO_OPTIONS", "ImportOptions", "Imported"]


@dataclass(frozen=True)
class ImportOptions:
    """What a file does not tell of itself.

    Attributes:
        network: Which of several networks in the file.
        c_dim: Number of classes, for families whose weights do not tell it.
        image_range: Values that stand for black and white; the family's own without it.
    """

    network: str | None = None
    c_dim: int | None = None
    image_range: tuple[float, float] | None = None

    @property
    def given(self) -> bool:
        """Whether the caller said anything."""
        return self != NO_OPTIONS


NO_OPTIONS = ImportOptions()


@dataclass(frozen=True)
class Imported:
    """A foreign generator in canonical form.

    Attributes:
        spec: What goes in and what comes out.
        weights: Canonical tensors.
        source_format: What kind of file it was.
        importer: What read it, and what it had to decide.
        licence: A note on who sets the terms of such weights.
    """

    spec: GeneratorSpec
    weights: Tensors
    source_format: str
    importer: str
    licence: str
