"""Reads what others wrote as plain data: pickles, PyTorch files, archives, safetensors. Nothing in them is executed."""
