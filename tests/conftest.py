"""Generators and bundles that several tests use; made once, to be read and not to be changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.generators import dcgan_spec, make_generator, stylegan2_spec
from support.shipped import DIGITS

from ganexport.convert import ConvertOptions, convert
from ganexport.generator import Generator

LABELS = ("ash", "birch", "cedar")


@pytest.fixture(scope="session")
def tiny_generator() -> Generator:
    """StyleGAN2, 16² RGB: three classes, noise, an asymmetric filter."""
    return make_generator(stylegan2_spec(), labels=LABELS)


@pytest.fixture(scope="session")
def tiny_dcgan() -> Generator:
    """DCGAN, 16² RGB, without classes."""
    return make_generator(dcgan_spec())


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The canonical checkpoint of `tiny_generator`."""
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    tiny_generator.save(path)
    return path


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Converts a generator to a bundle of a name."""

    def bundle_of(generator: Generator, name: str, options: ConvertOptions = ConvertOptions()) -> Path:  # noqa: B008
        folder = tmp_path_factory.mktemp("bundle") / name
        convert(generator, folder, options)
        return folder

    return bundle_of


@pytest.fixture(scope="session")
def tiny_bundle(tiny_generator: Generator, bundle_of: Callable[..., Path]) -> Path:
    """`tiny_generator` with both targets, verified."""
    return bundle_of(tiny_generator, "tiny")


@pytest.fixture(scope="session")
def dcgan_bundle(tiny_dcgan: Generator, bundle_of: Callable[..., Path]) -> Path:
    """`tiny_dcgan` with both targets, verified."""
    return bundle_of(tiny_dcgan, "tiny-dcgan")


@pytest.fixture(scope="session")
def conditional_dcgan_bundle(bundle_of: Callable[..., Path]) -> Path:
    """A DCGAN like `tiny_dcgan` with two classes, whose c goes into the synthesis; ONNX alone."""
    generator = make_generator(dcgan_spec(c_dim=2), labels=LABELS[:2])
    return bundle_of(generator, "conditional-dcgan", ConvertOptions(targets=("onnx",)))


@pytest.fixture(scope="session")
def staged_generator() -> Generator:
    """StyleGAN2, 128² RGB, which becomes two stages."""
    return make_generator(stylegan2_spec(resolution=128, channels=(8, 8, 8, 7, 6, 4)), labels=LABELS)


@pytest.fixture(scope="session")
def staged_bundle(staged_generator: Generator, bundle_of: Callable[..., Path]) -> Path:
    """`staged_generator` with both targets, verified."""
    return bundle_of(staged_generator, "staged")


@pytest.fixture(scope="session")
def digits_bundle() -> Path:
    """The shipped digits: StyleGAN2, ten classes, 32², grey."""
    return DIGITS
