"""Readers of generators that are known only as a graph: ONNX, Keras, SavedModel."""
