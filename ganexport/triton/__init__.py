"""Bundles as a model repository for Triton Inference Server: `onnx/generator.onnx` and what Triton wants beside it."""

from ganexport.triton.repository import Placed, TritonOptions, write_repository

__all__ = ["Placed", "TritonOptions", "write_repository"]
