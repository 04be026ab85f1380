"""Many machines: a real Ray cluster of two nodes, one of which is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.trees import tree

from ganexport import open_bundle
from ganexport.bulk import make, plan
from ganexport.errors import OptionError

PROGRAM = Path(__file__).parents[1] / "support" / "ray_cluster.py"
ROOT = Path(__file__).parents[2]


@pytest.mark.soak
def test_a_node_that_is_killed_costs_no_picture(digits_bundle: Path, tmp_path: Path) -> None:
    """What both nodes made together, and one of them alone, is what is made here; an error comes back as it is."""
    bundle, count = open_bundle(digits_bundle), 4000
    make(plan(bundle, count, seed=100, psi=0.7, shard_size=20, format="npz"), bundle, tmp_path / "here")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(digits_bundle), str(tmp_path / "ray"), str(count)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert told["died"] >= 1, "the killed node's actor was to be at work"
    assert told["done_at_death"][0] < 200, "it was to be killed half-way"
    assert (told["shards"], told["error"]) == (200, "IsADirectoryError")
    assert tree(tmp_path / "ray") == tree(tmp_path / "here")


def test_what_only_this_process_reaches_is_refused(digits_bundle: Path) -> None:
    bundle = open_bundle(digits_bundle)
    with pytest.raises(OptionError, match="an output that every machine reaches"):
        make(plan(bundle, 3, format="npz"), bundle, "memory://ray-test", engine="ray")
