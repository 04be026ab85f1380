"""`ganexport inspect`: one layer of one picture, and how the last layers put the picture together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import BundleError, OptionError, shown
from ganexport.generator import Generator, load, load_of_bundle
from ganexport.inspect.measure import Part, block_parts, channel_parts, strongest_channels
from ganexport.inspect.panel import Picture, channels_panel, parts_panel, stacked, text_lines
from ganexport.inspect.record import Layer, Recording, record
from ganexport.latents import label_index
from ganexport.manifest import CHECKPOINT_NAME, GoldenCase, NoiseMode, read_manifest
from ganexport.parity import feeds_of
from ganexport.progress import SILENT, Progress

__all__ = ["CHANNELS", "Inside", "Subject", "list_layers", "look_inside", "open_subject"]

CHANNELS = 12
FILTERS = 8
"""Of each channel that are shown."""
PARTS = 7
"""Inputs of the last layer that stand for themselves; with what was before, the bias and all others they fill a row."""
WIDE, NARROW = 720, 354
"""Two channels side by side, with their filters; one alone."""
GAP = 4


@dataclass(frozen=True)
class Subject:
    """A generator to look into.

    Attributes:
        generator: With its weights.
        name: What it is called.
        noise_mode: How its bundle takes noise.
        truncation_psi: What its bundle draws with where nothing is said.
        labels: Names of the classes.
    """

    generator: Generator
    name: str
    noise_mode: NoiseMode
    truncation_psi: float
    labels: tuple[str, ...] | None


def open_subject(path: Path) -> Subject:
    """A bundle with its checkpoint, or a checkpoint.

    Raises:
        BundleError: The bundle has no checkpoint, or another one.
        CheckpointError: The file is no checkpoint.
    """
    if not path.is_dir():
        generator = load(path)
        mode: NoiseMode = "const" if getattr(generator.spec, "noise", False) else "none"
        return Subject(generator, path.stem, mode, 1.0, generator.labels)
    manifest = read_manifest(path)
    if CHECKPOINT_NAME not in manifest.files:
        raise BundleError(
            f"{path} has no {CHECKPOINT_NAME}, whose layers would be looked into: convert it without --no-checkpoint, "
            "or give the checkpoint itself; a Keras or ONNX model has none"
        )
    generator = load_of_bundle(path / CHECKPOINT_NAME, manifest.provenance.weights_sha256)
    defaults = manifest.defaults
    return Subject(generator, manifest.name, defaults.noise_mode, defaults.truncation_psi, manifest.labels)


@dataclass(frozen=True)
class Inside:
    """What one picture looks like from within.

    Attributes:
        title: The model and the picture.
        seed: Of the picture.
        label: Its class; None without classes.
        truncation_psi: Psi; 1 without a w space.
        recording: Every layer of it.
        image_range: Values of black and white.
    """

    title: str
    seed: int
    label: int | None
    truncation_psi: float
    recording: Recording
    image_range: tuple[float, float]

    def layer(self, name: str | None) -> Layer:
        """A layer by name; without one the last before the picture.

        Raises:
            OptionError: There is no such layer.
        """
        layers = self.recording.layers
        if name is None:
            hidden = [one for one in layers if one not in self.recording.parts]
            return layers[hidden[-1] if hidden else next(reversed(layers))]
        if name not in layers:
            raise OptionError(f"no layer {shown(name)!r}; this generator has: {', '.join(layers)}")
        return layers[name]

    @cached_property
    def blocks(self) -> list[Part]:
        """What each block adds to the picture; none where one layer gives it."""
        return block_parts(self.recording)

    def last(self, layer: Layer) -> Layer | None:
        """The layer whose inputs are shown as parts of a picture: `layer` if it gives one, else the last that does."""
        names = list(self.recording.parts)
        return self.recording.layers[layer.name if layer.name in names else names[-1]] if names else None

    def parts(self, last: Layer) -> list[Part]:
        """What the inputs of a layer that gives a picture add; where it has the full size, to what the others gave."""
        own, others = self.recording.parts[last.name], len(self.recording.parts) > 1
        before = (self.recording.image - own)[0] if others and last.output.shape == own.shape else None
        return channel_parts(last, PARTS, before)

    def facts(self, layer: Layer, count: int = CHANNELS) -> dict[str, Any]:
        """The numbers of the picture that `draw` makes."""
        last = self.last(layer)
        channels = [
            {"channel": one.index, "strength": one.strength, "filters_from": [each.index for each in one.filters]}
            for one in strongest_channels(layer, count, FILTERS)
        ]
        return {
            "picture": self.title,
            **layer_facts(layer),
            "channels": channels,
            "blocks": [_part_facts(part) for part in self.blocks],
            "last_layer": None if last is None else last.name,
            "parts": [] if last is None else [_part_facts(part) for part in self.parts(last)],
        }

    def draw(self, layer: Layer, count: int = CHANNELS, width: int = WIDE) -> NDArray[np.uint8]:
        """The layer's strongest channels with their filters, then how the picture comes together: [H, W, 3]."""
        heading = text_lines(f"{self.title}. {self.in_words(layer, count)}", width)
        return np.asarray(
            stacked([*heading, self._layer(layer, count, width), *self._assembly(layer, width)], gap=GAP, margin=12)
        )

    def draw_layer(self, layer: Layer, count: int) -> NDArray[np.uint8]:
        """The layer alone, for a narrow screen: [H, W, 3]."""
        return np.asarray(self._layer(layer, count, NARROW))

    def draw_assembly(self) -> NDArray[np.uint8] | None:
        """How the picture comes together, for a narrow screen: [H, W, 3]; None where no layer gives a picture."""
        rows = self._assembly(self.layer(None), NARROW)
        return np.asarray(stacked(rows, gap=GAP)) if rows else None

    def in_words(self, layer: Layer, count: int) -> str:
        """What `draw_layer` shows."""
        facts, channels = layer_facts(layer), strongest_channels(layer, count, FILTERS)
        kernel = " x ".join(map(str, facts["kernel"]))
        size, filters = facts["size"], len(channels[0].filters)
        return (
            f"{layer.name}: {layer.kind} {kernel}, {facts['inputs']} to {facts['outputs']} channels of {size} x {size}."
            f" The {len(channels)} strongest (number: root mean square), each beside the {filters} filters that weigh "
            "most, over the inputs that they meet."
        )

    def _layer(self, layer: Layer, count: int, width: int) -> Picture:
        return channels_panel(strongest_channels(layer, count, FILTERS), width)

    def _assembly(self, layer: Layer, width: int) -> list[Picture]:
        rows = []
        if self.blocks:
            rows += text_lines("What each block adds to the picture, and the picture so far:", width)
            rows.append(parts_panel(self.blocks, self.image_range, width))
        if (last := self.last(layer)) is not None:
            rows += text_lines(f"What the inputs of {last.name} add, and the picture so far:", width)
            rows.append(parts_panel(self.parts(last), self.image_range, width))
        return rows


