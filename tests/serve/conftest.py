"""One server for the tests that change nothing about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.serving import Server, served
from support.shipped import DIGITS

from ganexport.bundle import Bundle, open_bundle


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, dcgan_bundle: Path) -> Iterator[Server]:
    """The digits (classes, w space, noise) and a DCGAN (nothing of these)."""
    with served(tmp_path_factory.mktemp("serve"), DIGITS, dcgan_bundle, "--most-pictures", "32") as running:
        yield running
        assert not running.troubles()


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def digits() -> Bundle:
    return open_bundle(DIGITS)


@pytest.fixture(scope="session")
def dcgan(dcgan_bundle: Path) -> Bundle:
    return open_bundle(dcgan_bundle)
