"""Starts a Ray cluster of its own, serves a bundle there, and prints what it answers as JSON."""

from __future__ import annotations

import json
import logging
import socket
import sys
import time

import httpx
import ray
from ray import serve

from ganexport.serve.ray_app import build


def main(bundle: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(address="local", num_cpus=4, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build({"bundles": bundle, "replicas": "2", "most_replicas": "2"}), name="pictures", route_prefix="/")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        image = client.get("/v1/models/digits/image", params={"seed": 42, "label": 3})
        unknown = client.get("/v1/models/digits/image", params={"seed": 42, "label": 11})
        answers = {
            "status": image.status_code,
            "etag": image.headers["etag"],
            "picture": image.content.hex(),
            "unknown": [unknown.status_code, unknown.json()["detail"]],
            "ready": client.get("/v2/health/ready").status_code,
        }
        begin = time.perf_counter()
        statuses = [
            client.get("/v1/models/digits/image", params={"seed": i, "label": 1}).status_code for i in range(50)
        ]
        answers["fifty"] = [sorted(set(statuses)), round(time.perf_counter() - begin, 2)]
    replicas = serve.status().applications["pictures"].deployments["ganexport"].replica_states
    answers["replicas"] = {str(getattr(state, "value", state)): count for state, count in replicas.items()}
    serve.shutdown()
    ray.shutdown()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
