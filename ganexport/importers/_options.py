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
        resolution: At which size to draw a network that was grown block by block; its full size without it.
        latent_input: Name of the latent among the inputs of an ONNX or Keras graph.
        label_input: Name of the class among them.
        image_output: Name of the picture among its outputs.
    """

    network: str | None = None
    c_dim: int | None = None
    image_range: tuple[float, float] | None = None
    resolution: int | None = None
    latent_input: str | None = None
    label_input: str | None = None
    image_output: str | None = None

    @property
    def given(self) -> bool:
        """Whether the caller said anything."""
        return self != NO_OPTIONS

    @property
    def of_graphs(self) -> bool:
        """Whether the caller named an input or output, which only graphs have."""
        return (self.latent_input, self.label_input, self.image_output) != (None, None, None)


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
