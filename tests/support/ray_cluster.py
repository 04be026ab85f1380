"""A job on a Ray cluster of two nodes here, of which one is killed on the way, and a job that cannot be written.

A program of its own, since Ray's processes and warnings belong to no test: `python ray_cluster.py BUNDLE OUTPUT COUNT`.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from ganexport import open_bundle
from ganexport.bulk import make, plan

seen = {"started": 0, "died": 0}
get = ray.get


def counting(promise: Any) -> Any:
    """Counts the actors that told of their start, and those that died."""
    try:
        answer = get(promise)
    except ray.exceptions.RayActorError:
        seen["died"] += 1
        raise
    seen["started"] += answer is None
    return answer


def main(bundle: str, output: str, count: int) -> None:
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": quick}  # a death is known within seconds
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    ray.get = counting
    records, done_at_death = Path(output) / "records", []

    def kill() -> None:
        """Both are at work and a few shards are there."""
        while seen["started"] < 2 or len(list(records.glob("[0-9]*.json"))) < 5:
            time.sleep(0.005)
        cluster.remove_node(second, allow_graceful=False)
        done_at_death.append(len(list(records.glob("[0-9]*.json"))))

    threading.Thread(target=kill, daemon=True).start()
    opened = open_bundle(bundle)
    job = plan(opened, count, seed=100, psi=0.7, shard_size=20, format="npz")
    made = make(job, opened, output, engine="ray")
    failed = Path(output).with_name("failed")
    (failed / "00001.npz").mkdir(parents=True)  # a file cannot take its name
    (failed / "job.json").write_bytes((Path(output) / "job.json").read_bytes())
    try:
        make(job, opened, failed, engine="ray", workers=1)
        error = "none"
    except OSError as caught:
        error = type(caught).__name__
    print(json.dumps({"shards": made.shards, "done_at_death": done_at_death, "error": error, **seen}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
