"""Training on several devices of one machine, with two virtual CPUs in the place of two GPUs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from dataclasses import replace
from train.config import preset
from train import loop
kept = {}
class Watched(loop.State):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        kept["state"] = self
loop.State = Watched
loop.train(replace(preset("digits-tiny"), kimg=0.032, snapshot_kimg=0.032), Path(sys.argv[1]))
for name, variable in kept["state"].g.items():
    first, second = (v.numpy() for v in variable.values)
    np.testing.assert_array_equal(first, second, err_msg=name)
    assert np.isfinite(first).all(), name
"""


@pytest.mark.slow
def test_two_devices_train_one_generator(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "run")],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Training on 2 devices" in done.stdout
    assert len(list((tmp_path / "run" / "generators").iterdir())) == 1
