"""The registry of runtimes that can replay a bundle on this machine; they know nothing of how it was made.

Each module offers a class with the methods of `Runtime`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from ganexport.manifest import Graphs, TargetName
from ganexport.runtimes.onnxruntime import OnnxRuntime
from ganexport.runtimes.tfjs import TfjsNode

__all__ = ["RUNTIMES", "Feeds", "Outputs", "Runtime"]

Feeds = Mapping[str, NDArray[Any]]
"""Inputs of a whole generator by name; each graph takes those that it lists."""

Outputs = dict[str, NDArray[Any]]
"""Outputs of all graphs by name; maps are [N, C, H, W] whatever the target's layout."""


class Runtime(Protocol):
    """A runtime of one target."""

    name: str
    target: TargetName

    def version(self) -> str:
        """Version of the runtime.

        Raises:
            RuntimeUnavailableError: It is not there, or cannot run.
        """

    def replay(
        self, folder: Path, graphs: Graphs, cases: Sequence[Feeds], on_case: Callable[[], None] = lambda: None
    ) -> list[Outputs]:
        """Run every graph on every case, and tell `on_case` of each that is done.

        Raises:
            RuntimeUnavailableError: It is not there, or cannot run.
        """

    def fingerprint(self, path: Path) -> str | None:
        """Hash of the weights that a graph file says it was made of."""


RUNTIMES: dict[str, Callable[[], Runtime]] = {
    "onnxruntime-cpu": OnnxRuntime,
    "tfjs-cpu": lambda: TfjsNode("cpu"),
    "tfjs-wasm": lambda: TfjsNode("wasm"),
}
