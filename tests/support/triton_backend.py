"""Stands in for Triton's ONNX Runtime backend, which no package registry has; Triton itself starts it.

As the real one does, it joins the requests that Triton hands it at once to one run of the model.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, os.environ["TRITON_TEST_PACKAGES"])

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton  # of Triton


class TritonPythonModel:
    """One instance of a model."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.name, self.version = args["model_name"], args["model_version"]
        self.inputs, self.outputs = ([one["name"] for one in config[kind]] for kind in ("input", "output"))
        file = Path(args["model_repository"]) / self.version / config["default_model_filename"]
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def execute(self, requests):
        given = [
            [np.from_dlpack(triton.get_input_tensor_by_name(request, name)) for name in self.inputs]
            for request in requests
        ]
        sizes = [len(tensors[0]) for tensors in given]
        feeds = {
            name: np.concatenate(tensors) for name, tensors in zip(self.inputs, zip(*given, strict=True), strict=True)
        }
        run = {"model": self.name, "version": self.version, "requests": sizes}
        with Path(os.environ["TRITON_TEST_RUNS"]).open("a") as file:
            file.write(json.dumps(run) + "\n")
        found = self.session.run(self.outputs, feeds)
        parts = [np.split(output, np.cumsum(sizes)[:-1]) for output in found]
        # By DLPack: this Triton was built for NumPy 1, and takes arrays of NumPy 2 for empty ones.
        return [
            triton.InferenceResponse(
                [
                    triton.Tensor.from_dlpack(name, np.ascontiguousarray(part[i]))
                    for name, part in zip(self.outputs, parts, strict=True)
                ]
            )
            for i in range(len(requests))
        ]
