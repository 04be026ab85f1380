"""Seeds labelled by a classifier, on pictures whose attribute is plain to see: bright or dark."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from ganexport.architectures import dcgan
from ganexport.directions.attributes import read_attributes
from ganexport.generator import Generator, Provenance
from ganexport.latents import z_from_seeds
from ganexport.weights import hash_tensors
from train.__main__ import main


def bright_or_dark(path):
    """A generator whose pictures are bright where the first number of z is above 0, dark where it is below."""
    layer = dcgan.Layer(channels=1, kernel=16, stride=1, padding=0, activation="tanh")
    spec = dcgan.Spec(resolution=16, image_channels=1, z_dim=4, layers=(layer,))
    weight = np.zeros((1, 4, 16, 16), np.float32)
    weight[0, 0] = 3.0
    weights = {"synthesis.layer0.weight": weight, "synthesis.layer0.bias": np.zeros(1, np.float32)}
    provenance = Provenance(
        source_format="test", source_sha256=None, weights_sha256=hash_tensors(weights), importer="test", licence="-"
    )
    Generator(spec, weights, provenance).save(path)
    return spec


@pytest.mark.slow
def test_labels_say_what_the_pictures_show(tmp_path, capsys):
    random = np.random.RandomState(0)
    shown = random.randint(0, 2, 200)
    images = np.clip(60 + 140 * shown[:, None, None] + 20 * random.randn(200, 16, 16), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "light.npz", images=images, light=shown, label_names=["dark", "bright"])
    spec = bright_or_dark(tmp_path / "g.safetensors")
    arguments = ["label", str(tmp_path / "g.safetensors"), "--data", str(tmp_path / "light.npz"), "--count", "64"]
    arguments += ["--cache", str(tmp_path), "-o", str(tmp_path / "light.csv")]
    assert main([*arguments, "--attribute", "light"]) == 0
    assert "names 100.0% of real pictures right" in capsys.readouterr().out
    table = read_attributes(tmp_path / "light.csv")
    assert table.seeds == list(range(64)) and table.labels is None
    z = z_from_seeds(range(64), spec.z_dim)
    clear = np.abs(z[:, 0]) > 0.3
    np.testing.assert_array_equal(table.values["bright"][clear], z[clear, 0] > 0)
    np.testing.assert_array_equal(table.values["dark"], 1 - table.values["bright"])
    assert (tmp_path / "light.csv").read_text().splitlines()[0] == "seed,dark,bright"

    assert main([*arguments, "--attribute", "light"]) == 2
    assert "pass --force to replace it" in capsys.readouterr().err
    arguments.append("--force")
    assert main([*arguments, "--attribute", "weight"]) == 2
    assert "no array 'weight' of labels, found ['images', 'light', 'label_names']" in capsys.readouterr().err
    assert main([*arguments, "--attribute", "light", "--classes", "0"]) == 2
    assert "has no class 0" in capsys.readouterr().err
