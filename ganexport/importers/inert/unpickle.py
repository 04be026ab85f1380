"""An inert reader of pickles, protocols 0 to 5: it builds data and stand-ins, and imports and calls nothing.

A pickle is a program for a small stack machine. Here the machine is our own, and the opcodes that would run foreign
code ask a `World` instead, which knows a closed list of names. Everything is bounded: opcodes, containers, memo and
number lengths are counted, bytes are only ever slices of what is there, and keys are of kinds whose hash is cheap.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import Global, Stub, Tensor, shown

__all__ = ["Budget", "Unpickler", "World"]

MAX_NUMBER_BYTES = 512
LINE, WINDOW = 256, 1 << 16
"""Lines end within 256 bytes, mostly; bytes in protocol 0 are lines of any length, searched by the window."""
SMALL = 4096
"""Bytes up to this length are copied; longer ones stay slices of the file."""


@dataclass
class Budget:
    """What one file may still spend, its nested pickles included."""

    opcodes: int = 3_000_000
    containers: int = 500_000
    memo: int = 500_000
    numbers: int = 16 << 20  # in all tensors and arrays together; more for a larger file
    copied: int = 0
    """Bytes that conversions may make; set from the file's size."""

    def spend(self, what: str, amount: int = 1) -> None:
        """Take from one of the counters.

        Raises:
            CheckpointError: Nothing is left of it.
        """
        left = getattr(self, what) - amount
        if left < 0:
            raise CheckpointError(f"the pickle is larger than any real checkpoint: too many {what}")
        setattr(self, what, left)


class World(Protocol):
    """What stands outside the pickle: the list of known names and their inert stand-ins."""

    def find(self, module: str, name: str) -> Global:
        """The stand-in of a global."""

    def call(self, callee: Global, args: tuple[Any, ...]) -> Any:
        """What a known function would make of its arguments, as data."""

    def new(self, callee: Global, args: tuple[Any, ...]) -> Any:
        """An inert object of a known class."""

    def build(self, target: Any, state: Any) -> None:
        """Give an inert object its state."""

    def persistent(self, pid: Any) -> Any:
        """What a persistent id stands for."""

    def finish(self) -> None:
        """Look at everything once more, now that it is complete."""


class _Mark:
    """The place of a MARK on the stack."""


MARK = _Mark()


