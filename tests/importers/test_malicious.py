"""Files made to harm, and files that are broken: a typed error of one line, nothing executed, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.generators import random_tensors, stylegan2_spec
from support.malicious_files import CANARY, KINDS, OWN_MODULE, g, npy, raw_zip
from support.memory import SAY_PEAK
from support.nvidia_writer import stylegan2_generator, write_pickle
from support.torch_writer import Call, Named, Saved, StorageId, dumps, rebuild_call

from ganexport.errors import CheckpointError, UserError
from ganexport.generator import load
from ganexport.importers import _rules, audit
from ganexport.importers._trees import walk
from ganexport.importers.inert import torch_files
from ganexport.importers.inert.containers import open_container
from ganexport.importers.inert.zip import Member, read_member

SECONDS = 10


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


@pytest.mark.parametrize(
    ("kind", "reason"),
    {
        "text as an array again and again": "too many copied",
        "call with many arguments": "with 2000 arguments",
        "size of many axes": "no short list",
        "dict of one pair again and again": "too many containers",
        "dict made anew again and again": "too many containers",
        "names without end": "more than 10000 things",
        "numbers seen without end": "too many numbers",
        "network of a gigabyte a layer": "more than 2\\^28",
        "networks without end": "20000 StyleGAN2 networks",
        "npz of negative size": "whole numbers",
        "npz whose header has no end": "no NumPy array",
        "safetensors of many axes": "whole numbers",
        "safetensors that overlap": "overlap",
        "safetensors with a long header": "its header has 9",
    }.items(),
)
def test_a_bad_file_is_refused_for_what_is_bad_in_it(kind: str, reason: str, folder: Path) -> None:
    path = folder / "model.pkl"
    path.write_bytes(KINDS[kind](folder / CANARY))
    with pytest.raises(CheckpointError, match=reason):
        load(path)


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


def test_long_ways_are_short() -> None:
    same: dict[str, Any] = {}
    assert len(list(walk({str(i): same for i in range(200_000)}))) == 2
    assert [path for path, _ in walk({"A" * 1000: {}, "a": {"b": {}}})] == ["", "a", "a.b"]


def test_a_packed_storage_is_unpacked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"Double": 8, "Float": 4, "Long": 8, "Int": 4, "Byte": 1}
    ids = [StorageId(("storage", Named("torch", f"{k}Storage"), "0", "cpu", 4096 // n)) for k, n in kinds.items()]
    table = dumps([rebuild_call(pid, 0, (1,)) for pid in ids])
    path = folder / "model.pt"
    path.write_bytes(raw_zip(("a/data.pkl", table), ("a/data/0", bytes(4096)), method=zipfile.ZIP_DEFLATED))
    read: list[str] = []

    def counted(data: memoryview, member: Member) -> memoryview:
        read.append(member.name)
        return read_member(data, member)

    monkeypatch.setattr(torch_files, "read_member", counted)
    assert len(open_container(path).root) == len(kinds)
    assert sorted(read) == ["a/data.pkl", "a/data/0"]


@pytest.mark.filterwarnings("error")
def test_an_npz_of_python_2_is_read_in_silence(folder: Path) -> None:
    path = folder / "model.npz"
    path.write_bytes(npy("(4L,)"))
    assert open_container(path).root["a"].array().tolist() == [0.0] * 4


def test_samples_in_parts_have_the_mean_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.RandomState(1).randn(7, 5)  # [w_dim, z_dim]
    whole = np.maximum(np.random.RandomState(0).randn(1001, 5) @ matrix.T, 0).mean(axis=0)
    for most in (_rules.MAX_NUMBERS, 7 * 100, 1):
        monkeypatch.setattr(_rules, "MAX_NUMBERS", most)
        found = _rules.sampled_mean(lambda z: np.maximum(z @ matrix.T, 0), 1001, [matrix.shape])
        np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_bad_files_take_little_memory(folder: Path) -> None:
    """All of them in one process of their own, so that a bomb shows in its peak."""
    if sys.platform == "win32":
        pytest.skip("not run: there is no resource module here to measure memory with")
    for i, make in enumerate(KINDS.values()):
        (folder / "in" / str(i)).write_bytes(make(folder / CANARY))
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from ganexport.errors import UserError\nfrom ganexport.generator import load\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n        load(path)\n        sys.exit(f'{path} was taken')\n    except UserError:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + SAY_PEAK, str(folder / "in")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 30
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
