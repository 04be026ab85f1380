"""Latents in files: what is written comes back, and what is something else is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ganexport.errors import OptionError, OutputExistsError
from ganexport.latent_files import read_latents, save_latents

Z = np.random.RandomState(0).randn(3, 8).astype(np.float32)
WS = np.random.RandomState(1).randn(3, 6, 7).astype(np.float32)
C = np.eye(3, dtype=np.float32)


def test_latents_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "z.safetensors"
    save_latents(path, Z, c=C, names=["a.png", "b.png", "größe"])
    found = read_latents(path)
    assert (found.space, found.names) == ("z", ("a.png", "b.png", "größe"))
    np.testing.assert_array_equal(found.latents, Z)
    np.testing.assert_array_equal(found.c, C)
    with pytest.raises(OutputExistsError):
        save_latents(path, Z, force=False)
    save_latents(path, WS)
    found = read_latents(path)
    assert (found.space, found.c, found.names) == ("w", None, ("0", "1", "2"))
    np.testing.assert_array_equal(found.latents, WS)


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ({}, "found nothing"),
        ({"w": Z}, r"found w \[3, 8\]"),
        ({"z": Z, "ws": WS}, "holds no latents"),
        ({"ws": WS, "c": C}, "holds no latents"),
        ({"z": WS}, "other latents"),
        ({"ws": Z}, "other latents"),
        ({"z": Z[:0]}, "other latents"),
        ({"z": Z, "c": C[:2]}, r"found .*c \[2, 3\]"),
        ({"z": Z.astype(np.float64)}, "as float32"),
    ],
)
def test_what_are_no_latents(tensors: dict[str, np.ndarray], found: str, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "x.safetensors")
    with pytest.raises(OptionError, match=found):
        read_latents(tmp_path / "x.safetensors")


def test_what_is_no_file_of_tensors(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="does not exist"):
        read_latents(tmp_path / "none.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"no tensors")
    with pytest.raises(OptionError, match="is not a complete safetensors file"):
        read_latents(tmp_path / "x.safetensors")


@pytest.mark.parametrize("names", ['["a"]', '{"names": ["a"]}', '{"names": 3}', "[" * 9999, "no JSON"])
def test_names_that_do_not_fit_are_numbers(names: str, tmp_path: Path) -> None:
    save_file({"z": Z}, tmp_path / "x.safetensors", {"ganexport": names})
    assert read_latents(tmp_path / "x.safetensors").names == ("0", "1", "2")
