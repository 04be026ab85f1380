"""Open a bundle, check it, and draw with it: what a user of a bundle imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganexport.errors import BundleError, CheckpointError, OptionError
from ganexport.latents import Move, label_index, noise_from_seeds, one_hot, psi_by_layer, z_from_seeds
from ganexport.manifest import MANIFEST_NAME, Graphs, Manifest, read_manifest
from ganexport.pictures import from_uint8, to_uint8
from ganexport.runtimes.onnxruntime import OnnxSession
from ganexport.weights import check_cover, file_sha256, read_tensors

__all__ = ["Bundle", "Encoded", "check_files", "open_bundle"]

Label = int | str
Labels = Label | Sequence[Label] | NDArray[np.float32]
PIXELS_A_RUN = 4 * 256 * 256
Noise = Literal["const", "none", "random"] | Mapping[str, ArrayLike]


@dataclass(frozen=True, eq=False)
class Encoded:
    """What an encoder found in pictures.

    Attributes:
        latents: z [N, z_dim], or ws [N, num_ws, w_dim].
        probabilities: Of each class [N, c_dim]; None without classes.
    """

    latents: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None

    @property
    def labels(self) -> list[int] | None:
        """The likeliest class of each picture; None without classes."""
        return None if self.probabilities is None else [int(one) for one in self.probabilities.argmax(axis=1)]


class Bundle:
    """A bundle, ready to draw through ONNX Runtime.

    Attributes:
        path: Its folder.
        manifest: What `ganexport.json` says.
        digest: SHA-256 of `ganexport.json`, which states every other file's: two bundles of one digest are the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        self.digest: str = file_sha256(path / MANIFEST_NAME)

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.manifest.name

    @property
    def a_run(self) -> int:
        """Pictures to draw in one run of the graphs: more of them need more memory, not less time."""
        return max(1, PIXELS_A_RUN // self.manifest.spec.resolution**2)

    def generate(
        self,
        seeds: Sequence[int],
        label: Labels | None = None,
        psi: float | None = None,
        *,
        cutoff: int | None = None,
        noise: Noise | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.uint8]:
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
        values = self._inputs(_rows("z", given, (len(given), spec.z_dim)), label, psi, cutoff)
        return np.asarray(values["z"] if self._mapping is None else self._mapping.run(values)["ws"])

    def draw(
        self,
        latents: NDArray[np.float32],
        label: Labels | None = None,
        noise: Noise | None = None,
        seeds: Sequence[int] | None = None,
        *,
        inputs: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.uint8]:
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
        spec, count = self.manifest.spec, len(latents)
        name, shape = ("ws", (spec.num_ws, spec.w_dim)) if spec.has_w_space else ("z", (spec.z_dim,))
        values = {name: _rows(name, latents, (count, *shape))}
        if not spec.has_w_space:
            values |= self._classes(label, count)
        elif label is not None:
            raise OptionError(f"ws have their class in them, so class {label!r} has no meaning here")
        values |= self._noise(count, seeds, noise) | self._further_inputs(count, inputs or {})
        step = self.a_run
        if count <= step:
            return self._synthesised(values)
        starts = range(0, count, step)
        return np.concatenate([self._synthesised({n: v[i : i + step] for n, v in values.items()}) for i in starts])

    def _synthesised(self, values: Mapping[str, NDArray[np.float32]]) -> NDArray[np.uint8]:
        """Pictures of one batch."""
        drawn = dict(values)
        for session in self._synthesis:
            drawn |= session.run(drawn)
        low, high = self.manifest.spec.image_range
        return to_uint8(drawn["image"], (low, high))

    def encode(self, pictures: NDArray[np.uint8]) -> Encoded:
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
        found_in = self._encoder.run({"image": from_uint8(pictures, spec.image_range)})
        latents = found_in["ws"] if "ws" in found_in else found_in["z"]
        logits = found_in.get("c_logits")
        return Encoded(latents, None if logits is None else _softmax(logits))

    @cached_property
    def directions(self) -> dict[str, NDArray[np.float32]]:
        """Vectors of the manifest's directions by name: [w_dim] or [z_dim], an amount of 1 each.

        Raises:
            BundleError: Their file does not hold exactly these.
        """
        found = self.manifest.directions
        if found is None:
            return {}
        spec = self.manifest.spec
        shapes = {one.name: (spec.w_dim if one.space == "w" else spec.z_dim,) for one in found.items}
        try:
            tensors, _ = read_tensors(self.path / found.file)
            check_cover(tensors, shapes)
        except CheckpointError as error:
            raise BundleError(f"the directions of {self.path} cannot be read: {error}") from None
        return {name: np.asarray(tensors[name], np.float32) for name in shapes}

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
        """Class index of each of `count` pictures; None for a generator without classes."""
        spec, names = self.manifest.spec, self.manifest.labels
        if spec.c_dim == 0 and label is None:
            return None
        if label is None:
            raise OptionError(f"this generator has {spec.c_dim} classes: say which, for example label={0!r}")
        if isinstance(label, str):
            return [label_index(label, spec.c_dim, names)] * count
        if isinstance(label, Integral):  # NumPy's whole numbers too
            return [label_index(int(label), spec.c_dim, names)] * count
        each = cast("Sequence[Label]", label)
        if len(each) != count:
            raise OptionError(f"{len(each)} labels for {count} seeds")
        return [label_index(one, spec.c_dim, names) for one in each]

    def _classes(self, label: Labels | None, count: int) -> dict[str, NDArray[np.float32]]:
        """The input c [count, c_dim]; nothing for a generator without classes."""
        c_dim = self.manifest.spec.c_dim
        if isinstance(label, np.ndarray) and label.ndim == 2 and c_dim:
            return {"c": _rows("c", label, (count, c_dim))}
        labels = self.labels_of(label, count)
        return {} if labels is None else {"c": one_hot(labels, c_dim)}

    def _inputs(
        self, z: NDArray[np.float32], label: Labels | None, psi: float | None, cutoff: int | None
    ) -> dict[str, NDArray[np.float32]]:
        spec, count = self.manifest.spec, len(z)
        values = {"z": z, **self._classes(label, count)}
        if spec.has_w_space:
            usual = self.manifest.defaults.truncation_psi
            psis = psi_by_layer(usual if psi is None else psi, spec.num_ws, cutoff)
            values["truncation_psi"] = np.tile(psis, (count, 1))
        elif psi is not None or cutoff is not None:
            raise OptionError(f"a {spec.architecture} generator has no w space, so psi and cutoff mean nothing")
        return values

    def _noise(self, count: int, seeds: Sequence[int] | None, noise: Noise | None) -> dict[str, NDArray[np.float32]]:
        spec, made_for = self.manifest.spec, self.manifest.defaults.noise_mode
        shapes = self._graphs.noise_shapes
        if isinstance(noise, Mapping):
            if noise.keys() != shapes.keys():
                raise OptionError(f"noise by name must be {', '.join(shapes) or 'none'}; found {', '.join(noise)}")
            return {name: _batch("noise", name, noise[name], count, shape) for name, shape in shapes.items()}
        mode = noise or made_for
        choices = {"const": ("const", "none"), "none": ("none",)}.get(made_for, ("random", "none"))
        if mode not in choices:
            if mode == "input":
                raise OptionError(f"this bundle takes noise as inputs: give it by name, or one of {', '.join(choices)}")
            how = "without noise" if made_for == "none" else f"for noise {' or '.join(choices)}"
            raise OptionError(f"this bundle was made {how}, so {mode} has no meaning; convert it with --noise {mode}")
        if mode == "random":
            if seeds is None or len(seeds) != count:
                raise OptionError(f"random noise is drawn from seeds: {count} are needed, found {len(seeds or ())}")
            return noise_from_seeds(seeds, spec.z_dim, spec.z_distribution, spec.noise_distribution, shapes)
        quiet = {name: np.zeros((count, *shape), np.float32) for name, shape in shapes.items()}
        return {**quiet, "noise_scale": np.full(count, 1.0 if mode == "const" else 0.0, np.float32)}

    def _further_inputs(self, count: int, given: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float32]]:
        defaults = self.manifest.defaults.inputs
        if unknown := given.keys() - defaults.keys():
            known = ", ".join(defaults) or "no further inputs"
            raise OptionError(f"unknown input {', '.join(sorted(unknown))}; this generator has {known}")
        tensors = {tensor.name: tensor for stage in self._graphs.synthesis for tensor in stage.inputs}
        values = {}
        for name, usual in defaults.items():
            shape = tuple(size for size in tensors[name].shape if size != "N")
            value = given.get(name, np.reshape(np.asarray(usual, np.float32), shape))
            values[name] = _batch("input", name, value, count, shape)
        return values

    @property
    def _graphs(self) -> Graphs:
        graphs = self.manifest.targets.get("onnx")
        if graphs is None:
            raise BundleError(f"{self.path} has no ONNX target; convert again with --to onnx,tfjs")
        return graphs

    @cached_property
    def _mapping(self) -> OnnxSession | None:
        graph = self._graphs.mapping
        return None if graph is None else OnnxSession(self.path / graph.file, graph)

    @cached_property
    def _encoder(self) -> OnnxSession:
        found = self.manifest.encoder
        if found is None or "onnx" not in found.graphs:
            raise BundleError(f"{self.path} has no encoder for ONNX; put one in with `ganexport add-encoder`")
        graph = found.graphs["onnx"]
        return OnnxSession(self.path / graph.file, graph)

    @cached_property
    def _synthesis(self) -> list[OnnxSession]:
        return [OnnxSession(self.path / graph.file, graph) for graph in self._graphs.synthesis]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _rows(name: str, latents: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Latents of this shape, as float32."""
    if latents.shape != shape:
        raise OptionError(f"latents must be {name} {list(shape)}, found {list(latents.shape)}")
    if not np.isfinite(latents).all():
        raise OptionError(f"latents {name} hold values that are not finite")
    return latents.astype(np.float32)


def _batch(kind: str, name: str, value: ArrayLike, count: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One value for all pictures, or one a picture, as float32 [N, …]."""
    array = np.asarray(value, np.float32)
    if array.shape == shape:
        array = np.tile(array, (count, *[1] * len(shape)))
    if array.shape != (count, *shape):
        raise OptionError(f"{kind} {name} must be {list(shape)} or {[count, *shape]}, found {list(array.shape)}")
    if not np.isfinite(array).all():
        raise OptionError(f"{kind} {name} holds values that are not finite")
    return array


def open_bundle(path: str | Path) -> Bundle:
    """Open a bundle's folder.

    Raises:
        BundleError: No bundle there, or one of an unknown schema.
    """
    return Bundle(Path(path))


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check that a bundle's files are exactly those of its manifest, byte for byte.

    Raises:
        BundleError: Names each file that is missing, left over or altered.
    """
    problems = []
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != entry.bytes:
            problems.append(f"{name} has {path.stat().st_size} bytes, expected {entry.bytes}")
        elif file_sha256(path) != entry.sha256:
            problems.append(f"{name} was altered: its SHA-256 is not the manifest's")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    problems += [f"{name} is not in the manifest" for name in sorted(found - manifest.files.keys() - {MANIFEST_NAME})]
    if problems:
        raise BundleError(f"{folder} is not whole: " + "; ".join(problems[:8]))