def look_inside(
    subject: Subject,
    seed: int,
    label: int | str | None = None,
    psi: float | None = None,
    progress: Progress = SILENT,
) -> Inside:
    """Draw one picture in float64 and keep what happens on the way.

    Args:
        subject: From `open_subject`.
        seed: Of the picture.
        label: Class by index or name; needed when there are classes.
        psi: Truncation; the bundle's default without it.
        progress: Told what happens now.

    Raises:
        OptionError: The class or psi has no meaning for this generator.
    """
    spec = subject.generator.spec
    if psi is not None and not spec.has_w_space:
        raise OptionError(f"a {spec.architecture} generator has no w space, so psi means nothing")
    if label is None and spec.c_dim:
        raise OptionError(f"this generator has {spec.c_dim} classes: say which, for example --label 0")
    index = None if label is None else label_index(label, spec.c_dim, subject.labels)
    psi = subject.truncation_psi if psi is None else psi
    mode = subject.noise_mode
    case = GoldenCase(
        name="inside",
        seeds=(seed,),
        labels=None if index is None else (index,),
        truncation_psi=psi,
        noise_mode="none" if mode == "input" else mode,
    )
    recording = record(subject.generator, feeds_of(case, spec, mode), progress)
    names = subject.labels
    of_class = "" if index is None else f", class {names[index] if names else index}"
    title = f"{subject.name}, seed {seed}{of_class}"
    return Inside(title, seed, index, psi, recording, spec.image_range)


def list_layers(subject: Subject, progress: Progress = SILENT) -> list[dict[str, Any]]:
    """What each layer of a generator is, in the order in which they are used."""
    inside = look_inside(subject, 0, 0 if subject.generator.spec.c_dim else None, progress=progress)
    return [layer_facts(layer) for layer in inside.recording.layers.values()]


def layer_facts(layer: Layer) -> dict[str, Any]:
    """What a layer is."""
    out, into, *kernel = layer.kernel.shape
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "kernel": kernel,
        "inputs": into,
        "outputs": out,
        "size": layer.output.shape[2],
    }


def _part_facts(part: Part) -> dict[str, Any]:
    return {"title": part.title, "strength": part.strength}
