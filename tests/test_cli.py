"""The command line: what it prints, how it ends, and what it leaves when it is given nonsense."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from support.trees import tree

from ganexport import __version__, cli, open_bundle
from ganexport.errors import GanExportError, ParityError, UserError
from ganexport.exporters import EXPORTERS
from ganexport.manifest import MANIFEST_NAME, read_manifest
from ganexport.pictures import grid
from ganexport.runtimes import RUNTIMES
from ganexport.weights import file_sha256, read_tensors

VERBS = ("info", "convert", "generate", "verify", "directions", "inspect", "site", "preview", "demo")
VERBS += ("sweep", "walk", "mix", "arith", "encode", "add-encoder", "bulk", "serve", "triton")


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command line in this process, as the installed script does."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ganexport", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return Ended(stopped.value.code or 0, captured.out, captured.err)  # type: ignore[arg-type]

    return run


@pytest.fixture
def onnxruntime_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node, which would take its time."""
    for name in [n for n in RUNTIMES if n != "onnxruntime-cpu"]:
        monkeypatch.delitem(RUNTIMES, name)


# ------------------------------------------------------------------------------------------------------- bad input


def no_checkpoint(folder: Path, good: Path) -> None:
    (folder / "net.safetensors").write_text("these are not the tensors that you are looking for")


def truncated(folder: Path, good: Path) -> None:
    (folder / "net.safetensors").write_bytes(good.read_bytes()[:-1000])


def tensor_missing(folder: Path, good: Path) -> None:
    tensors, metadata = load_file(good), read_tensors(good)[1]
    del tensors["synthesis.b8.conv0.weight"]
    save_file(tensors, folder / "net.safetensors", metadata)


def tensor_misshaped(folder: Path, good: Path) -> None:
    tensors, metadata = load_file(good), read_tensors(good)[1]
    tensors["mapping.w_avg"] = tensors["mapping.w_avg"][:-1].copy()
    save_file(tensors, folder / "net.safetensors", metadata)


def tensor_altered(folder: Path, good: Path) -> None:
    data = bytearray(good.read_bytes())
    data[-2] ^= 1
    (folder / "net.safetensors").write_bytes(data)


def nothing(folder: Path, good: Path) -> None:
    pass


def a_folder(folder: Path, good: Path) -> None:
    (folder / "net.safetensors").mkdir()


CHECKPOINTS = [
    (no_checkpoint, "net.safetensors"),
    (truncated, "net.safetensors"),
    (tensor_missing, "missing synthesis.b8.conv0.weight [6, 8, 3, 3]"),
    (tensor_misshaped, "mapping.w_avg is [6], expected [7]"),
    (tensor_altered, "the tensors were changed"),
    (nothing, "does not exist"),
]


