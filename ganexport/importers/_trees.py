"""Ways through what was read: modules as recorded, and state dicts under whatever wrapper."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import CheckpointError, OptionError
from ganexport.importers.inert.stubs import NumpyArray, Stub, Tensor, shown

__all__ = ["MAX_PATH", "Leaf", "children", "choose", "float64", "is_module", "own_tensors", "shape_of", "walk"]

Leaf = Tensor | NumpyArray

MAX_DEPTH = 32
MAX_LISTED = 16
MAX_VISITS = 200_000
MAX_PATH = 500
"""Characters; longer names belong to no network."""


def is_module(value: Any) -> bool:
    """Whether it is a recorded PyTorch module."""
    return isinstance(value, Stub) and isinstance(value.attributes.get("_modules"), dict)


def children(module: Stub) -> dict[str, Stub]:
    """The modules within a module, in their order; places that were left empty are not there."""
    inner = module.attributes.get("_modules")
    if not isinstance(inner, dict):
        raise CheckpointError(f"{module.class_name} has no record of its modules")
    if not all(isinstance(name, str) and (child is None or is_module(child)) for name, child in inner.items()):
        raise CheckpointError(f"{module.class_name} holds modules of which there is no record")
    return {name: child for name, child in inner.items() if child is not None}


def own_tensors(module: Stub) -> dict[str, Leaf]:
    """Parameters and buffers of a module itself."""
    found: dict[str, Leaf] = {}
    for kind in ("_parameters", "_buffers"):
        entries = module.attributes.get(kind)
        for name, value in entries.items() if isinstance(entries, dict) else ():
            if isinstance(value, Leaf) and isinstance(name, str):
                found[name] = value
            elif value is not None:
                raise CheckpointError(f"{module.class_name} has a {shown(str(name))} that is no tensor")
    return found


def walk(root: Any) -> Iterator[tuple[str, Any]]:
    """Every dict and recorded module within `root`, with the path of keys to it; each object once."""
    seen = {id(root)}
    pending: deque[tuple[str, Any, int]] = deque([("", root, 0)])
    while pending:
        path, value, depth = pending.popleft()
        if is_module(value):
            yield path, value
        elif isinstance(value, dict):
            yield path, value
            for key, inner in value.items() if depth < MAX_DEPTH else ():
                fits = isinstance(key, str) and isinstance(inner, dict | Stub) and len(path) + len(key) < MAX_PATH
                if fits and id(inner) not in seen and len(seen) <= MAX_VISITS:
                    seen.add(id(inner))
                    pending.append((f"{path}.{key}" if path else key, inner, depth + 1))


def shape_of(leaf: Leaf) -> tuple[int, ...]:
    """The shape of a tensor, without touching its numbers."""
    return leaf.size if isinstance(leaf, Tensor) else leaf.array().shape


def float64(leaf: Leaf) -> NDArray[np.float64]:
    """The numbers of a tensor."""
    return np.asarray(leaf.array(), dtype=np.float64)


def choose(networks: Mapping[str, Any], wanted: str | None, preferred: tuple[str, ...] = ()) -> str:
    """Which network to read: the one asked for, else a preferred one, else an averaged one, else the only one.

    Raises:
        OptionError: The one asked for is not there, or there are several; lists them.
    """
    names = ", ".join(shown(name) or "(the file itself)" for name in list(networks)[:MAX_LISTED])
    names += " …" if len(networks) > MAX_LISTED else ""
    if wanted is not None:
        fits = [name for name in networks if name == wanted] or [
            name for name in networks if name.rpartition(".")[2] == wanted
        ]
        if len(fits) != 1:
            raise OptionError(f"no network {wanted!r} that can be imported is in the file; there are: {names}")
        return fits[0]
    for name in preferred:
        if name in networks:
            return name
    averaged = [name for name in networks if any(part in name.lower() for part in ("ema", "average", "shadow"))]
    fits = averaged or list(networks)
    if len(fits) > 1:
        raise OptionError(f"several networks in the file can be imported; choose one with --network: {names}")
    return fits[0]
