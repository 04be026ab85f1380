"""An encoder that starts from the discriminator against one that starts from random weights.

`python -m benchmarks.encoder_start runs/digits errors.jsonl` trains both, three seeds each, and writes the error on
held-out pictures as it falls: 2,000 steps from random weights, and from the discriminator until that error is reached.
`… --plot errors.svg` draws what is in the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

STEPS, EVERY, PICTURES, BATCH, SEEDS = 2000, 50, 250, 8, 3
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 300, 56, 40, 16
COLOURS = {True: "#c2410c", False: "#1d4ed8"}
NAMES = {True: "from random weights", False: "from the discriminator"}


def measure(run: Path) -> Iterator[dict[str, Any]]:
    """One record a measurement: start, seed, step, mean squared error of pixels in −1…1."""
    import tensorflow as tf

    from ganexport.encoders import encode
    from ganexport.latents import one_hot
    from ganexport.ops.tensorflow_ops import TensorFlowOps
    from train.data import Sampler, load_dataset, split, to_float
    from train.encoder.options import EncoderOptions
    from train.encoder.start import body_of, find_source
    from train.encoder.step import EncoderState, draw_found, make_encoder_step

    source = find_source(run)
    generator, config = source.generator, source.config
    assert config is not None
    spec = generator.spec
    data = load_dataset(config.data, resolution=spec.resolution, channels=spec.image_channels)
    training, held_out = split(data, config.held_out, 0)
    weights = {name: tf.constant(array) for name, array in generator.weights.items()}
    shown = tf.constant(to_float(held_out.images[:PICTURES]))
    for seed in range(SEEDS):
        reached = 0.0
        for scratch in (True, False):
            options = EncoderOptions(steps=STEPS, batch=BATCH, seed=seed, from_scratch=scratch)
            encoder, start = body_of(source, (), shown.numpy(), from_scratch=scratch)
            state = EncoderState(encoder, options, start)
            step = make_encoder_step(options, state, spec, weights)
            sampler = Sampler(training, seed=seed, batch=BATCH // 2)

            @tf.function(autograph=False)
            def error(state: EncoderState = state, encoder: Any = encoder) -> Any:
                found = encode(TensorFlowOps(), state.weights(), encoder, shown)
                c = tf.one_hot(tf.argmax(found["c_logits"], axis=1), spec.c_dim)
                return tf.reduce_mean(tf.square(draw_found(spec, weights, found["z"], c) - shown))

            for i in range(STEPS):
                images, labels = sampler.sample(i)
                assert labels is not None
                step(tf.constant(images), tf.constant(one_hot(labels.tolist(), spec.c_dim)), tf.constant(i, tf.int32))
                if (i + 1) % EVERY == 0:
                    now = float(error())
                    yield {"scratch": scratch, "seed": seed, "step": i + 1, "real": now}
                    if not scratch and now <= reached:
                        break
            reached = now


def plot(records: list[dict[str, Any]]) -> str:
    """The records as an SVG."""
    top = max(r["real"] for r in records if r["step"] >= 100)
    low = min(r["real"] for r in records) * 0.9
    last = max(r["step"] for r in records)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - 12) * float(step / last)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * float(1 - (value - low) / (top - low))

    steps = range(0, last + 1, 500)
    marks = [f'<text x="{x(step):.0f}" y="{HEIGHT - 22}" text-anchor="middle">{step}</text>' for step in steps]
    for value in np.linspace(low, top, 5):
        marks.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.0f}" text-anchor="end">{value:.3f}</text>')
        marks.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - 12}" stroke="#8884" fill="none"/>')
    for scratch, colour in COLOURS.items():
        for seed in sorted({r["seed"] for r in records if r["scratch"] == scratch}):
            points = [r for r in records if r["scratch"] == scratch and r["seed"] == seed and r["step"] >= 100]
            path = "L".join(f"{x(r['step']):.1f} {y(r['real']):.1f}" for r in points)
            marks.append(f'<path d="M{path}" stroke="{colour}" stroke-width="1.6" fill="none"/>')
    for i, (scratch, colour) in enumerate(COLOURS.items()):
        marks.append(f'<text x="{WIDTH - 190}" y="{TOP + 16 + 18 * i}" fill="{colour}">{NAMES[scratch]}</text>')
    marks.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">steps of {BATCH}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>{"".join(marks)}</svg>\n'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    if chosen.plot is None:
        with chosen.records.open("w", encoding="utf-8") as file:
            for record in measure(chosen.run):
                print(json.dumps(record), file=file, flush=True)
    else:
        lines = chosen.records.read_text(encoding="utf-8").splitlines()
        chosen.plot.write_text(plot([json.loads(line) for line in lines]), encoding="utf-8")