def assert_refused(ended: Ended, *parts: str) -> None:
    """One line on stderr, exit status 2, no traceback."""
    assert ended.status == 2, ended
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize("verb", ["convert", "info"])
@pytest.mark.parametrize(("spoil", "message"), [*CHECKPOINTS, (a_folder, "net.safetensors")])
def test_a_bad_checkpoint(
    verb: str,
    spoil: Callable[[Path, Path], None],
    message: str,
    run: Callable[..., Ended],
    tiny_checkpoint: Path,
    tmp_path: Path,
) -> None:
    spoil(tmp_path, tiny_checkpoint)
    before = tree(tmp_path)
    output = ["-o", tmp_path / "out"] if verb == "convert" else []
    assert_refused(
        run(verb, tmp_path / "net.safetensors", *output), message, "net.safetensors" if message == "." else ""
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--psi", "strong"], "--psi"),
        (["--psi", "1,5"], "--psi"),
        (["--to", "coreml"], "unknown target coreml; choose from onnx, tfjs"),
        (["--to", ""], "choose from onnx, tfjs"),
        (["--noise", "loud"], "--noise is const, none, random or input, found 'loud'"),
        (["--labels", "NAMES"], "2 label names for 3 classes"),
        (["--labels", "none.txt"], "cannot read the class names in none.txt"),
        (["--frobnicate"], "No such option"),
        pytest.param(
            ["--psi", "nan", "--to", "onnx"],
            "psi",
        ),
        pytest.param(
            ["--to", "onnx,onnx"],
            "onnx",
        ),
    ],
)
@pytest.mark.usefixtures("onnxruntime_only")
def test_bad_options_of_convert(
    options: list[str], message: str, run: Callable[..., Ended], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    options = [str(tmp_path / "names.txt") if option == "NAMES" else option for option in options]
    before = tree(tmp_path)
    assert_refused(run("convert", tiny_checkpoint, "-o", tmp_path / "out", *options), message)
    assert tree(tmp_path) == before


def test_what_is_missing_is_named(run: Callable[..., Ended], tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert_refused(run("convert", tiny_checkpoint), "--output")
    assert_refused(run("convert", "-o", tmp_path / "out"), "source")
    assert_refused(run("convret", tiny_checkpoint), "convret")
    assert tree(tmp_path) == {}


def test_an_existing_output_folder(run: Callable[..., Ended], tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine.txt").write_text("mine")
    before = tree(tmp_path)
    assert_refused(run("convert", tiny_checkpoint, "-o", tmp_path / "out"), "out exists", "--force")
    assert_refused(run("convert", tiny_checkpoint, "-o", tmp_path / "home", "--force"), "home exists", "no bundle")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "this generator has 3 classes"),
        (["--label", "oak"], "class 'oak' is unknown; choose from: ash, birch, cedar"),
        (["--label", "3"], "class '3' is unknown"),
        (["--label", "0", "--psi", "strong"], "--psi"),
        (["--label", "0", "--psi", "nan"], "psi must be a finite number, found nan"),
        (["--label", "0", "--psi", "inf"], "psi must be a finite number, found inf"),
        (["--label", "0", "--seeds", "one"], "--seeds takes numbers such as 0-15 or 1,5,9; found 'one'"),
        (["--label", "0", "--seeds", ""], "--seeds takes numbers"),
        (["--label", "0", "--seeds", "1,"], "--seeds takes numbers"),
        (["--label", "0", "--seeds", "1-"], "--seeds takes numbers"),
        (["--label", "0", "--seeds=-1"], "--seeds takes numbers"),
        (["--label", "0", "--seeds", "1.5"], "--seeds takes numbers"),
        (["--label", "0", "--seeds", "9-3"], "rising ranges of at most 10,000 seeds"),
        (["--label", "0", "--seeds", "0-10000"], "rising ranges of at most 10,000 seeds"),
        (["--label", "0", "--seeds", "4294967296"], "a seed is a whole number from 0 to 4294967295"),
        (["--label", "0", "--grid", "3x5"], "a grid of 3x5 holds 15 pictures, but there are 16"),
        (["--label", "0", "--grid", "four"], "a grid is written COLUMNSxROWS"),
        (["--label", "0", "--cutoff=-1"], "cutoff counts layers from 0"),
        (["--label", "0", "--cutoff", "some"], "--cutoff"),
        (["--label", "0", "--noise", "loud"], "--noise is const, random or none"),
        pytest.param(
            ["--label", "0", "--seeds", "²"],
            "--seeds takes numbers",
        ),
    ],
)
def test_bad_options_of_generate(
    options: list[str], message: str, run: Callable[..., Ended], tiny_bundle: Path, tmp_path: Path
) -> None:
    assert_refused(run("generate", tiny_bundle, "-o", tmp_path / "out.png", *options), message)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("output", ["folder", "file/out.png"])
def test_an_output_that_cannot_be_written(
    output: str, run: Callable[..., Ended], tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert_refused(run("generate", tiny_bundle, "--label", "0", "-o", tmp_path / output), output.partition("/")[0])


@pytest.mark.parametrize("verb", ["generate", "verify", "info"])
def test_a_folder_that_is_no_bundle(verb: str, run: Callable[..., Ended], tmp_path: Path) -> None:
    output = ["-o", tmp_path / "out.png"] if verb == "generate" else []
    assert_refused(run(verb, tmp_path, *output), "is no bundle: it has no ganexport.json")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["onnx/mapping.onnx", "tfjs/synthesis/group1-shard1of1.bin", "goldens.safetensors"])
