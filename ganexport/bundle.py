"""Open a bundle, check it, and draw with it: what a user of a bundle imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganexport.bundle_files import check_files, read_directions
from ganexport.encoded import Encoded
from ganexport.errors import BundleError, OptionError
from ganexport.inputs import (
    Labels,
    Noise,
    class_inputs,
    further_inputs,
    label_indices,
    mapping_inputs,
    noise_inputs,
    rows,
)
from ganexport.latents import Move, layer_range, mix_styles, z_from_seeds
from ganexport.latents import walk as walk_latents
from ganexport.manifest import MANIFEST_NAME, Graph, Graphs, Manifest, read_manifest
from ganexport.memory import pictures_within
from ganexport.pictures import from_uint8, to_uint8
from ganexport.providers import check_providers
from ganexport.runtimes.onnxruntime import OnnxSession, require_providers
from ganexport.weights import file_sha256

__all__ = ["Bundle", "Encoded", "check_files", "open_bundle"]

Pixels = NDArray[np.uint8]
PIXELS_A_RUN = 4 * 256 * 256
"""Where no limit is set: more of them at once are no faster on a processor."""


class Bundle:
    """A bundle, ready to draw through ONNX Runtime.

    Graphs are loaded when they are first needed, once; any number of threads may use one bundle.

    Attributes:
        path: Its folder.
        manifest: What `ganexport.json` says.
        name: What the bundle is called.
        digest: SHA-256 of `ganexport.json`, which states every other file's: two bundles of one digest are the same.
        providers: On what it runs, tried in this order.
        memory_limit: Bytes that a run of the graphs may need; None for the usual size of a run.
    """

    def __init__(self, path: Path, providers: str | Sequence[str] = "cpu", memory_limit: int | None = None) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        self.name = self.manifest.name
        self.digest: str = file_sha256(path / MANIFEST_NAME)
        self.providers = check_providers(providers)
        if self.providers != ("cpu",):
            require_providers(self.providers)
        if memory_limit is not None and memory_limit < 1:
            raise OptionError(f"a memory limit is a number of bytes, such as 2 * 10**9; found {memory_limit}")
        self.memory_limit = memory_limit
        self._sessions: dict[str, OnnxSession] = {}
        self._opening = Lock()

    @property
    def a_run(self) -> int:
        """Pictures to draw in one run of the graphs: as many as the memory limit allows, and one at least."""
        spec = self.manifest.spec
        if self.memory_limit is None:
            return max(1, PIXELS_A_RUN // spec.resolution**2)
        return max(1, pictures_within(self.memory_limit, spec))

    def generate(
        self,
        seeds: Sequence[int],
        label: Labels | None = None,
        psi: float | None = None,
        *,
        cutoff: int | None = None,
        noise: Noise | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> Pixels:
        """Draw one picture for each seed.

        Args:
            seeds: Whole numbers from 0 to 2³² − 1; the same seed is the same picture everywhere.
            label: Class by index or name, one for all or one for each seed, or c itself [N, c_dim], such as on the way
                from one class to another; needed when there are classes.
            psi: Truncation; the bundle's default without one. Only families with a w space have it.
            cutoff: Truncate only the first layers.
            noise: `const` for the stored noise, `random` for noise drawn from each seed, `none`, or the noise itself by
                the names of the graph's inputs; the bundle's default without one. Which of them there are was chosen
                when the bundle was made.
            inputs: Further inputs by name, such as StyleGAN3's `transform` [3, 3] or [N, 3, 3]; the bundle's defaults
                without them.

        Returns:
            Pictures, uint8 [N, H, W, C].

        Raises:
            OptionError: An argument has no meaning for this generator.
            BundleError: The bundle has no ONNX target, or its graphs are broken.
            RuntimeUnavailableError: onnxruntime is not installed.
        """
        numbers = list(seeds)
        drawn = self.latents(numbers, label, psi, cutoff=cutoff)
        return self.draw(drawn, None if self.manifest.spec.has_w_space else label, noise, numbers, inputs=inputs)

    def latents(
        self,
        seeds: Sequence[int],
        label: Labels | None = None,
        psi: float | None = None,
        *,
        cutoff: int | None = None,
        z: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The latents that seeds stand for, to draw as they are or after a turn in `ganexport.latents`.

        Args:
            seeds: As for `generate`; not looked at where `z` is given.
            label: As for `generate`.
            psi: As for `generate`.
            cutoff: As for `generate`.
            z: [N, z_dim] in place of the seeds' own, such as a walk between them.

        Returns:
            ws [N, num_ws, w_dim], or z [N, z_dim] for a family without a w space.

        Raises:
            OptionError: An argument has no meaning for this generator.
            BundleError: The bundle has no ONNX target, or its graphs are broken.
            RuntimeUnavailableError: onnxruntime is not installed.
        """
        spec = self.manifest.spec
        given = z_from_seeds(list(seeds), spec.z_dim, spec.z_distribution) if z is None else z
        values = mapping_inputs(self.manifest, given, label, psi, cutoff)
        graph = self._graphs.mapping
        return np.asarray(values["z"] if graph is None else self._session(graph).run(values)["ws"])

    def draw(
        self,
        latents: NDArray[np.float32],
        label: Labels | None = None,
        noise: Noise | None = None,
        seeds: Sequence[int] | None = None,
        *,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> Pixels:
        """Draw one picture for each of these latents.

        Args:
            latents: As `latents` gives them.
            label: As for `generate`; in w it is part of the latents, and left out.
            noise: As for `generate`.
            seeds: One for each picture, from which `random` noise is drawn.
            inputs: As for `generate`.

        Returns:
            Pictures, uint8 [N, H, W, C].

        Raises:
            OptionError: An argument has no meaning for this generator.
            BundleError: The bundle has no ONNX target, or its graphs are broken.
            RuntimeUnavailableError: onnxruntime is not installed.
        """
        spec, graphs, count = self.manifest.spec, self._graphs, len(latents)
        name, shape = ("ws", (spec.num_ws, spec.w_dim)) if spec.has_w_space else ("z", (spec.z_dim,))
        values = {name: rows(name, latents, (count, *shape))}
        if not spec.has_w_space:
            values |= class_inputs(self.manifest, label, count)
        elif label is not None:
            raise OptionError(f"ws have their class in them, so class {label!r} has no meaning here")
        values |= further_inputs(self.manifest, graphs, count, inputs or {})
        if seeds is not None and len(seeds) != count:
            raise OptionError(f"{count} pictures have {count} seeds, found {len(seeds)}")
        if isinstance(noise, Mapping):
            values |= noise_inputs(self.manifest, graphs, count, seeds, noise)
        drawn = []
        for part in self._parts(count):
            fed = {name: value[part] for name, value in values.items()}
            if not isinstance(noise, Mapping):  # drawn a part at a time, since noise of all pictures may be large
                its = None if seeds is None else seeds[part]
                fed |= noise_inputs(self.manifest, graphs, len(fed[name]), its, noise)
            drawn.append(self._synthesised(fed))
        return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)

    def _parts(self, count: int) -> list[slice]:
        """Where each run of the graphs begins and ends; one, without pictures too."""
        step = self.a_run
        return [slice(start, start + step) for start in range(0, max(1, count), step)]

    def _synthesised(self, values: Mapping[str, NDArray[np.float32]]) -> Pixels:
        """Pictures of one run."""
        drawn = dict(values)
        for graph in self._graphs.synthesis:
            drawn |= self._session(graph).run(drawn)
        low, high = self.manifest.spec.image_range
        return to_uint8(drawn["image"], (low, high))

    def mix(
        self,
        seeds: Sequence[int],
        donors: Sequence[int],
        layers: str | tuple[int, int] = "coarse",
        label: Labels | None = None,
        psi: float | None = None,
        *,
        donor_label: Labels | None = None,
        cutoff: int | None = None,
        noise: Noise | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> Pixels:
        """Mix styles: the pictures of seeds, with some layers as other seeds have them.

        Args:
            seeds: As many as donors, or one for all of them.
            donors: Seeds whose layers are taken; as many as seeds, or one for all of them.
            layers: `coarse`, `middle`, `fine` or `all`, `2-5` with both included, or the first and one past the last.
            label: Of the seeds, as for `generate`.
            psi: As for `generate`.
            donor_label: Of the donors; the same as `label` without it.
            cutoff: As for `generate`.
            noise: As for `generate`; where it is drawn from seeds, from `seeds`.
            inputs: As for `generate`.

        Returns:
            Pictures, uint8 [N, H, W, C].

        Raises:
            OptionError: An argument has no meaning for this generator, such as layers without a w space.
            BundleError: The bundle has no ONNX target, or its graphs are broken.
            RuntimeUnavailableError: onnxruntime cannot be used.
        """
        spec, numbers = self.manifest.spec, list(seeds)
        if not spec.has_w_space:
            raise OptionError(f"a {spec.architecture} generator has no w space, so there are no layers to mix")
        chosen = layer_range(layers, spec.num_ws) if isinstance(layers, str) else layers
        base = self.latents(numbers, label, psi, cutoff=cutoff)
        donor = self.latents(list(donors), label if donor_label is None else donor_label, psi, cutoff=cutoff)
        mixed = mix_styles(base, donor, chosen)
        numbers *= len(mixed) if len(numbers) == 1 else 1
        return self.draw(mixed, None, noise, numbers, inputs=inputs)

    def walk(
        self,
        seeds: Sequence[int],
        frames: int,
        label: Labels | None = None,
        psi: float | None = None,
        *,
        loop: bool = False,
        cutoff: int | None = None,
        noise: Noise | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> Iterator[Pixels]:
        """Walk from seed to seed: on the arc in z, or on the straight line in w where the classes differ.

        Args:
            seeds: Where it leads through.
            frames: From one seed to the next.
            label: As for `generate`, of each seed.
            psi: As for `generate`.
            loop: Whether to go on from the last seed to the first, so that it can repeat without a jump.
            cutoff: As for `generate`.
            noise: As for `generate`, the same in all frames; by name it is one for all of them.
            inputs: As for `generate`, one for all frames.

        Returns:
            Frames uint8 [H, W, C], drawn as they are asked for: (seeds − 1)·frames + 1, or seeds·frames in a loop.

        Raises:
            OptionError: An argument has no meaning for this generator.
            BundleError: The bundle has no ONNX target, or its graphs are broken.
            RuntimeUnavailableError: onnxruntime cannot be used.
        """
        spec, numbers = self.manifest.spec, list(seeds)
        further_inputs(self.manifest, self._graphs, 1, inputs or {})  # refused now, and not at the first frame
        noise_inputs(self.manifest, self._graphs, 1, numbers[:1], noise)
        c = class_inputs(self.manifest, label, len(numbers)).get("c")
        if spec.has_w_space and c is not None and (c != c[:1]).any():
            path, c = walk_latents(self.latents(numbers, c, psi, cutoff=cutoff), frames, loop=loop), None
        else:
            z = walk_latents(z_from_seeds(numbers, spec.z_dim, spec.z_distribution), frames, loop=loop)
            c = None if c is None else walk_latents(c[:, None], frames, loop=loop)[:, 0]  # [F, c_dim]
            path = self.latents((), c, psi, cutoff=cutoff, z=z)
            c = None if spec.has_w_space else c

        def drawn() -> Iterator[Pixels]:
            for part in self._parts(len(path)):
                latents = path[part]
                classes = None if c is None else c[part]
                yield from self.draw(latents, classes, noise, numbers[:1] * len(latents), inputs=inputs)

        return drawn()

    def encode(self, pictures: Pixels) -> Encoded:
        """Find the latents from which pictures come out again, as near as the bundle's encoder can.

        Args:
            pictures: uint8 [N, H, W, C], of the size and the channels that the generator draws.

        Returns:
            Latents, and with classes how likely each is.

        Raises:
            OptionError: The pictures are of another size.
            BundleError: The bundle has no encoder, or its graph is broken.
            RuntimeUnavailableError: onnxruntime is not installed.
        """
        spec = self.manifest.spec
        shape = (spec.resolution, spec.resolution, spec.image_channels)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != shape:
            found = f"{pictures.dtype} {list(pictures.shape)}"
            raise OptionError(f"pictures must be uint8 [N, {', '.join(map(str, shape))}], found {found}")
        session, parts = self._session(self._encoder), self._parts(len(pictures))
        found_in = [session.run({"image": from_uint8(pictures[part], spec.image_range)}) for part in parts]
        return Encoded.of({name: np.concatenate([one[name] for one in found_in]) for name in found_in[0]})

    @cached_property
    def directions(self) -> dict[str, NDArray[np.float32]]:
        """Vectors of the manifest's directions by name: [w_dim] or [z_dim], an amount of 1 each.

        Raises:
            BundleError: Their file does not hold exactly these.
        """
        return read_directions(self.path, self.manifest)

    def moves(self, amounts: Mapping[str, float | Sequence[float]]) -> list[Move]:
        """Directions by name, each with an amount for all pictures or one each, as `move_along` takes them.

        Raises:
            OptionError: The bundle has no such direction.
            BundleError: The vectors cannot be read.
        """
        items = self.manifest.directions.items if self.manifest.directions else ()
        layers = {one.name: one.layers for one in items}
        if unknown := [name for name in amounts if name not in layers]:
            raise OptionError(f"no direction {unknown[0]!r}; this bundle has: {', '.join(layers) or 'none'}")
        return [Move(self.directions[name], amount, layers[name]) for name, amount in amounts.items()]

    def labels_of(self, label: Labels | None, count: int) -> list[int] | None:
        """Class index of each of `count` pictures; None for a generator without classes.

        Raises:
            OptionError: There is no such class, it is not said, or there are more or fewer than pictures.
        """
        return label_indices(self.manifest, label, count)

    @property
    def _graphs(self) -> Graphs:
        graphs = self.manifest.targets.get("onnx")
        if graphs is None:
            raise BundleError(f"{self.path} has no ONNX target; convert again with --to onnx,tfjs")
        return graphs

    @property
    def _encoder(self) -> Graph:
        found = self.manifest.encoder
        if found is None or "onnx" not in found.graphs:
            raise BundleError(f"{self.path} has no encoder for ONNX; put one in with `ganexport add-encoder`")
        return found.graphs["onnx"]

    def _session(self, graph: Graph) -> OnnxSession:
        """The graph's session, which the first caller opens while the others wait."""
        if (session := self._sessions.get(graph.file)) is not None:
            return session
        with self._opening:
            if graph.file not in self._sessions:
                self._sessions[graph.file] = OnnxSession(self.path / graph.file, graph, self.providers)
            return self._sessions[graph.file]


def open_bundle(path: str | Path, *, providers: str | Sequence[str] = "cpu", memory_limit: int | None = None) -> Bundle:
    """Open a bundle's folder.

    Args:
        path: The folder.
        providers: On what to draw: `cpu`, `cuda`, `tensorrt` and others out of `ganexport.providers`; of
            several, the first that can start here, with the later ones for what it cannot do.
        memory_limit: Bytes that the program may need for a run, as far as can be told beforehand: batches are split so
            that they keep within it. Without one, four pictures of 256² go into a run, one of 512² or more.

    Returns:
        A bundle, which loads its graphs when they are first needed; threads may share it.

    Raises:
        BundleError: No bundle there, or one of an unknown schema.
        OptionError: A provider is unknown, or the limit is no number of bytes.
        RuntimeUnavailableError: The installed onnxruntime lacks a provider.
    """
    return Bundle(Path(path), providers, memory_limit)
