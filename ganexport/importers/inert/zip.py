"""The members of a zip archive as slices of its bytes: nothing is extracted, and every length is checked first."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import shown

__all__ = ["Member", "read_member", "zip_members"]

MAX_MEMBERS = 100_000
MAX_COMMENT = 65_535
END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
EXPANSION = 4
FREE_EXPANSION = 64 << 20
"""Compressed members may come to four times the file's size, or to 64 MiB if that is more, and not beyond."""


@dataclass(frozen=True)
class Member:
    """A file in the archive: how it is stored, and where its bytes lie."""

    name: str
    method: int
    packed: int
    size: int
    start: int


def zip_members(data: memoryview) -> dict[str, Member]:
    """All members by name.

    Raises:
        CheckpointError: The archive is cut short, or has duplicate, encrypted, linked or outside members, or a bomb.
    """
    try:
        count, offset, length = _directory(data)
        members = _central(data, count, offset, length)
    except struct.error:
        raise CheckpointError("the zip archive is cut short: its directory is not complete") from None
    expanded = sum(member.size for member in members.values() if member.method == DEFLATED)
    if expanded > max(FREE_EXPANSION, EXPANSION * len(data)):
        raise CheckpointError(f"a zip bomb: {len(data)} bytes that would become {expanded}")
    return members


def read_member(data: memoryview, member: Member) -> memoryview:
    """The bytes of a member: a slice where it is stored, else unpacked up to its declared size."""
    packed = data[member.start : member.start + member.packed]
    if member.method == STORED:
        return packed
    try:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        unpacked = unpacker.decompress(packed, member.size + 1)
    except zlib.error:
        raise CheckpointError(f"the zip member {shown(member.name)} is damaged") from None
    if len(unpacked) != member.size:
        raise CheckpointError(f"the zip member {shown(member.name)} does not have its declared size")
    return memoryview(unpacked)


def _directory(data: memoryview) -> tuple[int, int, int]:
    """Count of the members, and offset and length of the directory."""
    tail = bytes(data[max(0, len(data) - MAX_COMMENT - END.size) :])
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        raise CheckpointError("the zip archive is cut short: its directory is missing")
    end = len(data) - len(tail) + place
    _, disk, first, _, count, length, offset, _ = END.unpack_from(data, end)
    if disk or first:
        raise CheckpointError("the zip archive is one part of several")
    locator = end - END64_LOCATOR.size
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\x06\x07":
        _, _, at, _ = END64_LOCATOR.unpack_from(data, locator)
        if at > len(data) - END64.size or bytes(data[at : at + 4]) != b"PK\x06\x06":
            raise CheckpointError("the zip archive is damaged: its 64-bit directory is not where it should be")
        *_, count, length, offset = END64.unpack_from(data, at)
    if offset + length > end or count > MAX_MEMBERS or count * CENTRAL.size > length:
        raise CheckpointError(f"the zip archive is damaged: a directory of {count} members in {length} bytes")
    return count, offset, length


def _central(data: memoryview, count: int, offset: int, length: int) -> dict[str, Member]:
    members: dict[str, Member] = {}
    end, total = offset + length, 0
    for _ in range(count):
        fields = CENTRAL.unpack_from(data, offset)
        signature, made_by, flags, method, packed, size = fields[0], fields[1], fields[3], fields[4], *fields[8:10]
        name_length, extra_length, comment_length, attributes, start = *fields[10:13], fields[15], fields[16]
        offset += CENTRAL.size
        after = offset + name_length + extra_length + comment_length
        if signature != b"PK\x01\x02" or after > end:
            raise CheckpointError("the zip archive is damaged: its directory is not one")
        name = bytes(data[offset : offset + name_length]).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        extra = bytes(data[offset + name_length : offset + name_length + extra_length])
        size, packed, start = _wide(extra, size, packed, start)
        offset = after
        _check_name(name, members)
        is_link = made_by >> 8 == 3 and (attributes >> 16) & 0xF000 == 0xA000
        if flags & 0x2041 or is_link or method not in (STORED, DEFLATED):
            what = "is a link" if is_link else "is encrypted" if flags & 0x2041 else f"is packed by method {method}"
            raise CheckpointError(f"the zip member {shown(name)} {what}")
        members[name] = _locate(data, Member(name, method, packed, size, start))
        total += packed
    if total > len(data):
        raise CheckpointError("a zip bomb: its members overlap")
    return members


def _wide(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """Numbers that do not fit in 32 bits, out of the extra field."""
    numbers = [size, packed, start]
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            at = place + 4
            for i, number in enumerate(numbers):
                if number == 0xFFFFFFFF:
                    (numbers[i],) = struct.unpack_from("<Q", extra, at)
                    at += 8
        place += 4 + length
    return numbers[0], numbers[1], numbers[2]


def _check_name(name: str, members: dict[str, Member]) -> None:
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name:
        raise CheckpointError(f"the zip member {shown(name)} points outside the archive")
    if name in members:
        raise CheckpointError(f"the zip archive holds {shown(name)} twice")


def _locate(data: memoryview, member: Member) -> Member:
    """The member with the place of its bytes, which its local header tells."""
    if member.start > len(data) - LOCAL.size:
        raise CheckpointError(f"the zip archive is cut short: {shown(member.name)} lies behind its end")
    fields = LOCAL.unpack_from(data, member.start)
    start = member.start + LOCAL.size + fields[9] + fields[10]
    if fields[0] != b"PK\x03\x04" or fields[3] != member.method or start + member.packed > len(data):
        raise CheckpointError(f"the zip archive is damaged or cut short at {shown(member.name)}")
    name = bytes(data[member.start + LOCAL.size : member.start + LOCAL.size + fields[9]])
    if name.decode("utf-8" if fields[2] & 0x800 else "cp437", "replace") != member.name:
        raise CheckpointError(f"the zip archive names {shown(member.name)} differently in two places")
    if member.method == STORED and member.packed != member.size:
        raise CheckpointError(f"the zip archive is damaged: {shown(member.name)} has two sizes")
    return Member(member.name, member.method, member.packed, member.size, start)
