"""Datasets as they are written: read back by others' readers, interrupted, damaged, and shared out."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet
import pytest
import webdataset
from PIL import Image
from support.bare_python import run_bare
from support.told import Told
from support.trees import files_of, tree

from ganexport import open_bundle
from ganexport.bulk import FORMATS, Job, make, plan
from ganexport.bundle import Bundle
from ganexport.errors import MissingExtraError, OptionError, OutputExistsError
from ganexport.picture_origin import draw_again, read_origin

SEED, COUNT, SHARD = 100, 23, 9
ENDINGS = {"webdataset": "tar", "parquet": "parquet", "npz": "npz"}


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> Bundle:
    return open_bundle(digits_bundle)


@pytest.fixture(scope="module")
def whole(digits: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A dataset that was made in one go, one of each format, to be read only."""
    made: dict[str, Path] = {}

    def whole(format: str) -> Path:
        if format not in made:
            made[format] = tmp_path_factory.mktemp("whole") / format
            make(job(digits, format), digits, made[format])
        return made[format]

    return whole


def job(bundle: Bundle, format: str, **more: Any) -> Job:
    options = {"count": COUNT, "seed": SEED, "shard_size": SHARD, "psi": 0.7, "format": format, **more}
    return plan(bundle, **options)


def expected(bundle: Bundle) -> np.ndarray:
    """Each picture by itself."""
    return np.concatenate([bundle.generate([SEED + i], i % 10, 0.7) for i in range(COUNT)])


def assert_the_same(pictures: np.ndarray, bundle: Bundle) -> None:
    """Within a grey level: another batch may change a runtime's last bits."""
    assert pictures.dtype == np.uint8
    np.testing.assert_allclose(pictures.astype(int), expected(bundle).astype(int), atol=1)


# ------------------------------------------------------------------------------------------------------ read back


def test_numpy_reads_npz(whole: Callable[[str], Path], digits: Bundle) -> None:
    shards = [dict(np.load(path, allow_pickle=False)) for path in sorted(whole("npz").glob("*.npz"))]
    arrays = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}
    assert_the_same(arrays["images"], digits)
    assert arrays["index"].tolist() == list(range(COUNT))
    assert arrays["seed"].tolist() == list(range(SEED, SEED + COUNT))
    assert arrays["label"].tolist() == [i % 10 for i in range(COUNT)]


