"""PyTorch's own files, zip and legacy, read inertly: the pickle by `_unpickle`, storages as slices of the file."""

from __future__ import annotations

import struct
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.importers.inert.globals import STORAGE_KINDS, InertWorld
from ganexport.importers.inert.stubs import Audit, Global, Storage, shown
from ganexport.importers.inert.unpickle import Budget, Unpickler
from ganexport.importers.inert.zip import Member, read_member

__all__ = ["LEGACY_START", "load_pickle", "load_torch_legacy", "load_torch_zip"]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
MAX_KEYS = 200_000


def load_pickle(data: memoryview, audit: Audit, budget: Budget, *, lenient: bool = False) -> Any:
    """The object of a bare pickle; torch files within it are read, one level deep."""

    def nested(inner: memoryview) -> Any:
        return load_torch_legacy(inner, audit, budget, lenient=lenient)

    unpickler = Unpickler(data, InertWorld(audit, budget, nested, lenient=lenient), budget)
    root = unpickler.load()
    if unpickler.position != len(data):
        audit.ignore("bytes after the end of the pickle")
    return root


def load_torch_zip(
    data: memoryview, members: dict[str, Member], table: str, audit: Audit, budget: Budget, *, lenient: bool = False
) -> Any:
    """What `torch.save` was given.

    Args:
        data: The whole file.
        members: Of its archive.
        table: Name of the member `NAME/data.pkl`.
        audit: Notes what was met.
        budget: What the file may still spend.
        lenient: Whether unknown names are noted instead of refused.
    """
    folder = table.removesuffix("data.pkl")
    order = bytes(read_member(data, members[f"{folder}byteorder"])[:16]) if f"{folder}byteorder" in members else b""
    if order not in (b"", b"little", b"big"):
        raise CheckpointError(f"the torch file has an unknown byte order {shown(repr(order))}")
    storages: dict[tuple[str, str], Storage] = {}
    unpacked: dict[str, memoryview] = {}

    def storage_of(pid: tuple[Any, ...]) -> Storage:
        kind, key, numel = _storage_facts(pid)
        found = storages.get((key, kind))
        if found is None:
            member = members.get(f"{folder}data/{key}")
            if member is None:
                raise CheckpointError(f"the torch file has no storage {shown(key)}")
            found = Storage(kind, numel, None, order == b"big")
            if member.size != numel * found.itemsize:
                raise CheckpointError(
                    f"the torch file declares {numel} numbers ({kind}) in storage {shown(key)} of {member.size} bytes"
                )
            if key not in unpacked:
                unpacked[key] = read_member(data, member)
            found.attach(unpacked[key])
            storages[key, kind] = found
        elif found.numel != numel:
            raise CheckpointError(f"the torch file gives storage {shown(key)} two sizes")
        return found

    world = InertWorld(audit, budget, storage_of=storage_of, lenient=lenient)
    return Unpickler(read_member(data, members[table]), world, budget).load()


def load_torch_legacy(data: memoryview, audit: Audit, budget: Budget, *, lenient: bool = False) -> Any:
    """What `torch.save` was given before PyTorch 1.6: five pickles, then each storage's count and numbers."""
    storages: dict[str, Storage] = {}
    views: list[tuple[Storage, Storage, int]] = []

    def storage_of(pid: tuple[Any, ...]) -> Storage:
        kind, key, numel = _storage_facts(pid)
        found = storages.setdefault(key, Storage(kind, numel))
        if (found.kind, found.numel) != (kind, numel):
            raise CheckpointError(f"the torch file describes storage {shown(key)} in two ways")
        view = pid[5] if len(pid) == 6 else None
        if view is None:
            return found
        _view_key, offset, size = view
        if type(offset) is not int or type(size) is not int or not 0 <= offset <= offset + size <= numel:
            raise CheckpointError(f"the torch file has a view outside storage {shown(key)}")
        part = Storage(kind, size)
        views.append((part, found, offset))
        return part

    world = InertWorld(audit, budget, storage_of=storage_of, lenient=lenient)
    position, read = 0, []
    for _ in range(5):
        unpickler = Unpickler(data, world, budget, position)
        read.append(unpickler.load())
        position = unpickler.position
    magic, protocol, system, root, keys = read
    if magic != LEGACY_MAGIC or protocol != LEGACY_PROTOCOL or not isinstance(system, dict):
        raise CheckpointError("the torch file does not begin as legacy torch files do")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("the torch file has no list of storages")
    order = "<" if system.get("little_endian", True) else ">"
    _attach(data, position, order, keys, storages)
    for part, whole, offset in views:
        part.big_endian = whole.big_endian
        assert whole.data is not None
        part.attach(whole.data[offset * whole.itemsize : (offset + part.numel) * whole.itemsize])
    return root


def _attach(data: memoryview, position: int, order: str, keys: list[str], storages: dict[str, Storage]) -> None:
    """Give each storage its bytes; each begins with its count, which is in the file's byte order too."""
    if sorted(set(keys)) != sorted(keys) or set(keys) != set(storages):
        raise CheckpointError("the torch file lists other storages than its tensors use")
    for key in keys:
        storage = storages[key]
        if len(data) - position < 8:
            raise CheckpointError("the torch file is cut short: storages are missing")
        (numel,) = struct.unpack_from(f"{order}q", data, position)
        position += 8
        length = storage.numel * storage.itemsize
        if numel != storage.numel or length > len(data) - position:
            raise CheckpointError(f"the torch file is cut short or damaged at storage {shown(key)}")
        storage.big_endian = order == ">"
        storage.attach(data[position : position + length])
        position += length


def _storage_facts(pid: tuple[Any, ...]) -> tuple[str, str, int]:
    """Kind, key and count of a storage's persistent id."""
    _, storage_type, key, _location, numel = pid[:5]
    if not isinstance(storage_type, Global) or storage_type.name not in STORAGE_KINDS:
        raise CheckpointError("the torch file has a tensor storage of an unknown type")
    if not isinstance(key, str) or type(numel) is not int or not 0 <= numel < 1 << 48:
        raise CheckpointError("the torch file has a tensor storage without a key or a size")
    return STORAGE_KINDS[storage_type.name], key, numel
