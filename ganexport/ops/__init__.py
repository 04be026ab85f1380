"""The `Ops` protocol and its interpreters; each interpreter is imported from its own module."""
