"""Projection to w: what was drawn is found again."""

import math

import numpy as np
import pytest
from PIL import Image
from support.generators import dcgan_spec, make_generator, random_tensors, stylegan2_spec

tf = pytest.importorskip("tensorflow")

from ganexport.errors import OptionError  # noqa: E402
from ganexport.latent_files import read_latents  # noqa: E402
from ganexport.latents import z_from_seeds  # noqa: E402
from ganexport.pictures import to_uint8  # noqa: E402
from train.__main__ import main  # noqa: E402
from train.drawing import Drawer  # noqa: E402
from train.project import ProjectOptions, project, pyramid_distance, schedule  # noqa: E402


def drawn(generator, ws):
    images = Drawer(generator.spec, lambda: generator.weights).images(ws)
    return to_uint8(images.transpose(0, 3, 1, 2), generator.spec.image_range)


@pytest.mark.slow
def test_a_drawn_picture_is_found_again(tmp_path):
    spec = stylegan2_spec(c_dim=0, resolution=8, channels=(6, 4))
    # Paler than usual, so that no pixel is cut off at black or white.
    tensors = {n: a * np.float32(0.6 if ".torgb." in n else 1) for n, a in random_tensors(spec).items()}
    generator = make_generator(spec, tensors)
    drawer = Drawer(generator.spec, lambda: generator.weights)
    picture = drawn(generator, drawer.ws(z_from_seeds([3], generator.spec.z_dim)))[0]
    Image.fromarray(picture).save(tmp_path / "three.png")
    generator.save(tmp_path / "g.safetensors")
    out = tmp_path / "three.safetensors"
    command = ["project", str(tmp_path / "g.safetensors"), str(tmp_path / "three.png"), "-o", str(out)]
    assert main([*command, "--steps", "300"]) == 0
    found = read_latents(out)
    assert (found.space, found.latents.shape, found.names) == ("w", (1, 4, 7), ("three.png",))
    assert (found.latents == found.latents[:, :1]).all()  # one w for all layers

    mean = drawer.ws(z_from_seeds(range(500), generator.spec.z_dim)).mean(axis=0, keepdims=True)

    def error(ws):
        return np.sqrt(np.square(drawn(generator, ws)[0].astype(float) - picture).mean())

    assert error(found.latents) < 0.25 * error(mean)
    assert main(command) == 2  # the output is there


def test_the_distance_is_that_of_every_size():
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((2, 16, 16, 3)).astype(np.float32) for _ in range(2))
    difference, expected = (a - b).astype(np.float64), []
    for _ in range(3):  # 16², 8², 4²
        expected.append(np.square(difference).mean())
        half = difference.shape[1] // 2
        difference = difference.reshape(2, half, 2, half, 2, 3).mean(axis=(2, 4))
    assert float(pyramid_distance(tf.constant(a), tf.constant(b))) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_schedule_is_the_published_one():
    assert schedule(0.0) == (0.0, 0.05)
    assert schedule(0.025)[0] == pytest.approx(0.5)
    assert schedule(0.5) == (1.0, pytest.approx(0.05 / 9))
    assert schedule(0.75) == (1.0, 0.0)
    assert schedule(0.875)[0] == pytest.approx(0.5)
    assert schedule(0.95)[0] == pytest.approx(0.5 - 0.5 * math.cos(math.pi * 0.2))


def test_what_cannot_be_projected_is_refused():
    with pytest.raises(OptionError, match="dcgan generator has no w space"):
        project(make_generator(dcgan_spec()), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(OptionError, match=r"must be what the generator draws, found \[8, 8, 3\]"):
        project(make_generator(stylegan2_spec()), np.zeros((8, 8, 3), np.uint8), ProjectOptions(steps=1))
