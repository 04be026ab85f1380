"""Files made to harm, and files that are broken: a typed error of one line, nothing executed, nothing written."""

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
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.generators import random_tensors, stylegan2_spec
from support.nvidia_writer import legacy_storage, stylegan2_generator, write_pickle
from support.torch_writer import Call, Named, Object, Saved, StorageId, call, dumps, rebuild_call

from ganexport.errors import CheckpointError, UserError
from ganexport.generator import load
from ganexport.importers import audit

SECONDS = 10
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


P = pickle.dumps
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_is_refused_and_does_nothing(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    canary = folder / CANARY
    path = folder / "in" / "model.pkl"
    path.write_bytes(KINDS[kind](canary))
    modules = set(sys.modules)
    begun = time.monotonic()
    with pytest.raises(UserError) as caught:
        load(path)
    assert time.monotonic() - begun < SECONDS
    message = str(caught.value)
    assert isinstance(caught.value, CheckpointError)
    assert message.startswith(str(path)) and message.isprintable() and len(message) < 600
    assert not canary.exists()
    assert sorted(p.name for p in folder.rglob("*")) == ["in", "model.pkl"]
    assert not {"runpy", "torch", "functools.partial"} & (set(sys.modules) - modules)


def test_there_are_at_least_thirty_kinds() -> None:
    assert len(KINDS) >= 30


def test_a_refused_name_is_in_the_message_and_in_the_audit(folder: Path) -> None:
    path = folder / "model.pkl"
    path.write_bytes(KINDS["os.system"](folder / CANARY))
    name = f"{os.system.__module__}.system"
    with pytest.raises(CheckpointError, match=name):
        load(path)
    facts = audit(path)
    assert facts["refused"] == {name: 1}
    path.write_bytes(g("builtins", "getattr") + b"(" + g("os", "path") + b"Vos\ntR(tR(tR.")
    facts = audit(path)
    assert facts["refused"] == {"builtins.getattr": 1, "os.path": 1}
    assert "calls something" in facts["problem"]
    assert not (folder / CANARY).exists()


def test_an_own_class_passes_as_a_module_only(folder: Path) -> None:
    path = folder / "model.pkl"
    path.write_bytes(OWN_MODULE + b".")
    assert audit(path)["refused"] == {}
    with pytest.raises(CheckpointError, match=r"holds no generator .* with a Generator"):
        load(path)
    path.write_bytes(KINDS["own class that is no module"](folder / CANARY))
    assert audit(path)["refused"] == {"config.Config": 1}
    with pytest.raises(CheckpointError, match=r"names config\.Config, .*torch\.save\(model\.state_dict\(\), path\)"):
        load(path)


def test_names_cannot_write_to_the_terminal(folder: Path) -> None:
    path = folder / "model.pkl"
    path.write_bytes(b"\x80\x04\x8c\x08\x1b[2Jev\ril\x8c\x03run\x93.")
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_links_pipes_and_devices(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    for path in (folder / "pipe", folder / "dangling", folder / "loop", Path("/dev/zero"), folder / "none"):
        with pytest.raises(CheckpointError):
            load(path)


def test_bad_files_take_little_memory(folder: Path) -> None:
    """All of them in one process of their own, so that a bomb shows in its peak."""
    if sys.platform == "win32":
        pytest.skip("not run: there is no resource module here to measure memory with")
    for i, make in enumerate(KINDS.values()):
        (folder / "in" / str(i)).write_bytes(make(folder / CANARY))
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from ganexport.errors import UserError\nfrom ganexport.generator import load\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n        load(path)\n        sys.exit(f'{path} was taken')\n    except UserError:\n        pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "in")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 1 << 30
    assert not (folder / CANARY).exists()


# -------------------------------------------------------------------------------------------- cut and mutated


def good_files() -> dict[str, bytes]:
    spec = stylegan2_spec(c_dim=0, channels=(4, 4), resolution=8, mapping_layers=1)
    saved = Saved()
    state = {f"main.{n}.weight": np.ones(shape, np.float32) for n, shape in enumerate([(3, 4, 4, 4), (4, 3, 4, 4)])}
    tree = saved.state_dict(state)
    return {
        "nvidia": write_pickle({"G_ema": stylegan2_generator(spec, random_tensors(spec))}),
        "torch zip": saved.zip_file(tree),
        "legacy torch": saved.legacy_file(tree),
    }


GOOD = good_files()


@pytest.mark.parametrize("kind", GOOD)
def test_every_tenth_of_a_good_file_is_cut_short(kind: str, folder: Path) -> None:
    path = folder / "model.pkl"
    path.write_bytes(GOOD[kind])
    load(path)
    for tenth in range(10):
        path.write_bytes(GOOD[kind][: len(GOOD[kind]) * tenth // 10])
        with pytest.raises(CheckpointError) as caught:
            load(path)
        assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.floats(0.5, 1),
)
def test_mutations_are_read_or_refused(
    kind: str, changes: list[tuple[float, int]], cut: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(GOOD[kind])
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(data[: int(cut * len(data))] if cut < 0.75 else data)
    try:
        load(path)
    except UserError as error:
        assert "\n" not in str(error)


def test_calls_are_never_made() -> None:
    assert Call(Named("os", "system"), ("true",)).callee.name == "system"
    with pytest.raises(AssertionError):
        Named("os", "system")()