def test_pyarrow_reads_parquet(whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    paths = sorted(whole("parquet").glob("*.parquet"))
    table = pyarrow.concat_tables([pyarrow.parquet.read_table(path) for path in paths])
    rows = table.to_pylist()
    assert_the_same(np.stack([decoded(row["image"]["bytes"], tmp_path) for row in rows]), digits)
    assert [(row["index"], row["seed"], row["label"]) for row in rows] == [(i, SEED + i, i % 10) for i in range(COUNT)]
    assert rows[12]["image"]["path"] == "00000012.png"
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features.keys() == set(table.column_names)
    assert features["label"]["names"] == [str(i) for i in range(10)]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves its files to be collected
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_tars(whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    paths = sorted(map(str, whole("webdataset").glob("*.tar")))
    samples = list(webdataset.WebDataset(paths, shardshuffle=False, empty_check=False))
    gc.collect()
    assert [one["__key__"] for one in samples] == [f"{i:08d}" for i in range(COUNT)]
    assert_the_same(np.stack([decoded(one["png"], tmp_path) for one in samples]), digits)
    for i, one in enumerate(samples):
        assert json.loads(one["json"]) == {"index": i, "seed": SEED + i, "label": i % 10, "class": str(i % 10)}
        assert one["cls"] == str(i % 10).encode()


def test_pillow_reads_pngs(whole: Callable[[str], Path], digits: Bundle) -> None:
    paths = sorted(whole("png").glob("*/*.png"))
    assert_the_same(np.stack([decoded(path.read_bytes(), path.parents[2]) for path in paths]), digits)
    lines = [line for path in sorted(whole("png").glob("*/*.jsonl")) for line in path.read_text().splitlines()]
    assert [json.loads(line)["file_name"] for line in lines] == [path.name for path in paths]
    assert (json.loads(lines[20])["seed"], json.loads(lines[20])["label"]) == (SEED + 20, 0)


def test_a_picture_says_where_it_comes_from(whole: Callable[[str], Path], digits: Bundle) -> None:
    path = whole("png") / "00001" / "00000011.png"
    origin = read_origin(path)
    assert (origin.seed, origin.label, origin.psi) == (SEED + 11, 1, 0.7)
    found = decoded(path.read_bytes(), path.parent)
    np.testing.assert_allclose(draw_again(digits, origin).astype(int), found.astype(int), atol=1)


def decoded(data: bytes, folder: Path) -> np.ndarray:
    """[H, W, C] of a PNG."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)


@pytest.mark.parametrize("format", FORMATS)
def test_the_manifest_says_what_is_there(format: str, whole: Callable[[str], Path], digits: Bundle) -> None:
    folder = whole(format)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["pictures"] == COUNT
    assert manifest["job"] == json.loads((folder / "job.json").read_text())
    assert manifest["job"]["bundle_sha256"] == hashlib.sha256((digits.path / "ganexport.json").read_bytes()).hexdigest()
    records = {f"records/{i:05d}.json" for i in range(3)}
    assert manifest["files"].keys() == files_of(folder) - records - {"job.json", "manifest.json"}
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert manifest["bytes"] == sum(entry["bytes"] for entry in manifest["files"].values())


def test_without_classes(dcgan_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(dcgan_bundle)
    for format in FORMATS:
        make(plan(bundle, 3, format=format), bundle, tmp_path / format)
    with np.load(tmp_path / "npz" / "00000.npz") as arrays:
        assert arrays["images"].shape == (3, 16, 16, 3)
        assert set(arrays) == {"images", "index", "seed"}
    assert pyarrow.parquet.read_table(tmp_path / "parquet" / "00000.parquet").column_names == ["image", "index", "seed"]
    assert json.loads((tmp_path / "png/00000/metadata.jsonl").read_text().splitlines()[2])["seed"] == 2


# ------------------------------------------------------------------------------------------- any part, at any time


@pytest.mark.parametrize("format", FORMATS)
def test_a_shard_alone_is_that_of_the_whole(
    format: str, whole: Callable[[str], Path], digits: Bundle, tmp_path: Path
) -> None:
    made = make(job(digits, format), digits, tmp_path / "out", shards=[1])
    assert (made.pictures, made.shards, made.kept, made.missing) == (SHARD, 1, 0, 2)
    found, expected_ = tree(tmp_path / "out"), tree(whole(format))
    assert found.items() <= expected_.items()
    assert {name for name in expected_ if "00001" in name.split("/")[0] or "records/00001" in name} <= found.keys()
    for shard in (2, 0):  # and the others, by other runs
        made = make(job(digits, format), digits, tmp_path / "out", shards=[shard])
    assert made.missing == 0
    assert tree(tmp_path / "out") == expected_


@pytest.mark.parametrize("format", FORMATS)
def test_several_workers(format: str, whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    told = Told()
    make(job(digits, format), digits, tmp_path / "out", workers=3, progress=told)
    assert tree(tmp_path / "out") == tree(whole(format))
    assert told.steps["drawing digits"] == (COUNT, COUNT)


def killed(
    format: str, folder: Path, digits: Path, when: Callable[[], bool], by: signal.Signals = signal.SIGKILL
) -> tuple[int, str]:
    """A run in a process of its own, until it is killed: its status, and what it said."""
    program = [sys.executable, "-m", "ganexport", "bulk", str(digits), "--count", "160", "--seed", str(SEED)]
    program += ["--psi", "0.7", "--shard-size", "4", "--format", format, "-o", str(folder)]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        started = time.monotonic()
        while not when() and child.poll() is None and time.monotonic() < started + 60:
            time.sleep(0.002)
        child.send_signal(by)
        _, said = child.communicate(timeout=60)
    return child.returncode, said.decode()


def records(folder: Path) -> int:
    return len(list((folder / "records").glob("[0-9]*.json")))


@pytest.mark.parametrize("format", FORMATS)
def test_killed_and_gone_on_with(format: str, digits: Bundle, tmp_path: Path) -> None:
    job_ = job(digits, format, count=160, shard_size=4)
    make(job_, digits, tmp_path / "whole")
    folder = tmp_path / "out"
    killed(format, folder, digits.path, lambda: records(folder) >= 5)
    had = records(folder)
    assert 5 <= had < 40, "it was to be killed half-way"
    assert not (folder / "manifest.json").exists()
    made = make(job_, digits, folder)
    assert (made.kept, made.shards) == (had, 40 - had)
    assert tree(folder) == tree(tmp_path / "whole")


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_nothing_half_written(
    by: signal.Signals, status: int, digits: Bundle, tmp_path: Path
) -> None:
    found, said = killed("png", tmp_path / "out", digits.path, lambda: records(tmp_path / "out") >= 5, by)
    assert found == status
    assert "Traceback" not in said
    assert 5 <= records(tmp_path / "out") < 40, "it was to be stopped half-way"
    names = files_of(tmp_path / "out") - {"job.json"}
    whole = {name.partition("/")[2].removesuffix(".json") for name in names if name.startswith("records/")}
    assert {name.partition("/")[0] for name in names if not name.startswith("records/")} == whole


@pytest.mark.soak
@pytest.mark.parametrize("format", FORMATS)
def test_killed_ten_times(format: str, digits: Bundle, tmp_path: Path) -> None:
    """Ten moments, from the first file on, without regard to what is being written."""
    job_ = job(digits, format, count=160, shard_size=4)
    make(job_, digits, tmp_path / "whole")
    moments, folder = random.Random(1), tmp_path / "out"
    for _ in range(10):
        began, lived = records(folder), moments.uniform(0, 0.05)
        seen: list[float] = []

        def due(began: int = began, lived: float = lived, seen: list[float] = seen) -> bool:
            if records(folder) > began and not seen:
                seen.append(time.monotonic())
            return bool(seen) and time.monotonic() > seen[0] + lived

        killed(format, folder, digits.path, due)
        assert not (folder / "manifest.json").exists(), "it was to be killed half-way"
    make(job_, digits, folder)
    assert tree(folder) == tree(tmp_path / "whole")


def test_what_a_killed_run_left_is_cleared_away(whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "00001").mkdir(parents=True)
    for name in (".job.json.ab12_cd3", "00001/.00000010.png.ab12_cd3"):
        (folder / name).write_bytes(b"half")
    (folder / "00001" / "00000010.png").write_bytes(b"not yet in a record")
    (folder / "job.json").write_bytes((whole("png") / "job.json").read_bytes())
    make(job(digits, "png"), digits, folder)
    assert tree(folder) == tree(whole("png"))


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_damaged_is_made_again(
    format: str, whole: Callable[[str], Path], digits: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(whole(format), folder)
    files = sorted(json.loads((folder / "manifest.json").read_text())["files"])
    flipped = folder / next(name for name in files if name.startswith("00000"))
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    (folder / next(name for name in files if name.startswith("00001"))).unlink()
    (folder / "records" / "00002.json").write_text("{")
    made = make(job(digits, format), digits, folder)
    assert (made.shards, made.kept) == (3, 0)
    assert tree(folder) == tree(whole(format))
    made = make(job(digits, format), digits, folder)
    assert (made.shards, made.kept, made.pictures) == (0, 3, 0)


def test_a_full_disk(whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    """A limit on the size of files stands for it."""
    folder = tmp_path / "out"
    program = [sys.executable, "-m", "ganexport", "bulk", str(digits.path), "--count", str(COUNT), "--seed", str(SEED)]
    program += ["--psi", "0.7", "--shard-size", str(SHARD), "--format", "npz", "-o", str(folder)]
    full = 8000  # bytes, which nine pictures of 32² do not fit into
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (full, full)),
    )
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(folder) == {"job.json"}
    make(job(digits, "npz"), digits, folder)
    assert tree(folder) == tree(whole("npz"))


def test_a_place_that_fails_stops_the_drawing(digits: Bundle, tmp_path: Path) -> None:
    """Not after all the other shards, and no thread goes on."""
    (tmp_path / "out" / "records").mkdir(parents=True)
    job_ = job(digits, "npz", count=4000, shard_size=10)
    (tmp_path / "out" / "job.json").write_text(job_.model_dump_json(), encoding="utf-8")
    (tmp_path / "out" / "00003.npz").mkdir()  # a file cannot take its name
    told, before = Told(), threading.active_count()
    with pytest.raises(OSError, match="00003"):
        make(job_, digits, tmp_path / "out", progress=told)
    assert told.steps["drawing digits"][0] < 400
    assert threading.active_count() == before


# --------------------------------------------------------------------------------------------------------- places


def test_an_address(whole: Callable[[str], Path], digits: Bundle) -> None:
    address = "memory://bulk-test/out"
    files = fsspec.filesystem("memory")
    for shards in ([1], None, None):
        made = make(job(digits, "webdataset"), digits, address, shards=shards)
    assert made.kept == 3
    found = {name.removeprefix("/bulk-test/out/"): files.cat_file(name) for name in files.find("/bulk-test/out")}
    assert found == {name: data for name, data in tree(whole("webdataset")).items() if data}
    files.pipe_file("/bulk-test/out/00001.tar", b"damaged")
    assert make(job(digits, "webdataset"), digits, address).shards == 1
    with pytest.raises(OutputExistsError, match="holds something that is no bulk job"):
        make(job(digits, "webdataset"), digits, "memory://bulk-test")
    files.rm("/bulk-test", recursive=True)


def test_an_address_of_a_folder(whole: Callable[[str], Path], digits: Bundle, tmp_path: Path) -> None:
    made = make(job(digits, "npz"), digits, f"file://{tmp_path}/a%20folder")
    assert made.output == f"{tmp_path}/a folder"
    assert tree(tmp_path / "a folder") == tree(whole("npz"))


def test_an_unknown_address(digits: Bundle) -> None:
    with pytest.raises(OptionError, match="nowhere://x cannot be opened"):
        make(job(digits, "npz"), digits, "nowhere://x")


def test_another_job_is_refused(whole: Callable[[str], Path], digits: Bundle) -> None:
    before = tree(whole("npz"))
    with pytest.raises(OutputExistsError, match="count is 23 there, 24 here; choose another output"):
        make(job(digits, "npz", count=24), digits, whole("npz"))
    assert tree(whole("npz")) == before


def test_a_job_keeps_the_batch_with_which_it_began(digits: Bundle, tmp_path: Path) -> None:
    make(job(digits, "npz").model_copy(update={"batch": 4}), digits, tmp_path / "out", shards=[0])
    make(job(digits, "npz"), digits, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["job"]["batch"] == 4


def test_a_folder_of_something_else_is_refused(digits: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="holds something that is no bulk job"):
        make(job(digits, "npz"), digits, tmp_path)
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(OutputExistsError, match="no job of this version"):
        make(job(digits, "npz"), digits, tmp_path)
    with pytest.raises(OptionError, match=r"mine\.txt is no folder"):
        make(job(digits, "npz"), digits, tmp_path / "mine.txt")
    assert files_of(tmp_path) == {"mine.txt", "job.json"}


@pytest.mark.parametrize(
    "options", [{"shards": [3]}, {"shards": []}, {"shards": [-1]}, {"workers": 0}, {"engine": "x"}]
)
def test_bad_options(options: dict[str, Any], digits: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        make(job(digits, "npz"), digits, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_another_bundle_is_refused(digits: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="planned for another bundle"):
        make(job(digits, "npz").model_copy(update={"bundle_sha256": "0" * 64}), digits, tmp_path / "out")


@pytest.mark.parametrize("library", ["webdataset", "pyarrow", "fsspec", "ray"])
def test_a_missing_library_is_named(
    library: str, digits: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    if library == "pyarrow":
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    format = {"webdataset": "webdataset", "pyarrow": "parquet"}.get(library, "npz")
    output = "memory://x" if library == "fsspec" else tmp_path / "out"
    with pytest.raises(MissingExtraError, match=r'pip install "ganexport\[bulk'):
        make(job(digits, format), digits, output, engine="ray" if library == "ray" else "local")


def test_png_and_npz_need_no_extra(digits_bundle: Path, tmp_path: Path) -> None:
    program = """
import sys
from ganexport import open_bundle
from ganexport.bulk import make, plan
bundle = open_bundle(sys.argv[1])
for format in ("png", "npz"):
    make(plan(bundle, 3, format=format), bundle, f"{sys.argv[2]}/{format}")
print(sorted({"fsspec", "pyarrow", "ray", "webdataset"} & {*wanted, *sys.modules}))
"""
    done = run_bare(program, str(digits_bundle), str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
