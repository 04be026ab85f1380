"""How much memory a program took, asked of itself."""

SAY_PEAK = """
import pathlib, re, resource, sys

status = pathlib.Path("/proc/self/status")
if status.exists():  # on Linux ru_maxrss begins with what the parent had
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) << 10)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""Prints the greatest resident memory in bytes; to be put at a program's end."""
