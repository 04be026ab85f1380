"""NVIDIA's TensorFlow pickles: Progressive GAN, StyleGAN, StyleGAN2 and StyleGAN2-ADA.

A pickle holds (G, D, Gs) or one network, each as the name of the function that built it, its settings and its
variables. Gs is the averaged generator. The source that a network carries stays unread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.importers import _nvidia_tf_progressive, _nvidia_tf_stylegan, _nvidia_tf_stylegan2
from ganexport.importers._nvidia_tf import NETWORKS, Record
from ganexport.importers._options import Imported, ImportOptions
from ganexport.importers._trees import choose
from ganexport.importers.inert.containers import Container
from ganexport.importers.inert.stubs import Stub, shown
from ganexport.spec import GeneratorSpec
from ganexport.weights import Tensors

__all__ = ["read", "recognises"]

TERMS = "whoever trained them may have set other terms (a note, not legal advice)"
CC_BY_NC = f"under CC BY-NC 4.0, which allows non-commercial use only; {TERMS}"
SOURCE_LICENCE = f"under NVIDIA's source code licence, which allows non-commercial use only; {TERMS}"

Reader = Callable[[Record, ImportOptions], tuple[GeneratorSpec, Tensors, list[str]]]

FAMILIES: dict[str, tuple[str, str, Reader]] = {
    "G_paper": ("Progressive GAN", CC_BY_NC, _nvidia_tf_progressive.read),
    "G_style": ("StyleGAN", CC_BY_NC, _nvidia_tf_stylegan.read),
    "G_main": ("StyleGAN2", SOURCE_LICENCE, _nvidia_tf_stylegan2.read),
}
"""Name, licence of the code and reader, by the function that builds a generator."""


def recognises(container: Container) -> bool:
    """Whether the file holds TensorFlow networks as NVIDIA's programs write them."""
    return bool(_networks(container.root))


def read(container: Container, options: ImportOptions) -> Imported:
    """The averaged generator, or the one that `--network` names.

    Raises:
        CheckpointError: It is no generator that is known, or its record is not one that can be drawn.
        OptionError: There is no network of that name, or no block of the wanted resolution.
    """
    networks = _networks(container.root)
    name = choose(networks, options.network, ("Gs", "G"))
    record = Record.of(networks[name])
    if record.function not in FAMILIES:
        raise CheckpointError(
            f"{shown(name) or 'the network'} was built by {shown(record.function)}, which is no generator known here; "
            f"known are {', '.join(FAMILIES)}"
        )
    family, licence, reader = FAMILIES[record.function]
    spec, weights, notes = reader(record, options)
    if options.resolution is not None:
        notes = [f"drawn at {options.resolution}²", *notes]
    importer = f"nvidia_tf ({'; '.join([shown(name) or 'the file itself', *notes])})"
    terms = f"Weights made with NVIDIA's {family} code are mostly {licence}"
    return Imported(spec, weights, f"NVIDIA TensorFlow pickle ({family})", importer, terms)


def _networks(root: Any) -> dict[str, Stub]:
    """Networks by name: the three of a training pickle by their places, others by the names that they recorded."""
    found = [root] if isinstance(root, Stub) else list(root) if isinstance(root, list | tuple) else []
    networks: dict[str, Stub] = {}
    for place, stub in enumerate(found):
        if isinstance(stub, Stub) and stub.global_name in NETWORKS:
            recorded = stub.attributes.get("name")
            name = recorded if isinstance(recorded, str) else ""
            name = "" if len(found) == 1 and root is stub else ("G", "D", "Gs")[place] if len(found) == 3 else name
            networks[f"network{place}" if name in networks else name] = stub
    return networks
