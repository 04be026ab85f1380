"""Where points come from and pictures of them are drawn: a bundle and how it is to draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.latent_files import read_latents
from ganexport.latents import one_hot, z_from_seeds
from ganexport.manifest import Direction
from ganexport.play.points import Points
from ganexport.progress import SILENT, Progress

__all__ = ["Studio"]

Pixels = NDArray[np.uint8]
Label = int | str


@dataclass(frozen=True)
class Studio:
    """A bundle, and how it draws.

    Attributes:
        bundle: What draws.
        psi: Truncation, where z becomes w; the bundle's default without one.
        cutoff: Truncate only the first layers.
        noise: `const`, `random` or `none`; the bundle's default without one, `random` where it takes noise as inputs.
        progress: Told of each picture that is drawn.
    """

    bundle: Bundle
    psi: float | None = None
    cutoff: int | None = None
    noise: Literal["const", "none", "random"] | None = None
    progress: Progress = SILENT

    @property
    def noise_name(self) -> Literal["const", "none", "random"] | None:
        """Where noise comes from; None for the bundle's default."""
        takes_noise = self.bundle.manifest.defaults.noise_mode == "input"
        return "random" if self.noise is None and takes_noise else self.noise

    def seeds(self, seeds: Sequence[int], label: Label | Sequence[Label] | None = None) -> Points:
        """The z of seeds.

        Args:
            seeds: Whole numbers from 0 to 2³² − 1.
            label: Class by index or name, one for all or one for each; None where there are none, or not yet.

        Returns:
            Points in z.

        Raises:
            OptionError: There is no such seed or class.
        """
        spec, numbers = self.bundle.manifest.spec, tuple(int(seed) for seed in seeds)
        z = z_from_seeds(numbers, spec.z_dim, spec.z_distribution)
        points = Points("z", z, None, numbers, tuple(str(seed) for seed in numbers))
        return points if label is None else self.in_class(points, label)

    def load(self, path: Path, label: Label | Sequence[Label] | None = None) -> Points:
        """Latents out of a file, such as `ganexport encode` writes.

        Args:
            path: A `.safetensors` file with z, and maybe c, or ws.
            label: The class to draw them in, where it is another than the file's.

        Returns:
            Points in z or in w.

        Raises:
            OptionError: The file holds no latents, or those of another generator.
        """
        spec, file = self.bundle.manifest.spec, read_latents(path)
        expected = (spec.num_ws, spec.w_dim) if file.space == "w" else (spec.z_dim,)
        if file.latents.shape[1:] != expected or (file.c is not None and file.c.shape[1] != spec.c_dim):
            found = f"{file.latents.shape[1:]}" + ("" if file.c is None else f" with {file.c.shape[1]} classes")
            fits = f"{expected}" + ("" if file.c is None else f" with {spec.c_dim}")
            raise OptionError(f"{path} holds latents of another generator: {file.space} of {found}, expected {fits}")
        if file.space == "w" and (self.psi is not None or self.cutoff is not None):
            raise OptionError(f"{path} holds ws, and psi is of the way from z to w: leave it out")
        points = Points(file.space, file.latents, file.c, (0,) * len(file.latents), file.names)
        return points if label is None else self.in_class(points, label)

    def in_class(self, points: Points, label: Label | Sequence[Label]) -> Points:
        """The same z in this class, or in one for each.

        Raises:
            OptionError: There is no such class, or the points are in w.
        """
        if points.space == "w":
            raise OptionError(
                "ws have their class in them, which cannot be exchanged; give z, or move along a direction to a class"
            )
        indices = self.bundle.labels_of(label, len(points)) or []
        plain = map(self.without_class, points.names)
        names = (f"{name}@{self.class_names[i]}" for name, i in zip(plain, indices, strict=True))
        return replace(points, c=one_hot(indices, self.bundle.manifest.spec.c_dim), names=tuple(names))

    def direction(self, name: str) -> Direction:
        """The direction of this name, or the one of this title.

        Raises:
            OptionError: The bundle has none, or two of this title.
        """
        directions = self.bundle.manifest.directions
        items = directions.items if directions else ()
        found = [one for one in items if one.name == name] or [one for one in items if one.title == name]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{one.name} ({one.title})" if one.title else one.name for one in items[:20]) or "none"
        what = "two directions are" if found else "no direction is"
        raise OptionError(f"{what} called {name!r}; this bundle has: {known}")

    def without_class(self, name: str) -> str:
        """What people call a point whose class does not matter: `3` for `3@birch`."""
        base, at, label = name.rpartition("@")
        return base if at and label in self.class_names else name

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called: their numbers where they have no names."""
        manifest = self.bundle.manifest
        return manifest.labels or tuple(str(i) for i in range(manifest.spec.c_dim))

    def placed(self, points: Points) -> Points:
        """The points where synthesis takes them: in w for a family that has it, in z for the others.

        Raises:
            OptionError: A class is not said, or psi means nothing here.
        """
        spec = self.bundle.manifest.spec
        if points.space == "w" or (not spec.has_w_space and self.psi is None and self.cutoff is None):
            return points
        latents = self.bundle.latents((), points.c, self.psi, cutoff=self.cutoff, z=points.latents)
        return replace(points, space="w", latents=latents, c=None)

    def frames(self, points: Points) -> Iterator[Pixels]:
        """Draw the points one after the other, a few at a time: pictures uint8 [H, W, C].

        Raises:
            OptionError: A class is not said, or an option has no meaning for this generator.
        """
        a_run = self.bundle.a_run
        self.progress.stage("drawing", len(points))
        for start in range(0, len(points), a_run):
            part = self.placed(points.pick(range(start, min(start + a_run, len(points)))))
            for picture in self.bundle.draw(part.latents, part.c, self.noise_name, part.seeds):
                yield picture
                self.progress.step()

    def draw(self, points: Points) -> Pixels:
        """Draw the points: uint8 [N, H, W, C].

        Raises:
            OptionError: There is no point, a class is not said, or an option has no meaning for this generator.
        """
        if not len(points):
            raise OptionError("there is nothing to draw")
        return np.stack(list(self.frames(points)))