class Unpickler:
    """Reads one pickle that begins at `position`; afterwards `position` is behind its STOP."""

    def __init__(self, data: memoryview, world: World, budget: Budget, position: int = 0) -> None:
        self.data, self.world, self.budget, self.position = data, world, budget, position
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The object, made of plain data and stand-ins.

        Raises:
            CheckpointError: The pickle is damaged, too large, or names a global that is not known.
        """
        try:
            root = self._run()
            self.world.finish()
            return root
        except CheckpointError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError):
            raise CheckpointError(f"the pickle is damaged near byte {self.position}") from None
        except (struct.error, DeprecationWarning):
            raise CheckpointError(f"the pickle is damaged near byte {self.position}") from None

    def _run(self) -> Any:
        opcodes, data, size = self.OPCODES, self.data, len(self.data)
        allowed = self.budget.opcodes
        count = 0
        try:
            while True:
                if self.position >= size:
                    raise CheckpointError("the pickle is cut short: it has no end")
                code = data[self.position]
                self.position += 1
                count += 1
                if count > allowed:
                    self.budget.spend("opcodes", count)
                if code == 0x2E:  # STOP
                    return self._pop()
                step = opcodes.get(code)
                if step is None:
                    raise CheckpointError(
                        f"byte {self.position - 1} is no opcode of a pickle that a checkpoint needs ({code:#04x})"
                    )
                step(self)
        finally:
            self.budget.opcodes = max(0, allowed - count)

    # -- the bytes -----------------------------------------------------------------------------------------------

    def _take(self, length: int) -> memoryview:
        """The next `length` bytes, as a slice."""
        if length < 0 or length > len(self.data) - self.position:
            raise CheckpointError(f"the pickle is cut short: {length} bytes are announced at byte {self.position}")
        start, self.position = self.position, self.position + length
        return self.data[start : self.position]

    def _number(self, format_: str) -> int:
        (number,) = struct.unpack(format_, self._take(struct.calcsize(format_)))
        return int(number)

    def _line(self) -> bytes:
        start, place, window = self.position, self.position, LINE
        while place < len(self.data):
            found = bytes(self.data[place : place + window]).find(b"\n")
            if found >= 0:
                self.position = place + found + 1
                return bytes(self.data[start : place + found])
            place, window = place + window, WINDOW
        raise CheckpointError(f"the pickle is damaged: the line at byte {start} has no end")

    # -- the stack -----------------------------------------------------------------------------------------------

    def _pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise CheckpointError(f"the pickle is damaged: nothing to take at byte {self.position}")
        return self.stack.pop()

    def _top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise CheckpointError(f"the pickle is damaged: nothing to fill at byte {self.position}")
        return self.stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while place >= 0 and self.stack[place] is not MARK:
            place -= 1
        if place < 0:
            raise CheckpointError(f"the pickle is damaged: no mark before byte {self.position}")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def _drop(self) -> None:
        self.stack.pop()

    def _drop_to_mark(self) -> None:
        self._pop_to_mark()

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    def _push_container(self, value: Any) -> None:
        self.budget.spend("containers")
        self.stack.append(value)

    def _remember(self, index: int) -> None:
        if index not in self.memo:
            self.budget.spend("memo")
        self.memo[index] = self._top()

    def _recall(self, index: int) -> None:
        self.stack.append(self.memo[index])

    # -- opcodes with more than a line ---------------------------------------------------------------------------

    def _proto(self) -> None:
        version = self._number("<B")
        if version > 5:
            raise CheckpointError(f"the pickle has protocol {version}; known are 0 to 5")

    def _frame(self) -> None:
        length = self._number("<Q")
        if length > len(self.data) - self.position:
            raise CheckpointError(f"the pickle is cut short: a frame of {length} bytes at byte {self.position}")

    def _int_line(self) -> None:
        line = self._line()
        self._push({b"00": False, b"01": True}.get(line) if line in (b"00", b"01") else self._digits(line))

    def _digits(self, line: bytes) -> int:
        if len(line) > MAX_NUMBER_BYTES:
            raise CheckpointError(f"a number of {len(line)} digits at byte {self.position}")
        return int(line.rstrip(b"L"))

    def _long(self, length: int) -> None:
        if length > MAX_NUMBER_BYTES:
            raise CheckpointError(f"a number of {length} bytes at byte {self.position}")
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _bytes(self, length: int) -> None:
        data = self._take(length)
        self._push(bytes(data) if length <= SMALL else data)

    def _text(self, length: int) -> None:
        self._push(str(self._take(length), "utf-8", "surrogatepass"))

    def _old_text(self, length: int) -> None:
        # A `str` of Python 2: latin-1 keeps both its readings, text and bytes.
        self._push(str(self._take(length), "latin-1"))

    def _quoted(self) -> None:
        line = self._line()
        if len(line) < 2 or line[:1] not in (b'"', b"'") or line[-1:] != line[:1]:
            raise CheckpointError(f"the pickle is damaged: a string without quotes at byte {self.position}")
        self._push(line[1:-1].decode("unicode_escape"))

    def _set_items(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, dict) or len(items) % 2:
            raise CheckpointError(f"the pickle is damaged: items of no dict at byte {self.position}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise CheckpointError(f"the pickle is damaged: items of no list at byte {self.position}")
        target.extend(items)

    def _add(self) -> None:
        items, target = self._pop_to_mark(), self._top()
        if not isinstance(target, set):
            raise CheckpointError(f"the pickle is damaged: items of no set at byte {self.position}")
        target.update(_key(item) for item in items)

    def _dict(self) -> None:
        items: list[Any] = self._pop_to_mark()
        made: dict[Any, Any] = {}
        self._set_items(made, items)
        self._push_container(made)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items(self._top(), [key, value])

    def _set_many(self) -> None:
        items = self._pop_to_mark()
        self._set_items(self._top(), items)

    def _append_one(self) -> None:
        item = self._pop()
        self._append([item])

    def _tuple(self, length: int) -> None:
        items = [self._pop() for _ in range(length)]
        self._push_container(tuple(reversed(items)))

    def _find(self, module: Any, name: Any) -> Global:
        if type(module) is not str or type(name) is not str:
            raise CheckpointError("a global whose name is no text")
        return self.world.find(module, name)

    def _global_line(self) -> Global:
        module, name = self._line().decode(), self._line().decode()
        return self._find(module, name)

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push(self._find(module, name))

    def _reduce(self) -> None:
        args, callee = self._pop(), self._pop()
        self._push_container(self.world.call(*_callable(callee, args)))

    def _new(self) -> None:
        args, callee = self._pop(), self._pop()
        self._push_container(self.world.new(*_callable(callee, args)))

    def _new_ex(self) -> None:
        keywords, args, callee = self._pop(), self._pop(), self._pop()
        if keywords != {}:
            raise CheckpointError(f"an object made with keywords at byte {self.position}")
        self._push_container(self.world.new(*_callable(callee, args)))

    def _inst(self) -> None:
        callee = self._global_line()
        self._push_container(self.world.new(callee, tuple(self._pop_to_mark())))

    def _obj(self) -> None:
        callee, *args = self._pop_to_mark()
        self._push_container(self.world.new(*_callable(callee, tuple(args))))

    def _build(self) -> None:
        state = self._pop()
        self.world.build(self._top(), state)

    OPCODES: ClassVar[dict[int, Callable[[Unpickler], None]]] = {
        ord("("): lambda u: u._push(MARK),
        ord("0"): lambda u: u._drop(),
        ord("1"): lambda u: u._drop_to_mark(),
        ord("2"): lambda u: u._push(u._top()),
        ord("F"): lambda u: u._push(float(u._line())),
        ord("I"): _int_line,
        ord("J"): lambda u: u._push(u._number("<i")),
        ord("K"): lambda u: u._push(u._number("<B")),
        ord("M"): lambda u: u._push(u._number("<H")),
        ord("L"): lambda u: u._push(u._digits(u._line())),
        0x8A: lambda u: u._long(u._number("<B")),
        0x8B: lambda u: u._long(u._number("<I")),
        ord("N"): lambda u: u._push(None),
        0x88: lambda u: u._push(True),
        0x89: lambda u: u._push(False),
        ord("G"): lambda u: u._push(struct.unpack(">d", u._take(8))[0]),
        ord("S"): _quoted,
        ord("T"): lambda u: u._old_text(u._number("<I")),
        ord("U"): lambda u: u._old_text(u._number("<B")),
        ord("B"): lambda u: u._bytes(u._number("<I")),
        ord("C"): lambda u: u._bytes(u._number("<B")),
        0x8E: lambda u: u._bytes(u._number("<Q")),
        0x96: lambda u: u._bytes(u._number("<Q")),
        ord("V"): lambda u: u._push(u._line().decode("raw_unicode_escape")),
        ord("X"): lambda u: u._text(u._number("<I")),
        0x8C: lambda u: u._text(u._number("<B")),
        0x8D: lambda u: u._text(u._number("<Q")),
        ord("}"): lambda u: u._push_container({}),
        ord("]"): lambda u: u._push_container([]),
        0x8F: lambda u: u._push_container(set()),
        ord(")"): lambda u: u._push(()),
        ord("d"): _dict,
        ord("l"): lambda u: u._push_container(u._pop_to_mark()),
        ord("t"): lambda u: u._push_container(tuple(u._pop_to_mark())),
        0x91: lambda u: u._push_container(frozenset(_key(item) for item in u._pop_to_mark())),
        0x85: lambda u: u._tuple(1),
        0x86: lambda u: u._tuple(2),
        0x87: lambda u: u._tuple(3),
        ord("a"): _append_one,
        ord("e"): lambda u: u._append(u._pop_to_mark()),
        ord("s"): _set_item,
        ord("u"): _set_many,
        0x90: _add,
        ord("g"): lambda u: u._recall(u._digits(u._line())),
        ord("h"): lambda u: u._recall(u._number("<B")),
        ord("j"): lambda u: u._recall(u._number("<I")),
        ord("p"): lambda u: u._remember(u._digits(u._line())),
        ord("q"): lambda u: u._remember(u._number("<B")),
        ord("r"): lambda u: u._remember(u._number("<I")),
        0x94: lambda u: u._remember(len(u.memo)),
        ord("c"): lambda u: u._push(u._global_line()),
        0x93: _stack_global,
        ord("R"): _reduce,
        0x81: _new,
        0x92: _new_ex,
        ord("i"): _inst,
        ord("o"): _obj,
        ord("b"): _build,
        ord("P"): lambda u: u._push(u.world.persistent(u._line().decode())),
        ord("Q"): lambda u: u._push(u.world.persistent(u._pop())),
        0x80: _proto,
        0x95: _frame,
    }


def _callable(callee: Any, args: Any) -> tuple[Global, tuple[Any, ...]]:
    if not isinstance(callee, Global):
        raise CheckpointError(f"the pickle calls something that is no known name: {shown(type(callee).__name__)}")
    if type(args) is not tuple:
        raise CheckpointError(f"the pickle calls {callee.name} without a tuple of arguments")
    return callee, args


def _key(value: Any) -> Any:
    """A dict key or set item: of a kind whose hash neither recurses nor can be made to collide."""
    if value is None or isinstance(value, str | bytes | bool | Global | Stub | Tensor):
        return value
    if isinstance(value, int) and abs(value) < 1 << 60:
        return value
    if isinstance(value, float) and abs(value) < 1 << 53:
        return value
    if isinstance(value, tuple) and len(value) <= 8 and not any(isinstance(item, tuple) for item in value):
        return tuple(_key(item) for item in value)
    raise CheckpointError(f"the pickle has a dict key of an unexpected kind: {type(value).__name__}")
