"""The methods: each finds directions of a bundle, scaled so that an amount of 1 is one standard deviation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.architectures import ARCHITECTURES
from ganexport.bundle import Bundle
from ganexport.directions.attributes import read_attributes
from ganexport.directions.sefa import reaction
from ganexport.directions.vectors import Spread, covariance_with, principal_axes, spread_of, spread_of_z
from ganexport.errors import BundleError, OptionError
from ganexport.generator import load_of_bundle
from ganexport.latents import layer_range
from ganexport.manifest import CHECKPOINT_NAME, Direction
from ganexport.progress import SILENT, Progress

__all__ = ["METHODS", "DirectionOptions", "Found", "find_directions"]

REACH = 3.0
"""Amounts go this far at least: 99.7% of what is normally distributed lies within."""
FLAT = 1e-9
"""A share of the variance below this is none."""
MOST_CLASSES = 20
"""With more classes than these, nobody wants a direction to each unless it is asked for."""
A_RUN = 500
"""Latents that are mapped at once."""

Method = Literal["sefa", "pca", "classes"]


@dataclass(frozen=True)
class DirectionOptions:
    """What to find.

    Attributes:
        methods: `sefa` (from the weights), `pca` (from sampled w), `classes` (to the mean of each class); None for
            all that the bundle allows, classes up to 20 of them, or for none of these with `attributes`.
        attributes: A CSV file with the columns `seed`, maybe `label`, and attributes.
        count: How many directions `sefa` and `pca` find.
        layers: Which ws they move: `all`, `coarse`, `middle`, `fine`, or `a-b` from 0, both included.
        samples: Latents that are drawn to see how they spread.
        previews: Whether to draw pictures along each.
        force: Whether to replace directions of the same names.
    """

    methods: tuple[Method, ...] | None = None
    attributes: Path | None = None
    count: int = 5
    layers: str = "all"
    samples: int = 10_000
    previews: bool = True
    force: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """A direction with its vector [w_dim] or [z_dim]."""

    direction: Direction
    vector: NDArray[np.float32]


def find_directions(bundle: Bundle, options: DirectionOptions, progress: Progress = SILENT) -> list[Found]:
    """Directions of a bundle, method by method.

    Raises:
        OptionError: A method is unknown or has nothing to work on, or an option has no meaning.
        BundleError: The bundle lacks what a method needs.
    """
    finder = _Finder(bundle, options, progress)
    methods = options.methods
    if methods is None:
        methods = () if options.attributes else finder.possible()
    if unknown := [name for name in methods if name not in METHODS]:
        raise OptionError(f"unknown method {', '.join(unknown)}; choose from {', '.join(METHODS)}")
    if not methods and not options.attributes:
        raise OptionError(
            f"{bundle.path} has neither a {CHECKPOINT_NAME} nor a w space to find directions in; "
            "give --attributes with a CSV file of what its pictures show"
        )
    found = [one for name in methods for one in METHODS[name](finder)]
    return found + (finder.attributes(options.attributes) if options.attributes else [])


class _Finder:
    """What the methods share: the bundle, its layers, and the spread of its latents."""

    def __init__(self, bundle: Bundle, options: DirectionOptions, progress: Progress) -> None:
        self._bundle, self._options, self._progress = bundle, options, progress
        self._spec = bundle.manifest.spec
        self._layers = layer_range(options.layers, self._spec.num_ws) if self._spec.has_w_space else None
        if self._layers is None and options.layers != "all":
            raise OptionError(f"a {self._spec.architecture} generator has no w space, so --layers means nothing")

    def possible(self) -> tuple[Method, ...]:
        spec, own = self._spec, CHECKPOINT_NAME in self._bundle.manifest.files
        sefa: tuple[Method, ...] = ("sefa",) if own and spec.architecture in ARCHITECTURES else ()
        pca: tuple[Method, ...] = ("pca",) if spec.has_w_space else ()
        classes: tuple[Method, ...] = ("classes",) if spec.has_w_space and 0 < spec.c_dim <= MOST_CLASSES else ()
        return sefa + pca + classes

    def sefa(self) -> list[Found]:
        """Shen and Zhou 2021 (Closed-form factorization of latent semantics in GANs)."""
        manifest, path = self._bundle.manifest, self._bundle.path
        if self._spec.architecture not in ARCHITECTURES:
            raise OptionError(f"{path} is known by its graph alone: there are no weights for sefa to read")
        if CHECKPOINT_NAME not in manifest.files:
            raise BundleError(
                f"{path} has no {CHECKPOINT_NAME}, whose weights sefa reads: "
                "convert it without --no-checkpoint, or choose --method pca"
            )
        generator = load_of_bundle(path / CHECKPOINT_NAME, manifest.provenance.weights_sha256)
        axes, _ = principal_axes(reaction(generator, self._layers), self._options.count)
        return [self._found("sefa", str(i), axis) for i, axis in enumerate(axes)]

    def pca(self) -> list[Found]:
        """Härkönen et al. 2020 (GANSpace), section 2.2; with classes, within them."""
        self._needs_w("pca")
        axes, shares = principal_axes(self._spread.covariance, self._options.count)
        pairs = enumerate(zip(axes, shares.tolist(), strict=True))
        return [self._found("pca", str(i), axis, explained=share) for i, (axis, share) in pairs if share > FLAT]

    def classes(self) -> list[Found]:
        """From the mean of all classes to the mean of each."""
        self._needs_w("classes")
        if not self._spec.c_dim:
            raise OptionError(f"{self._bundle.path} has no classes to find directions to; choose another method")
        names = self._bundle.manifest.labels
        steps = self._spread.means - self._spread.means.mean(axis=0)
        return [
            self._found(
                "class",
                str(i),
                step,
                title=f"towards {names[i]}" if names else None,
                distance=float(np.linalg.norm(step)),
            )
            for i, step in enumerate(steps)
        ]

    def attributes(self, path: Path) -> list[Found]:
        """From the pictures without an attribute to those with it; for numbers, along their covariance."""
        table = read_attributes(path)
        if self._spec.c_dim and table.labels is None:
            raise OptionError(f"{path} needs a column label: {self._bundle.path} has {self._spec.c_dim} classes")
        if not self._spec.c_dim and table.labels is not None:
            raise OptionError(f"{path} has a column label, but {self._bundle.path} has no classes")
        latents = self._latents(table.seeds, table.labels, f"mapping the {len(table.seeds)} pictures of {path}")
        found = []
        for i, (name, values) in enumerate(table.values.items()):
            step = covariance_with(latents, values)
            if not np.linalg.norm(step) > 0:
                raise OptionError(f"{path}: the latents do not differ with {name!r}")
            span = min(float(np.ptp(values)), 4 * float(values.std()))  # without numbers that lie far from the others
            distance = span * float(np.linalg.norm(step)) / float(values.std())
            plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or str(i)
            found.append(self._found("attribute", plain, step, title=name, distance=distance))
        return found

    def _found(
        self,
        prefix: Literal["sefa", "pca", "class", "attribute"],
        name: str,
        step: NDArray[np.float64],
        *,
        title: str | None = None,
        explained: float | None = None,
        distance: float = 0.0,
    ) -> Found:
        """A direction from a step of any length; `distance` is how far it has to lead."""
        deviation = self._spread.along(step)
        if not 0 < deviation < math.inf:
            raise BundleError(f"the latents of {self._bundle.path} do not spread along {prefix}-{name}")
        reach = float(max(REACH, math.ceil(distance / deviation)))
        where = "" if self._options.layers == "all" else f"{self._options.layers}-"
        direction = Direction(
            name=f"{prefix}-{where}{name}",
            title=title,
            method="attribute" if prefix == "class" else prefix,
            space="w" if self._spec.has_w_space else "z",
            layers=self._layers,
            range=(-reach, reach),
            explained=explained,
        )
        return Found(direction, (step / np.linalg.norm(step) * deviation).astype(np.float32))

    def _needs_w(self, method: str) -> None:
        if not self._spec.has_w_space:
            raise OptionError(
                f"a {self._spec.architecture} generator has no w space, and z spreads evenly, so {method} finds "
                "nothing there; choose --method sefa, or give --attributes"
            )

    @cached_property
    def _spread(self) -> Spread:
        spec = self._spec
        if not spec.has_w_space:
            return spread_of_z(spec.z_dim, spec.z_distribution)
        count = max(self._options.samples, 4 * spec.c_dim, 4)
        labels = [i % spec.c_dim for i in range(count)] if spec.c_dim else None
        return spread_of(self._latents(range(count), labels, f"sampling {count:,} latents"), labels)

    def _latents(self, seeds: Sequence[int], labels: Sequence[int | str] | None, what: str) -> NDArray[np.floating]:
        """z, or the w of the mapping without truncation: [N, F]."""
        psi = 1.0 if self._spec.has_w_space else None
        starts = range(0, len(seeds), A_RUN)
        self._progress.stage(what, len(starts))
        parts = []
        for start in starts:
            end = start + A_RUN
            part = self._bundle.latents(seeds[start:end], None if labels is None else labels[start:end], psi)
            parts.append(part[:, 0] if part.ndim == 3 else part)  # at psi 1 all ws are the same
            self._progress.step()
        return np.concatenate(parts)


METHODS: dict[str, Callable[[_Finder], list[Found]]] = {
    "sefa": _Finder.sefa,
    "pca": _Finder.pca,
    "classes": _Finder.classes,
}
