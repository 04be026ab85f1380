"""Several devices, or several processes, do what one does with the whole batch: the same losses, step by step."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganexport.errors import OptionError
from train.devices import cluster_from, place_in

ROOT = Path(__file__).parents[2]

OF_ONE_DEVICE = ("distance_real", "distance_fake", "histogram_distance")
"""Each device looks at its own pictures only, so these are of smaller batches; nobody learns from them."""

PROGRAM = """
import json, sys
from dataclasses import replace
import numpy as np
cluster, devices, out = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
from train.presets import preset
from train.devices import prepare
from train.state import State
from train.step import kind_at, make_step

STYLE = dict(resolution=8, channels=(8, 8), d_channels=(8, 8), augment=("translate",), augment_p=0.5)
DENSE = dict(resolution=8, channels=(8, 8), d_channels=(8, 8))
place = prepare(0, deterministic=False, cluster=cluster)
losses = {}
for name, changes in (("digits-tiny", STYLE), ("mlp", DENSE)):
    config = replace(preset(name), **changes, batch=16)
    c_dim = 10 if name == "digits-tiny" else 0
    random = np.random.RandomState(0)
    with place.strategy.scope():
        state = State(config, 1, c_dim)
        step_of = make_step(config, state)
        for step in range(2):
            images = random.rand(16, 8, 8, 1).astype(np.float32) * 2 - 1
            one_hot = np.repeat(np.eye(10, dtype=np.float32)[random.randint(0, 10, 4)], 4, axis=0)[:, :c_dim]
            share = 16 // place.strategy.num_replicas_in_sync
            parts = [
                place.strategy.experimental_distribute_values_from_function(
                    lambda c, a=a: tf.constant(a[c.replica_id_in_sync_group * share :][:share]))
                for a in (images, one_hot)
            ]
            logs = step_of(kind_at(config, step))(*parts, tf.constant(step))
            losses |= {f"{name} {step} {k}": float(v) for k, v in logs.items()}
open(out, "w").write(json.dumps({"losses": losses, "text": place.text, "chief": place.chief}))
"""


def start(out, cluster=None, devices=1):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(cluster), str(devices), str(out)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def results(processes, outs):
    for process in processes:
        text = process.communicate(timeout=600)[0]
        assert process.returncode == 0, text[-2000:]
    return [json.loads(out.read_text()) for out in outs]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "losses.json"
    return results([start(out)], [out])[0]["losses"]


def assert_same(losses, expected):
    assert losses.keys() == expected.keys()
    compared = {name: value for name, value in expected.items() if name.split()[-1] not in OF_ONE_DEVICE}
    assert len(compared) > 12
    for name, value in compared.items():
        np.testing.assert_allclose(losses[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.soak
def test_two_devices_of_one_machine_do_what_one_does(alone, tmp_path):
    (found,) = results([start(tmp_path / "two", devices=2)], [tmp_path / "two"])
    assert "Training on 2 devices" in found["text"]
    assert_same(found["losses"], alone)


@pytest.mark.slow
def test_two_workers_do_what_one_does_with_twice_the_batch(alone, tmp_path):
    workers = tuple(f"localhost:{port}" for port in free_ports(2))
    outs = [tmp_path / "first", tmp_path / "second"]
    processes = [start(out, cluster_from(workers, i)) for i, out in enumerate(outs)]
    first, second = results(processes, outs)
    assert "Training on 2 workers, this is worker number 1" in second["text"]
    assert first["chief"] and not second["chief"]
    assert_same(first["losses"], alone)
    assert_same(second["losses"], alone)


@pytest.mark.soak
def test_two_workers_make_one_run(tmp_path):
    """The whole command on both: one folder, written by the first, that one process can go on with."""
    ports = ",".join(f"localhost:{port}" for port in free_ports(2))
    run = [sys.executable, "-m", "train", "run", "digits-tiny", "--out", str(tmp_path / "run"), "--kimg", "0.064"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    processes = [
        subprocess.Popen(
            [*run, "--workers", ports, "--worker", str(i)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(2)
    ]
    texts = [process.communicate(timeout=900)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], texts
    assert "Generator: " in texts[0] and "the first worker has written" in texts[1]
    assert len(list((tmp_path / "run" / "generators").iterdir())) == 1
    longer = subprocess.run(
        [*run[:-1], "0.096"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert longer.returncode == 0 and "Going on from 0.1 kimg" in longer.stdout, longer.stderr[-2000:]


@pytest.mark.parametrize(("workers", "worker"), [(("a:1",), None), ((), 0), (("a:1", "b:1"), 2)])
def test_a_cluster_is_described_whole_or_not_at_all(workers, worker):
    with pytest.raises(OptionError, match="--workers takes host:port"):
        cluster_from(workers, worker)
    assert cluster_from((), None) is None


@pytest.mark.parametrize(
    ("cluster", "kind", "number", "expected"),
    [
        ({}, None, None, (0, True)),
        ({"worker": ["a:1", "b:1"]}, "worker", 0, (2, True)),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, (2, False)),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0, (2, True)),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "worker", 0, (2, False)),
        ({"chief": ["a:1"]}, "chief", 0, (1, True)),
    ],
)
def test_one_writes_the_folder_whatever_the_cluster_calls_it(cluster, kind, number, expected):
    assert place_in(cluster, kind, number) == expected
