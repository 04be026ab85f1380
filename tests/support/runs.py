"""Folders like those that training runs write, without any training."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from train.presets import preset

MEASURED: dict[str, Any] = {
    **{"pictures": 2000, "pictures_held_out": 2000, "features": "classifier", "classifier_accuracy": 0.986},
    **{"class_agreement": 0.95, "class_agreement_yardstick": 0.99, "frechet": 8.0, "frechet_yardstick": 1.2},
    **{"kid": 0.06, "kid_yardstick": -0.0004, "precision": 0.9, "recall": 0.8, "path_length_z": 3.2},
    **{"histogram": [0.75, 0.25], "histogram_held_out": [0.5, 0.5], "recall_by_class": [0.5, None]},
}


def write_run(root: Path, lines: int = 400, **settings: Any) -> Path:
    """A run of 10 kimg with `lines` readings, a start, a warning, two measurements and three grids of pictures."""
    (root / "samples").mkdir(parents=True)
    dataclasses.replace(preset("digits"), kimg=10.0, **settings).write(root / "config.json")
    log: list[dict[str, Any]] = [
        {"kimg": 0.0, "event": "start", "time": "2026-01-02T03:04:05+00:00", "device": "Training on an abacus"}
        | {"data": "beans", "licence": "Beans & Co <CC0>", "pictures": 80, "held_out": 20, "tensorflow": "2.21"},
        *({"kimg": 10.0 * (k + 1) / lines, **_reading(k / lines)} for k in range(lines)),
        {"kimg": 9.0, "event": "warning", "name": "collapse", "text": "all alike, <b>truly</b>"},
    ]
    (root / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    measured = [{"kimg": kimg, **MEASURED, "frechet": 80 / kimg} for kimg in (5.0, 10.0)]
    (root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in measured))
    for k, kimg in enumerate((2.0, 5.0, 10.0)):
        grid = np.full((8, 12), 80 * k, np.uint8)
        Image.fromarray(grid).save(root / "samples" / f"kimg{kimg:08.1f}.png")
    return root


def _reading(share: float) -> dict[str, Any]:
    return {
        **{"loss_d": 1.4 - share / 2, "loss_g": 0.7 + math.sin(9 * share), "score_real": share, "score_fake": -share},
        **{"accuracy_real": 0.5 + share / 3, "accuracy_fake": 0.6, "distance_real": 9.0, "distance_fake": 8.0 * share},
        **{"histogram_distance": 30 * (1 - share), "augment_p": share / 2, "rate": None if share < 0.1 else 300.0},
    }
