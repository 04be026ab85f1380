"""The latent toolbox in a browser: what it makes of the digits is drawn as Python draws it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SITE
from watched import Watched

from ganexport import open_bundle
from ganexport.bundle import Bundle
from ganexport.latents import Move, arithmetic, lerp, mix_styles, move_along, walk, z_from_seeds
from ganexport.parity.tolerances import GREY_LEVELS

pytestmark = pytest.mark.web

DRAW = """async ([library, manifest]) => {
  const { arithmetic, lerp, mixStyles, moveAlong, openBundle, pickRows, walk, zLatents } = await import(library);
  const generator = await openBundle(manifest, { runtime: 'ort-wasm' });
  const ws = await generator.latents({ seeds: [1, 2, 3], label: [7, 1, 3], psi: 0.8 });
  const [a, b, c] = [0, 1, 2].map((row) => pickRows(ws, [row]));
  const way = walk(zLatents([5, 6, 7], generator.manifest.spec), { frames: 2, loop: true });
  const walked = await generator.latents({ seeds: way.seeds, z: way.tensor, label: 8 });
  const [first, ...others] = await generator.directions();
  const moves = [{ direction: first, amount: [-2, 0.5, 2] }, { direction: others.at(-1), amount: 1.5 }];
  const latents = {
    walked,
    halfway: lerp(a, b, [0.25, 0.5]),
    mixed: mixStyles(ws, c, [0, 3]),
    moved: moveAlong(ws, moves),
    sum: arithmetic(a, b, c),
  };
  const drawn = {};
  for (const [name, points] of Object.entries(latents)) {
    drawn[name] = { ws: [...points.tensor.data], levels: [...(await generator.draw(points)).data] };
  }
  await generator.dispose();
  return drawn;
}"""


def as_python_has_it(bundle: Bundle) -> dict[str, np.ndarray]:
    """The same latents from the same calls."""
    ws = bundle.latents([1, 2, 3], [7, 1, 3], 0.8)
    a, b, c = ws[:1], ws[1:2], ws[2:]
    way = walk(z_from_seeds([5, 6, 7], bundle.manifest.spec.z_dim), 2, loop=True)
    directions = bundle.manifest.directions
    assert directions is not None
    first, last = directions.items[0], directions.items[-1]
    vectors = bundle.directions
    moves = [Move(vectors[first.name], [-2, 0.5, 2], first.layers), Move(vectors[last.name], 1.5, last.layers)]
    return {
        "walked": bundle.latents([0] * 6, 8, z=way),
        "halfway": lerp(a, b, [0.25, 0.5]),
        "mixed": mix_styles(ws, c, (0, 3)),
        "moved": move_along(ws, moves),
        "sum": arithmetic(a, b, c),
    }


def test_the_browser_draws_what_python_draws(
    open_page: Callable[[str], Watched], host_url: str, digits_bundle: Path
) -> None:
    bundle = open_bundle(digits_bundle)
    site = f"{host_url}/{SITE}"
    page = open_page("/").page
    drawn: dict[str, Any] = page.evaluate(DRAW, [f"{site}/lib/index.js", f"{site}/models/digits/ganexport.json"])
    for name, latents in as_python_has_it(bundle).items():
        found = np.asarray(drawn[name]["ws"], np.float32).reshape(latents.shape)
        assert abs(found - latents).max() <= 1e-4 * abs(latents).max(), name  # the mapping ran on another runtime
        expected = bundle.draw(latents)
        levels = np.asarray(drawn[name]["levels"]).reshape(expected.shape)
        assert abs(levels - expected.astype(int)).max() <= GREY_LEVELS, name
        assert abs(levels - levels[::-1]).max() > 100 or len(levels) == 1, name  # they are different pictures
