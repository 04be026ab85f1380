"""The check of the visitor's own device, in the page of a site."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from watched import Watched

pytestmark = pytest.mark.web

FAST = "#runtime=tfjs-wasm&tool=check"


def test_this_device_is_checked(open_site: Callable[..., Watched]) -> None:
    watched = open_site(FAST)
    page = watched.page
    row = page.locator("[data-runtime=tfjs-wasm]")
    row.get_by_role("button").press("Enter")
    expect(row).to_have_attribute("data-state", "passed", timeout=60_000)
    expect(row).to_contain_text(re.compile(r"Passed: (the same in every pixel|within 1 of 255 grey levels)"))
    expect(row).to_contain_text(re.compile(r"[0-9.]+ pictures a second"))
    expect(row).to_contain_text("version 4.22.0")
    expect(page.locator("#status")).to_contain_text("Checked: it draws the same pictures here")
    assert watched.messages == []
    page.get_by_role("button", name="Check every runtime").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Stopped", timeout=60_000)
    expect(page.get_by_role("button", name="Check every runtime")).to_be_enabled()


def test_a_check_that_fails_is_said(first_visit: Callable[..., Page], site_folder: Path) -> None:
    goldens = (site_folder / "models" / "digits" / "goldens.safetensors").read_bytes()
    other = goldens[:-1000] + bytes(255 - byte for byte in goldens[-1000:])
    manifest = (site_folder / "models" / "digits" / "ganexport.json").read_text(encoding="utf-8")
    altered = manifest.replace(hashlib.sha256(goldens).hexdigest(), hashlib.sha256(other).hexdigest())
    assert altered != manifest
    page = first_visit(
        FAST,
        re.compile(r"/digits/(ganexport\.json|goldens\.safetensors)$"),
        lambda route: route.fulfill(body=altered if route.request.url.endswith(".json") else other),
    )
    row = page.locator("[data-runtime=tfjs-wasm]")
    row.get_by_role("button").click()
    expect(row).to_have_attribute("data-state", "failed", timeout=60_000)
    expect(row).to_contain_text(re.compile(r"Failed: differs by up to \d+ of 255 grey levels"))