def test_a_bundle_with_one_flipped_byte(
    name: str, run: Callable[..., Ended], tiny_bundle: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(tiny_bundle, tmp_path / "tiny")
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    before = tree(tmp_path)
    assert_refused(run("verify", copy), f"{name} was altered")
    assert tree(tmp_path) == before


def test_a_manifest_with_one_flipped_byte(run: Callable[..., Ended], tiny_bundle: Path, tmp_path: Path) -> None:
    data = bytearray((tiny_bundle / MANIFEST_NAME).read_bytes())
    data[0] ^= 1
    (tmp_path / MANIFEST_NAME).write_bytes(data)
    for verb in ("verify", "info"):
        assert_refused(run(verb, tmp_path), "cannot be read as JSON")


def test_brackets_in_names_are_printed_as_they_are(run: Callable[..., Ended], tmp_path: Path) -> None:
    # Rich would take them for its own markup.
    ended = run("info", tmp_path / "[red]net[/red].safetensors")
    assert_refused(ended, "[red]net[/red].safetensors does not exist")


# -------------------------------------------------------------------------------------------------- how it ends


@pytest.mark.usefixtures("onnxruntime_only")
def test_our_own_failure_is_status_1(
    run: Callable[..., Ended], tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = EXPORTERS["onnx"]

    def cut(*arguments: object) -> object:
        graphs = real(*arguments)  # type: ignore[arg-type]
        path = arguments[1] / "onnx" / "synthesis.onnx"  # type: ignore[operator]
        path.write_bytes(path.read_bytes()[:-50])
        return graphs

    monkeypatch.setitem(EXPORTERS, "onnx", cut)  # type: ignore[arg-type]
    ended = run("convert", tiny_checkpoint, "-o", tmp_path / "out", "--to", "onnx")
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("error: the export does not draw the same picture")
    assert "failed" in ended.out  # the table is printed all the same
    assert tree(tmp_path) == {}


def test_status_follows_the_error_tree(
    run: Callable[..., Ended], tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(kind: type[GanExportError]) -> list[type[GanExportError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]

    def made(kind: type[GanExportError]) -> GanExportError:
        return kind.__new__(kind, "it went [bold]wrong[/]")  # some say more than a text when they begin

    for kind in leaves(GanExportError):

        def fail(*_: object, error: GanExportError = made(kind)) -> None:  # noqa: B008
            raise error

        monkeypatch.setattr("ganexport.describe.describe", fail)
        ended = run("info", tiny_checkpoint)
        assert ended.status == (2 if issubclass(kind, UserError) else 1), kind
        assert ended.err == "error: it went [bold]wrong[/]\n"


def test_debug_shows_the_traceback(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["ganexport", "info", str(tmp_path / "none"), "--debug"])
    with pytest.raises(UserError, match="does not exist"):
        cli.main()


def test_a_bug_is_not_hidden(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ganexport.describe.describe", fail)
    monkeypatch.setattr(sys, "argv", ["ganexport", "info", str(tiny_checkpoint)])
    with pytest.raises(ZeroDivisionError):
        cli.main()


INTERRUPTED = """
import os, signal, sys
from importlib import import_module

module = import_module("ganexport.convert")
real = module.gate_cases

def stop(*arguments, **more):
    os.kill(os.getpid(), signal.SIGINT)
    return real(*arguments, **more)

module.gate_cases = stop
import_module("ganexport.cli").main()
"""


@pytest.fixture(scope="module")
def interrupted(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """A conversion with a Ctrl-C in the middle, and the folder of its output."""
    folder = tmp_path_factory.mktemp("interrupted")
    command = [sys.executable, "-c", INTERRUPTED, "convert", str(tiny_checkpoint), "-o", str(folder / "out")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    return Ended(done.returncode, done.stdout, done.stderr), folder


def test_ctrl_c_is_status_130_and_leaves_nothing(interrupted: tuple[Ended, Path]) -> None:
    ended, folder = interrupted
    assert ended.status == 130, ended.err
    assert "Traceback" not in ended.err
    assert tree(folder) == {}


def test_ctrl_c_says_that_it_stopped(interrupted: tuple[Ended, Path]) -> None:
    assert interrupted[0].err == "stopped; nothing half-written was left\n"


def test_the_installed_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganexport", "info", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'none'} does not exist\n"


def test_directions(digits_bundle: Path, tmp_path: Path, run: Callable[..., Ended]) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "digits"))
    there = read_manifest(bundle).directions
    drop = [word for one in (there.items if there else ()) for word in ("--drop", one.name)]
    small = ("--samples", "200", "--count", "1", "--no-previews")
    ended = run("directions", bundle, "--method", "sefa, pca", *small, "--name", "pca-0=slant", *drop, "--json")
    assert (ended.status, ended.err) == (0, "")
    facts = json.loads(ended.out)
    assert [(one["name"], one["title"], one["preview"]) for one in facts] == [
        ("sefa-0", None, None),
        ("pca-0", "slant", None),
    ]

    ended = run("directions", bundle, "--name", "sefa-0=weight = bold", "--drop", "pca-0")
    assert (ended.status, ended.err) == (0, "")
    assert [line.split() for line in ended.out.splitlines()] == [
        ["direction", "title", "moves", "range", "explains"],
        ["sefa-0", "weight", "=", "bold", "w", "0-7", "-3", "…", "3"],
    ]
    for arguments, message in [
        (("--name", "sefa-0"), '--name takes a name and a title such as sefa-0="smile"; found'),
        (("--method", "ganspace"), "unknown method ganspace"),
        (("--method", "sefa"), "already; pass --force"),
        (("--count", "0"), "--count is how many directions to find"),
        (("--layers", "9-9"), "--layers is all, coarse, middle, fine, or first-last within 0-7"),
        (("--attributes", "missing.csv"), "cannot read the attributes in missing.csv"),
    ]:
        ended = run("directions", bundle, "--samples", "200", *arguments)
        assert ended.status == 2
        assert ended.out == ""
        assert message in ended.err
        assert ended.err.count("\n") == 1
    left = read_manifest(bundle).directions
    assert left is not None
    assert [one.name for one in left.items] == ["sefa-0"]


# ----------------------------------------------------------------------------------------------------------- help


def test_version(run: Callable[..., Ended]) -> None:
    assert run("--version") == Ended(0, f"{__version__}\n", "")


def test_without_a_verb_it_lists_the_verbs(run: Callable[..., Ended]) -> None:
    for ended in (run(), run("--help")):
        text = ended.out + ended.err
        for verb in VERBS:
            assert f"\n  {verb} " in text
    assert run("--help").status == 0
    assert run("--help").err == ""


def test_without_a_verb_is_no_error(run: Callable[..., Ended]) -> None:
    assert "error" not in run().err


def test_every_verb_is_tested_here() -> None:
    commands = cli.app.registered_commands
    assert {one.name or one.callback.__name__ for one in commands if one.callback} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_ends_with_an_example(verb: str, run: Callable[..., Ended]) -> None:
    ended = run(verb, "--help")
    assert (ended.status, ended.err) == (0, "")
    lines = [line.strip() for line in ended.out.strip().splitlines()]
    example = next(line for line in reversed(lines) if line.startswith("Example: "))
    assert example.startswith(f"Example: ganexport {verb}")
    assert "".join(lines[lines.index(example) :]).startswith(example)


# ----------------------------------------------------------------------------------------------------------- verbs


def test_info_of_a_checkpoint(run: Callable[..., Ended], tiny_checkpoint: Path) -> None:
    facts = json.loads(run("info", tiny_checkpoint, "--json").out)
    assert facts["kind"] == "checkpoint"
    assert (facts["architecture"], facts["resolution"], facts["c_dim"]) == ("stylegan2", 16, 3)
    assert facts["labels"] == ["ash", "birch", "cedar"]
    assert facts["weights"] > 1000
    assert len(facts["provenance"]["weights_sha256"]) == 64
    text = run("info", tiny_checkpoint)
    assert (text.status, text.err) == (0, "")
    for name in facts:
        assert name.replace("_", " ") in text.out


@pytest.mark.parametrize("path", [".", MANIFEST_NAME])
def test_info_of_a_bundle(path: str, run: Callable[..., Ended], tiny_bundle: Path) -> None:
    facts = json.loads(run("info", tiny_bundle / path, "--json").out)
    assert (facts["kind"], facts["name"]) == ("bundle", "tiny")
    assert facts["targets"] == ["onnx", "tfjs"]
    assert facts["parity"] == {"ok": len(read_manifest(tiny_bundle).parity)}
    assert facts["bytes"] == sum(entry.bytes for entry in read_manifest(tiny_bundle).files.values())


@pytest.mark.usefixtures("onnxruntime_only")
def test_convert_prints_the_gates_table(run: Callable[..., Ended], tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("eins\nzwei\ndrei\n")
    names = ["--labels", tmp_path / "names.txt", "--name", "Bäume", "--psi", "0.7", "--no-checkpoint"]
    ended = run("convert", tiny_checkpoint, "-o", tmp_path / "out", "--to", " onnx ,", *names)
    assert (ended.status, ended.err) == (0, "")
    for part in ("onnxruntime-cpu", "weights_sha256", "greatest error", f"wrote {tmp_path / 'out'}"):
        assert part in " ".join(ended.out.split())
    manifest = read_manifest(tmp_path / "out")
    assert (manifest.name, manifest.labels) == ("Bäume", ("eins", "zwei", "drei"))
    assert manifest.defaults.truncation_psi == 0.7
    assert "checkpoint.safetensors" not in manifest.files
    assert_refused(run("convert", tiny_checkpoint, "-o", tmp_path / "out", "--to", "onnx"), "exists")
    assert run("convert", tiny_checkpoint, "-o", tmp_path / "out", "--to", "onnx", "--force").status == 0
    assert read_manifest(tmp_path / "out").name == "out"


def test_generate_draws_a_grid(run: Callable[..., Ended], tiny_bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "out.png"
    options = ["--seeds", "3,7-9", "--label", "birch", "--psi", "0.7", "--grid", "2x3"]
    ended = run("generate", tiny_bundle, *options, "-o", output)
    assert (ended.status, ended.err) == (0, "")
    assert str(output) in ended.out.replace("\n", "")
    expected = grid(open_bundle(tiny_bundle).generate([3, 7, 8, 9], 1, 0.7), 2, 3)
    with Image.open(output) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
        made = json.loads(image.text["ganexport"])  # type: ignore[attr-defined]
    bundle = {"bundle_name": "tiny", "bundle_digest": file_sha256(tiny_bundle / "ganexport.json")}
    assert made == {"seeds": "3,7-9", "label": "birch", "psi": 0.7, **bundle}


def test_generate_without_options_draws_sixteen(run: Callable[..., Ended], dcgan_bundle: Path, tmp_path: Path) -> None:
    assert run("generate", dcgan_bundle, "-o", tmp_path / "out.png").status == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (64, 64)
        made = json.loads(image.text["ganexport"])  # type: ignore[attr-defined]
    assert (made["seeds"], made["bundle_name"]) == ("0-15", "tiny-dcgan")


@pytest.mark.usefixtures("onnxruntime_only")
def test_verify_prints_json(run: Callable[..., Ended], tiny_bundle: Path) -> None:
    ended = run("verify", tiny_bundle, "--json", "--allow-unverified")
    assert (ended.status, ended.err) == (0, "")
    results = json.loads(ended.out)
    assert {result["status"] for result in results} == {"ok"}
    assert {"target", "runtime", "version", "case", "tensor", "max_abs", "tolerance"} <= results[0].keys()
    assert "onnxruntime-cpu" in run("verify", tiny_bundle, "--allow-unverified").out


@pytest.mark.usefixtures("onnxruntime_only")
def test_verify_that_fails_is_status_1(run: Callable[..., Ended], tiny_bundle: Path) -> None:
    ended = run("verify", tiny_bundle)  # no runtime is registered for its TF.js target
    assert ended.status == 1
    assert "no runtime could verify the tfjs target" in ended.err


def test_parity_errors_are_ours() -> None:
    assert not issubclass(ParityError, UserError)
