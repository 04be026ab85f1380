"""Files made to harm, and files that are broken: the bytes of each kind, by what is wrong with it."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle  # writes what the reader under test must read without it
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from support.nvidia_writer import legacy_storage, write_pickle
from support.torch_writer import Named, Object, Saved, StorageId, call, dumps, rebuild_call

CANARY = "canary"


def touch(canary: Path) -> str:
    return f"{sys.executable} -c \"open('{canary}', 'w')\" || touch '{canary}'"


class Runs:
    """Pickles to a call of what it is given."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.args


def g(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def torch_zip(root: Any, **options: Any) -> bytes:
    return Saved().zip_file(root, **options)


def raw_zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def good_zip() -> bytes:
    saved = Saved()
    return saved.zip_file({"main.0.weight": saved.tensor(np.ones((3, 3, 4, 4), np.float32))})


def storage(numel: int, size: tuple[int, ...], stride: tuple[int, ...] | None = None, offset: int = 0) -> bytes:
    saved = Saved()
    saved.storage(np.ones(4, np.float32))
    pid = StorageId(("storage", Named("torch", "FloatStorage"), "0", "cpu", numel))
    return saved.zip_file({"a": rebuild_call(pid, offset, size, stride)})


def patched_flags(bit: int) -> bytes:
    data = bytearray(good_zip())
    place = data.find(b"PK\x01\x02")
    data[place + 8] |= bit
    return bytes(data)


def linked() -> bytes:
    info = zipfile.ZipInfo("archive/data.pkl")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return file.getvalue()


def duplicated() -> bytes:
    return raw_zip(("archive/data.pkl", dumps({})), ("archive/data_pkl", dumps({1: 2}))).replace(
        b"data_pkl", b"data.pkl"
    )


def overlapping() -> bytes:
    """Quoted members: two entries of the directory point to one and the same bytes."""
    data = raw_zip(("archive/data.pkl", b"N." + bytes(10_000)))
    place, end = data.find(b"PK\x01\x02"), data.find(b"PK\x05\x06")
    entry = data[place:end]
    other = entry.replace(b"archive/data.pkl", b"archive/data.pk_")
    local = data[:place].replace(b"archive/data.pkl", b"archive/data.pk_")
    second = bytearray(other)
    second[42:46] = struct.pack("<L", 0)
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHL", 2, 2, 2 * len(entry))
    return local + entry + bytes(second) + bytes(tail)


def safetensors(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def nested_module(depth: int) -> Any:
    module: Any = Object(Named("torch.nn.modules.container", "Sequential"), {"_modules": {}})
    for _ in range(depth):
        module = Object(Named("torch.nn.modules.container", "Sequential"), {"_modules": {"0": module}})
    return module


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("../../outside")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


def repeated(setup: bytes, call_: bytes, times: int) -> bytes:
    return b"\x80\x02" + setup + b"(" + call_ * times + b"l."


def text(length: int) -> bytes:
    return b"X" + struct.pack("<I", length) + b"a" * length


def npy(shape: str, descr: str = "'<f4'", body: bytes = bytes(16)) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return raw_zip(("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body))


def seen_through(*shapes: tuple[int, ...]) -> bytes:
    """A torch file of four numbers, with tensors of any shape that see them again and again."""
    saved = Saved()
    four = saved.storage(np.ones(4, np.float32))
    return saved.zip_file({f"main.{i}.weight": rebuild_call(four, 0, s, (0,) * len(s)) for i, s in enumerate(shapes)})


def same_tensor(names: Iterable[str]) -> bytes:
    saved = Saved()
    tensor = saved.tensor(np.ones(4, np.float32))
    return saved.zip_file(dict.fromkeys(names, tensor))


def nvidia_module(name: str) -> bytes:
    meta = {"class_name": "Discriminator", "state": {"_modules": {}, "_parameters": {}, "_buffers": {}}}
    return dumps({name: call("torch_utils.persistence", "_reconstruct_persistent_obj", (meta,))})


P = pickle.dumps
LONG_LIST = b"]q\x00(" + b"N" * 2000 + b"e0"
PAIRS = b"K\x01K\x02\x86q\x020]q\x00(" + b"h\x02" * 2000 + b"e0"
NUMBERS = b"}q\x00(" + b"".join(b"M" + struct.pack("<H", i) + b"N" for i in range(2000)) + b"u0"
FILLED = (
    g("numpy.core.multiarray", "_reconstruct") + b"q\x010" + g("numpy", "dtype") + b"(X\x02\x00\x00\x00u1tRq\x020"
) + (b"(K\x01J" + struct.pack("<I", 1 << 16) + b"\x85h\x02\x89h\x00tq\x030")
OWN_MODULE = b"(imodels\nGenerator\n}V_modules\n}sb"
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
LAUGHS = b"\x80\x04]\x94" + b"".join(b"]\x94(" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(60)) + b"."
TUPLES = b"\x80\x04N\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(60))

KINDS: dict[str, Callable[[Path], bytes]] = {
    "os.system": lambda c: P(Runs(os.system, touch(c))),
    "os.system, protocol 0": lambda c: P(Runs(os.system, touch(c)), 0),
    "subprocess": lambda c: P(Runs(subprocess.call, ["touch", str(c)])),
    "eval": lambda c: P(Runs(eval, f"open({str(c)!r}, 'w')")),
    "exec": lambda c: P(Runs(exec, f"open({str(c)!r}, 'w')")),
    "open": lambda c: P(Runs(open, str(c), "w")),
    "pathlib write": lambda c: P(Runs(Path.write_text, c, "x")),
    "getattr chain": lambda c: b"".join([g("builtins", "getattr"), b"(", g("os", "path"), b"Vos\ntR."]),
    "dotted name": lambda c: b"\x80\x04\x8c\x08torch.nn\x8c\x1fmodules.container.os.system\x00\x00\x00\x93.",
    "name under an allowed prefix": lambda c: g("torch.nn.modules.container", "Sequential.forward") + b"(tR.",
    "class called": lambda c: g("torch.nn.modules.container", "Sequential") + b"(tR.",
    "__main__ function called": lambda c: g("__main__", "run") + b"(tR.",
    "own class called": lambda c: g("models", "Generator") + b"(tR.",
    "own class with arguments": lambda c: b"(Vx\nimodels\nGenerator\n}V_modules\n}sb.",
    "own class that is no module": lambda c: torch_zip({"cfg": Object(Named("config", "Config"), {"a": 1})}),
    "own class without a state": lambda c: b"(imodels\nGenerator\n.",
    "own class, one no module": lambda c: b"(" + OWN_MODULE + b"(imodels\nGenerator\n}Vx\nI1\nsbl.",
    "own class that is only named": lambda c: g("models", "Generator") + b".",
    "own function as a factory": lambda c: g("collections", "defaultdict") + b"(" + g("models", "make") + b"tR.",
    "library's class as one's own": lambda c: OWN_MODULE.replace(b"models\nGenerator", b"os\nsystem") + b".",
    "importlib": lambda c: g("importlib", "import_module") + b"(Vos\ntR.",
    "runpy": lambda c: g("runpy", "run_path") + f"(V{c}\ntR.".encode(),
    "partial": lambda c: g("functools", "partial") + b"(" + g("os", "system") + b"Vtrue\ntR.",
    "torch.load": lambda c: g("torch", "load") + b"(Vx\ntR.",
    "numpy object array": lambda c: P(np.array([Runs(os.system, touch(c))], dtype=object)),
    "numpy dtype with objects": lambda c: P(np.zeros(2, dtype="V8")),
    "inst": lambda c: b"(Vtrue\nios\nsystem\n.",
    "obj": lambda c: b"(" + g("os", "system") + b"Vtrue\no.",
    "copyreg extension": lambda c: b"\x80\x02\x82\x01.",
    "copyreg add_extension": lambda c: g("copyreg", "add_extension") + b"(Vos\nVsystem\nK\x01tR.",
    "copyreg reconstructor": lambda c: g("copyreg", "_reconstructor") + b"(" + g("os", "system") + b"NNtR.",
    "build into a global": lambda c: g("collections", "OrderedDict") + b"}Vx\nNsb.",
    "call of a number": lambda c: b"\x80\x04K\x01)R.",
    "persistent id in a pickle": lambda c: b"\x80\x02Vx\nQ.",
    "persistent id as text": lambda c: b"\x80\x02Pstorage\n.",
    "persistent id of another kind": lambda c: torch_zip({"a": StorageId(("module", "os", "system"))}),
    "persistent id to a file": lambda c: torch_zip(
        {"a": StorageId(("storage", Named("torch", "FloatStorage"), "../../../etc/passwd", "cpu", 4))}
    ),
    "persistent id with a nasty type": lambda c: torch_zip({"a": StorageId(("storage", "os", "0", "cpu", 4))}),
    "reduce in a torch zip": lambda c: torch_zip({"a": call("os", "system", (touch(c),))}),
    "reduce in a nested torch file": lambda c: write_pickle(
        {
            "G_ema": call(
                "torch.storage", "_load_from_bytes", (legacy_storage(np.ones(3))[:-20] + P(Runs(os.system, touch(c))),)
            )
        }
    ),
    "reduce as a nested torch file": lambda c: write_pickle(
        {"G_ema": call("torch.storage", "_load_from_bytes", (P(Runs(os.system, touch(c))),))}
    ),
    "torch files nested without end": lambda c: write_pickle(
        call(
            "torch.storage",
            "_load_from_bytes",
            (Saved().legacy_file(call("torch.storage", "_load_from_bytes", (b"x",))),),
        )
    ),
    "rebuild from a foreign type": lambda c: torch_zip(
        {"a": call("torch._tensor", "_rebuild_from_type_v2", (Named("os", "system"), None, (touch(c),), None))}
    ),
    "deep lists": lambda c: b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "deep tuples": lambda c: b"\x80\x04N" + b"\x85" * 300_000 + b".",
    "deep marks": lambda c: b"\x80\x04" + b"(" * 2_000_000 + b".",
    "deep modules": lambda c: torch_zip(nested_module(60)),
    "memo of a billion laughs": lambda c: LAUGHS,
    "tuples of tuples as a key": lambda c: TUPLES + b"}" + b"h" + bytes([60]) + b"Ns.",
    "memo index without end": lambda c: (
        b"\x80\x04" + b"".join(b"Nr" + struct.pack("<I", 2**32 - 1 - i) + b"0" for i in range(600_000)) + b"N."
    ),
    "sets without end": lambda c: b"\x80\x04" + b"\x8f" * 1_000_000 + b".",
    "opcodes without end": lambda c: b"\x80\x04" + b"N0" * 2_000_000 + b"N.",
    "text of 2^63 bytes": lambda c: b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"abc.",
    "bytes of 4 GiB": lambda c: b"\x80\x04B" + struct.pack("<I", 2**32 - 1) + b"abc.",
    "frame of 2^60 bytes": lambda c: b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
    "number of a million digits": lambda c: b"L" + b"9" * 1_000_000 + b"L\n.",
    "number of two gigabytes": lambda c: b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
    "encode again and again": lambda c: (
        b"\x80\x02X"
        + struct.pack("<I", 1 << 20)
        + b"a" * (1 << 20)
        + b"q\x000("
        + (g("_codecs", "encode") + b"h\x00Vlatin1\n\x86R") * 2000
        + b"l."
    ),
    "text as an array again and again": lambda c: repeated(text(1 << 16) + b"q\x000" + FILLED, b"h\x01)Rh\x03b", 500),
    "call with many arguments": lambda c: repeated(
        b"(" + b"N" * 2000 + b"tq\x000" + g("torch", "device") + b"q\x010", b"h\x01h\x00R", 500
    ),
    "size of many axes": lambda c: repeated(LONG_LIST + g("torch", "Size") + b"q\x010", b"h\x01h\x00\x85R", 500),
    "dict of one pair again and again": lambda c: repeated(
        PAIRS + g("collections", "OrderedDict") + b"q\x010", b"h\x01h\x00\x85R0", 5000
    ),
    "dict made anew again and again": lambda c: repeated(
        NUMBERS
        + (g("copyreg", "_reconstructor") + b"q\x010" + g("collections", "OrderedDict") + b"q\x020")
        + (g("builtins", "object") + b"q\x030"),
        b"h\x01(h\x02h\x03h\x00tR",
        500,
    ),
    "names without end": lambda c: b"\x80\x02" + b"".join(b"ca\nb%x\n0" % i for i in range(100_000)) + b"N.",
    "numbers seen without end": lambda c: seen_through(*[(1024, 1024, 1, 1)] * 150),
    "network of a gigabyte a layer": lambda c: seen_through((100, 256, 4, 4), *[(256, 256, 4, 4)] * 8, (256, 3, 4, 4)),
    "networks without end": lambda c: same_tensor(f"{i}.input.input" for i in range(20_000)),
    "control characters in a network's name": lambda c: nvidia_module("G\x1b[2J\nerror: fine"),
    "control characters in a damaged member": lambda c: raw_zip(
        ("\x1b[2J.npy", bytes(1000)), method=zipfile.ZIP_DEFLATED
    ).replace(struct.pack("<L", 1000), struct.pack("<L", 999)),
    "no stop": lambda c: b"\x80\x04N",
    "protocol 6": lambda c: b"\x80\x06N.",
    "out-of-band buffer": lambda c: b"\x80\x05\x97.",
    "empty stack": lambda c: b"\x80\x04.",
    "huge declared tensor": lambda c: storage(2**40, (2**40,)),
    "huge declared size": lambda c: storage(4, (2**20, 2**20)),
    "stride 0 without end": lambda c: storage(4, (2**20, 2**20), (0, 0)),
    "stride past the end": lambda c: storage(4, (2, 2), (3, 1)),
    "negative stride": lambda c: storage(4, (2,), (-1,)),
    "negative offset": lambda c: storage(4, (2,), (1,), -1),
    "offset past the end": lambda c: storage(4, (2,), (1,), 3),
    "many axes": lambda c: storage(4, (1,) * 4000),
    "storage of another size": lambda c: storage(3, (2,)),
    "zip bomb": lambda c: raw_zip(("archive/data.pkl", bytes(200 << 20)), method=zipfile.ZIP_DEFLATED),
    "zip of overlapping members": lambda c: overlapping(),
    "zip member outside": lambda c: torch_zip({}, extra={"../../evil": b"x"}),
    "zip member at the root": lambda c: torch_zip({}, extra={"/tmp/evil": b"x"}),
    "zip with duplicates": lambda c: duplicated(),
    "zip, encrypted": lambda c: patched_flags(1),
    "zip with a link": lambda c: linked(),
    "zip packed strangely": lambda c: raw_zip(("archive/data.pkl", dumps({})), method=zipfile.ZIP_LZMA),
    "zip without its end": lambda c: good_zip()[:-30],
    "zip of other things": lambda c: raw_zip(("readme.txt", b"hello")),
    "zip with two models": lambda c: raw_zip(("a/data.pkl", dumps({})), ("b/data.pkl", dumps({}))),
    "TorchScript": lambda c: raw_zip(
        ("m/data.pkl", dumps({})), ("m/code/__torch__.py", b"x"), ("m/constants.pkl", b"N.")
    ),
    "npz with objects": lambda c: raw_zip(("a.npy", _npy_with_objects(c))),
    "npz that is cut short": lambda c: raw_zip(
        ("a.npy", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, ")
    ),
    "npz of negative size": lambda c: npy("(-2, -2)"),
    "npz of no size and a negative one": lambda c: npy("(0, -5)", body=b""),
    "npz of many axes": lambda c: npy("(" + "1," * 100 + ")", body=bytes(4)),
    "npz whose header has no end": lambda c: npy("((", body=bytes(4)),
    "safetensors of many axes": lambda c: safetensors({"a": {**TENSOR, "shape": [9] * 90_000}}, bytes(8)),
    "safetensors that overlap": lambda c: safetensors({"a": TENSOR, "b": TENSOR}, bytes(8)),
    "safetensors with a long header": lambda c: safetensors(b'{"a":[' + b"{}," * 3_000_000 + b"{}]}"),
    "safetensors with a huge header": lambda c: struct.pack("<Q", 2**31) + b"{" + bytes(100),
    "safetensors, nested deeply": lambda c: safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "safetensors past its end": lambda c: safetensors({"a": {**TENSOR, "data_offsets": [0, 2**40]}}, bytes(8)),
    "safetensors of another size": lambda c: safetensors({"a": {**TENSOR, "shape": [2**40]}}, bytes(8)),
    "safetensors with duplicates": lambda c: safetensors(b'{"a": 1, "a": 2}'),
    "safetensors, no object": lambda c: safetensors(b'{"a": 5}'),
    "HTML": lambda c: b"\n<!DOCTYPE html><html><body>404</body></html>",
    "Git-LFS pointer": lambda c: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    "gzip": lambda c: gzip.compress(P({})),
    "tar": lambda c: tarred(),
    "HDF5": lambda c: b"\x89HDF\r\n\x1a\n" + bytes(100),
    "picture": lambda c: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "JSON": lambda c: b'{"message": "not found"}' + b" " * 20,
    "script": lambda c: f"#!/bin/sh\ntouch '{c}'\n".encode(),
    "empty": lambda c: b"",
    "zeros": lambda c: bytes(10_000),
    "noise": lambda c: np.random.RandomState(0).bytes(10_000),
}


def _npy_with_objects(canary: Path) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Runs(os.system, touch(canary))], dtype=object), allow_pickle=True)
    return file.getvalue()
