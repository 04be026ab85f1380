"""The parts of an ONNX file counted before it is parsed: two bytes of it can become two hundred in memory.

Walks the protobuf encoding along the messages of ONNX's schema; numbers of fields are those of `onnx.proto`.
"""

from __future__ import annotations

from ganexport.errors import CheckpointError

__all__ = ["check_parts"]

MAX_PARTS = 500_000
"""Nodes, names, attributes, sizes … together; a generator of 1024² has some ten thousand."""
MAX_DEPTH = 64
OTHER_BYTES = 1 << 16
"""Of parts that are not known here, all together."""

MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "entry", 14: "entry"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 16: "entry"},
    "node": {5: "attribute", 9: "entry"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
    "tensor": {13: "entry", 16: "entry"},
    "value": {2: "type", 4: "entry"},
    "type": {1: "tensor type"},
    "tensor type": {2: "shape"},
    "shape": {1: "size"},
    "size": {},
    "entry": {},
}
"""Fields that are messages themselves."""
DATA: dict[str, frozenset[int]] = {
    "model": frozenset({2, 3, 4, 6}),
    "graph": frozenset({2, 10}),
    "node": frozenset({1, 2, 3, 4, 6, 7, 8}),
    "attribute": frozenset({1, 4, 7, 8, 9, 13, 21}),
    "tensor": frozenset({1, *range(4, 13)}),
    "value": frozenset({1, 3}),
    "type": frozenset({6}),
    "size": frozenset({2, 3}),
    "entry": frozenset({1, 2}),
}
"""Fields that are text or packed numbers."""


def check_parts(data: memoryview) -> None:
    """Check that a file has no more parts than a generator can need.

    Raises:
        CheckpointError: It has, or it is cut short.
    """
    _Walk(data).message("model", 0, len(data), 0)


class _Walk:
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._parts = 0
        self._others = 0

    def message(self, kind: str, at: int, end: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise CheckpointError("nests graphs in graphs too deeply")
        messages, data = MESSAGES[kind], DATA.get(kind, frozenset())
        while at < end:
            key, at = self._number(at, end)
            field, form = key >> 3, key & 7
            self._count()
            if form == 0:
                _, at = self._number(at, end)
                continue
            length = {1: 8, 5: 4}.get(form)
            if length is None:
                if form != 2:
                    raise CheckpointError("is not a complete ONNX model: its encoding is broken")
                length, at = self._number(at, end)
            if length > end - at:
                raise CheckpointError("is not a complete ONNX model: it is cut short")
            if form == 2:
                self._ignore(0 if field in messages or field in data else length)
                if field in messages:
                    self.message(messages[field], at, at + length, depth + 1)
            at += length

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise CheckpointError(f"has more than {MAX_PARTS} parts")

    def _ignore(self, unknown: int) -> None:
        self._others += unknown
        if self._others > OTHER_BYTES:
            raise CheckpointError("holds parts that no generator needs: functions, training, sparse weights or notes")

    def _number(self, at: int, end: int) -> tuple[int, int]:
        """A number of variable length, and where it ends."""
        value = shift = 0
        while at < end and shift < 70:
            byte = self._data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
        raise CheckpointError("is not a complete ONNX model: it is cut short")
