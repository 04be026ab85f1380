"""Write the vectors with which `web_demo/test` checks its arithmetic against Python's.

`python tests/web/make_vectors.py` writes them; a test asserts that they are what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ganexport.latents import (
    Move,
    arithmetic,
    class_sweep,
    lerp,
    mix_styles,
    move_along,
    noise_from_seeds,
    slerp,
    sweep_coordinate,
    walk,
    z_from_seeds,
)
from ganexport.pictures import fit, from_uint8, to_uint8

OUTPUT = Path(__file__).parents[2] / "web_demo" / "test" / "vectors"
SEEDS = (0, 1, 42, 5489, 2**31 - 1, 2**31, 4022730752, 2**32 - 1)
RANGES = ((-1.0, 1.0), (0.0, 1.0), (-0.7, 2.3))


def random_state() -> list[dict[str, object]]:
    """For each seed: a few numbers, and the bits of many in one checksum."""
    return [
        {
            "seed": seed,
            "randn": _bits(np.random.RandomState(seed).randn(7)),
            "uniform": _bits(np.random.RandomState(seed).uniform(-1, 1, 7)),
            "randn_sum_5000": _checksum(np.random.RandomState(seed).randn(5000)),
            "uniform_sum_5000": _checksum(np.random.RandomState(seed).uniform(-1, 1, 5000)),
        }
        for seed in SEEDS
    ]


def pixels() -> list[dict[str, object]]:
    """For each image range: values around every rounding border, and their grey levels."""
    cases = []
    for low, high in RANGES:
        steps = np.arange(-1, 257, dtype=np.float64)
        centres = (low + steps * (high - low) / 255).astype(np.float32)
        borders = (low + (steps - 0.5) * (high - low) / 255).astype(np.float32)
        values = np.concatenate([centres, borders, np.nextafter(borders, np.float32(-np.inf))])
        levels = to_uint8(values[None, None, None], (low, high)).ravel().tolist()
        cases.append({"range": [low, high], "values": _bits(values), "levels": levels})
    return cases


def fits() -> list[dict[str, object]]:
    """Pictures of odd sizes, what becomes of them at another one, and the values that an encoder gets."""
    cases = []
    for height, width, channels, size, wanted in ((9, 12, 4, 4, 1), (5, 5, 3, 8, 3), (7, 16, 1, 5, 3), (6, 4, 4, 3, 4)):
        picture = np.random.RandomState(height).randint(0, 256, (height, width, channels)).astype(np.uint8)
        fitted = fit(picture, size, wanted)
        cases.append(
            {
                "width": width,
                "height": height,
                "data": picture.ravel().tolist(),
                "size": size,
                "channels": wanted,
                "fitted": fitted.ravel().tolist(),
                "range": RANGES[wanted // 2],
                "values": _bits(from_uint8(fitted[None], RANGES[wanted // 2]).ravel()),
            }
        )
    return cases


def noise() -> list[dict[str, object]]:
    """For both ways of drawing z and noise: two inputs of noise for two seeds. An odd z leaves half a pair over."""
    shapes = {"noise.b4.conv1": (1, 4, 4), "noise.b8.conv0": (1, 3, 5)}
    return [
        {"z": z, "noise": drawn, "values": {name: _bits(array.ravel()) for name, array in arrays.items()}}
        for z in ("normal", "uniform")
        for drawn in ("normal", "uniform")
        for arrays in [noise_from_seeds([3, 2**32 - 1], 5, z, drawn, shapes)]  # type: ignore[arg-type]
    ]


def toolbox() -> dict[str, object]:
    """Latents by name, and what each function of the toolbox makes of them."""
    z = z_from_seeds([1, 2, 3], 7)
    ws = np.random.RandomState(4).randn(3, 4, 5).astype(np.float32)
    near = np.nextafter(z, np.float32(9))
    latents = {"z": z, "ws": ws, "one": ws[:1] * 3, "near": near, "opposite": -z, "small": z * 1e-3, "zero": z * 0}
    vector, other = (np.random.RandomState(seed).randn(5).astype(np.float32) for seed in (5, 6))
    t, many = [0.0, 1 / 3, 0.9], [-1.5, 0.25, 2.0]
    made: list[tuple[str, list[object], np.ndarray]] = [
        ("lerp", ["ws", "one", t], lerp(ws, ws[:1] * 3, t)),
        ("lerp", ["z", "near", 0.3], lerp(z, near, 0.3)),
        *[("slerp", ["z", name, t], slerp(z, latents[name], t)) for name in ("near", "opposite", "small", "zero")],
        ("slerp", ["ws", "one", 0.6], slerp(ws, ws[:1] * 3, 0.6)),
        *[("walk", ["z", 5, loop], walk(z, 5, loop=loop)) for loop in (False, True)],
        ("walk", ["ws", 3, True], walk(ws, 3, loop=True)),
        *[
            ("mixStyles", ["ws", "one", list(layers)], mix_styles(ws, ws[:1] * 3, layers))
            for layers in [(0, 2), (3, 4)]
        ],
        ("mixStyles", ["one", "ws", [1, 3]], mix_styles(ws[:1] * 3, ws, (1, 3))),
        ("sweepCoordinate", ["z", 6, many], sweep_coordinate(z, 6, many)),
        ("sweepCoordinate", ["ws", 0, many], sweep_coordinate(ws, 0, many)),
        (
            "moveAlong",
            ["ws", [[_bits(vector), 0.7, None], [_bits(other), many, [1, 3]]]],
            move_along(ws, [Move(vector, 0.7), Move(other, many, (1, 3))]),
        ),
        ("moveAlong", ["one", [[_bits(other), many, [0, 1]]]], move_along(ws[:1] * 3, [Move(other, many, (0, 1))])),
        ("arithmetic", ["ws", "one", "ws"], arithmetic(ws, ws[:1] * 3, ws)),
        ("arithmetic", ["z", "near", "small"], arithmetic(z, near, z * np.float32(1e-3))),
    ]
    cases = [{"call": call, "given": given, "shape": r.shape, "bits": _bits(r.ravel())} for call, given, r in made]
    stored = {name: {"shape": array.shape, "bits": _bits(array.ravel())} for name, array in latents.items()}
    return {"latents": stored, "cases": cases, "class_sweep": class_sweep([8, 5], 3)}


def _bits(values: np.ndarray) -> list[int]:
    return values.astype(np.float32).view(np.uint32).tolist()  # type: ignore[no-any-return]


def _checksum(values: np.ndarray) -> int:
    """Sum of bits times position, modulo 2**32: any other bit, or order, gives another one."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return int((bits * np.arange(1, len(bits) + 1, dtype=np.uint64)).sum() % 2**32)


def texts() -> dict[str, str]:
    """Name and contents of each file."""
    cases = {
        "random_state.json": random_state(),
        "pixels.json": pixels(),
        "fits.json": fits(),
        "noise.json": noise(),
        "toolbox.json": toolbox(),
    }
    return {name: json.dumps(data, separators=(",", ":")) + "\n" for name, data in cases.items()}


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (OUTPUT / name).write_text(text, encoding="ascii")
