"""What a foreign graph takes and gives: which input is the latent, which the class, and which output the picture.

Told from names and shapes, or by the caller; where several fit, the error lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, OptionError
from ganexport.importers._options import ImportOptions
from ganexport.importers.inert.stubs import shown

__all__ = ["Port", "Signature", "choose_inputs", "choose_output", "native_feeds", "picture_layout"]

LABEL_NAMES = ("c", "label", "labels", "class", "class_label", "class_labels", "y")
INDEX_KINDS = ("int32", "int64", "float32")
CHANNELS = (1, 3, 4)

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True)
class Port:
    """An input or output of a foreign graph.

    Attributes:
        name: Its name there.
        kind: NumPy's name of its number type.
        shape: Sizes with the batch first; None is not fixed. None in place of all: not even the rank is known.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape or ())
        return f"{shown(self.name)} {self.kind} {f'[{sizes}]' if self.shape is not None else 'of unknown shape'}"


@dataclass(frozen=True)
class Signature:
    """How `z` and `c` become a foreign graph's inputs.

    Attributes:
        latent: The latent's input.
        z_dim: Length of z.
        label: The class' input; None where there is none, or where one-hot classes follow z in `latent`.
        c_dim: Number of classes; 0 means unconditional.
        labels: In which form the graph takes the class.
    """

    latent: Port
    z_dim: int
    label: Port | None = None
    c_dim: int = 0
    labels: Literal["none", "joined", "one-hot", "index"] = "none"

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Sizes of the latent without N."""
        return tuple(size or 0 for size in (self.latent.shape or ())[1:])

    @property
    def index_shape(self) -> tuple[int, ...]:
        """Sizes of a class index without N: none, or 1."""
        assert self.label is not None
        return (1,) * (len(self.label.shape or ()) - 1)


def choose_inputs(ports: Sequence[Port], options: ImportOptions, classes: int | None = None) -> Signature:
    """Find the latent and the class among a graph's inputs.

    Args:
        ports: All inputs.
        options: What the caller says: `latent_input`, `label_input`, `c_dim`.
        classes: Number of classes as the file tells it, for graphs that take a class index.

    Raises:
        OptionError: No input of that name, or the caller has to say which.
        CheckpointError: An input has a shape that is not that of a latent or a class.
    """
    named = {port.name: port for port in ports}
    label = _named(named, options.label_input, "--label-input")
    rest = [port for port in ports if port is not label]
    latent = _named(named, options.latent_input, "--input")
    if latent is None:
        fitting = [port for port in rest if _is_latent(port) and port.name.lower() not in LABEL_NAMES]
        if len(fitting) != 1:
            what = "none of its inputs is" if not fitting else "several of its inputs could be"
            raise OptionError(f"{what} the latent; say which with --input: {_listed(ports)}")
        (latent,) = fitting
    if not _is_latent(latent):
        raise CheckpointError(f"the latent must be float32 [N, z] of a fixed length, or with two axes of 1: {latent}")
    others = [port for port in rest if port is not latent]
    if label is None and len(others) == 1 and _is_label(others[0]):
        label = others.pop()
    if others:
        what = "only a latent (--input) and a class (--label-input) are known"
        raise OptionError(f"cannot fill the inputs {_listed(others)}; {what}")
    return _with_labels(latent, label, options.c_dim, classes)


def choose_output(ports: Sequence[Port], options: ImportOptions) -> Port:
    """Find the picture among a graph's outputs.

    Raises:
        OptionError: No output of that name, or the caller has to say which.
    """
    chosen = _named({port.name: port for port in ports}, options.image_output, "--image-output")
    if chosen is not None:
        return chosen
    fitting = [port for port in ports if port.shape is None or len(port.shape) == 4] if len(ports) > 1 else ports
    if len(fitting) != 1:
        raise OptionError(f"say which output is the picture with --image-output: {_listed(ports)}")
    return fitting[0]


def picture_layout(shape: Sequence[int | None], first: Layout) -> tuple[Layout, int, int]:
    """Layout, channels and resolution of pictures of a shape.

    Args:
        shape: Sizes with the batch.
        first: The layout to take where both fit.

    Raises:
        CheckpointError: No square picture with 1, 3 or 4 channels.
    """
    found = f"[{', '.join('N' if i == 0 else '?' if s is None else str(s) for i, s in enumerate(shape))}]"
    if len(shape) != 4 or None in shape[1:]:
        raise CheckpointError(f"its output is {found}; a picture is [N, C, H, W] or [N, H, W, C] of fixed size")
    _, a, b, c = (size or 0 for size in shape)
    sizes: dict[Layout, tuple[int, int, int]] = {"NCHW": (a, b, c), "NHWC": (c, a, b)}
    for layout, (channels, height, width) in sorted(sizes.items(), key=lambda item: item[0] != first):
        if channels in CHANNELS:
            if height != width:
                raise CheckpointError(f"draws pictures of {height}×{width}; only square ones can be imported")
            return layout, channels, height
    raise CheckpointError(f"its output is {found}; no axis is that of 1, 3 or 4 channels")


def native_feeds(signature: Signature, feeds: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """`z` and `c` as the foreign graph takes them, by its own names."""
    z = feeds["z"]
    if signature.labels == "joined":
        z = np.concatenate([z, feeds["c"]], axis=1)
    native: dict[str, NDArray[Any]] = {signature.latent.name: z.reshape(len(z), *signature.latent_shape)}
    if signature.label is not None:
        c: NDArray[Any] = feeds["c"]
        if signature.labels == "index":
            c = c.argmax(axis=1).reshape(len(c), *signature.index_shape).astype(signature.label.kind)
        native[signature.label.name] = c
    return native


def _with_labels(latent: Port, label: Port | None, c_dim: int | None, classes: int | None) -> Signature:
    assert latent.shape is not None
    width = max(size or 0 for size in latent.shape[1:])
    if label is None:
        if not c_dim:
            return Signature(latent, width)
        if c_dim >= width:
            raise OptionError(f"--c-dim {c_dim} leaves no latent: the input takes {width} numbers, classes included")
        return Signature(latent, width - c_dim, None, c_dim, "joined")
    if not _is_label(label):
        raise CheckpointError(f"the class must be one-hot float32 [N, classes], or an index [N] or [N, 1]: {label}")
    assert label.shape is not None
    size = label.shape[1] if len(label.shape) == 2 else 1
    if size is not None and size > 1:
        if c_dim not in (None, size):
            raise OptionError(f"--c-dim is {c_dim}, but the class' input has {size}: {label}")
        return Signature(latent, width, label, size, "one-hot")
    count = c_dim or classes
    if not count:
        raise OptionError(f"it takes a class index ({label}): say how many classes there are with --c-dim")
    if classes is not None and count > classes:
        raise OptionError(f"--c-dim is {c_dim}, but the file has {classes} classes")
    return Signature(latent, width, label, count, "index")


def _is_latent(port: Port) -> bool:
    """[N, z], [N, z, 1, 1] or [N, 1, 1, z], with z above 1."""
    if port.kind != "float32" or port.shape is None or len(port.shape) not in (2, 4) or None in port.shape[1:]:
        return False
    sizes = [size or 0 for size in port.shape[1:]]
    return max(sizes) > 1 and sizes.count(1) == len(sizes) - 1 and (len(sizes) == 1 or sizes[1] == 1)


def _is_label(port: Port) -> bool:
    """One-hot [N, c], or an index [N] or [N, 1]."""
    if port.shape is None or len(port.shape) not in (1, 2):
        return False
    one = len(port.shape) == 1 or port.shape[1] == 1
    return port.kind in INDEX_KINDS if one else port.kind == "float32" and bool(port.shape[1])


def _named(ports: Mapping[str, Port], name: str | None, option: str) -> Port | None:
    if name is not None and name not in ports:
        raise OptionError(f"{option} {shown(name)}: there is no such name; choose from {_listed(list(ports.values()))}")
    return None if name is None else ports[name]


def _listed(ports: Sequence[Port]) -> str:
    return "; ".join(str(port) for port in ports[:8]) + (" …" if len(ports) > 8 else "") if ports else "there are none"
