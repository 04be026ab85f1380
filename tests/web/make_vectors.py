"""Write the vectors with which `web_demo/test` checks its arithmetic against Python's.

`python tests/web/make_vectors.py` writes them; a test asserts that they are what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ganexport.latents import noise_from_seeds
from ganexport.pictures import to_uint8

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


def noise() -> list[dict[str, object]]:
    """For both ways of drawing z and noise: two inputs of noise for two seeds. An odd z leaves half a pair over."""
    shapes = {"noise.b4.conv1": (1, 4, 4), "noise.b8.conv0": (1, 3, 5)}
    return [
        {"z": z, "noise": drawn, "values": {name: _bits(array.ravel()) for name, array in arrays.items()}}
        for z in ("normal", "uniform")
        for drawn in ("normal", "uniform")
        for arrays in [noise_from_seeds([3, 2**32 - 1], 5, z, drawn, shapes)]  # type: ignore[arg-type]
    ]


def _bits(values: np.ndarray) -> list[int]:
    return values.astype(np.float32).view(np.uint32).tolist()  # type: ignore[no-any-return]


def _checksum(values: np.ndarray) -> int:
    """Sum of bits times position, modulo 2**32: any other bit, or order, gives another one."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return int((bits * np.arange(1, len(bits) + 1, dtype=np.uint64)).sum() % 2**32)


def texts() -> dict[str, str]:
    """Name and contents of each file."""
    cases = {"random_state.json": random_state(), "pixels.json": pixels(), "noise.json": noise()}
    return {name: json.dumps(data, separators=(",", ":")) + "\n" for name, data in cases.items()}


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (OUTPUT / name).write_text(text, encoding="ascii")
