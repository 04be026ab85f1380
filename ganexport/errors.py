"""Every error that ganexport raises on purpose.

::

    GanExportError
    ├── UserError                 the caller can mend it; the command line exits with status 2
    │   ├── SpecError             a generator's description contradicts itself
    │   ├── CheckpointError       a file is no checkpoint, is cut short, or holds something else
    │   │   └── WeightsError      tensors are missing, left over or of the wrong shape
    │   ├── BundleError           a bundle is incomplete, altered or of an unknown schema
    │   ├── OptionError           an argument has no meaning for this generator
    │   ├── OutputExistsError     the output is there already and `force` was not given
    │   ├── MissingExtraError     an optional dependency is not installed
    │   └── DataError             a training set cannot be read
    ├── ServiceError              a server does not answer a request, and says why
    │   ├── BusyError             too much waits already; the caller may come again
    │   ├── DeadlineError         the answer was not there in time
    │   └── RequestError          a request is malformed, or asks for what is not there
    └── ExportError               our side failed; the command line exits with status 1
        ├── ParityError           an artefact does not draw the oracle's picture
        └── RuntimeUnavailableError   a runtime could not be started
"""

from __future__ import annotations

__all__ = [
    "BundleError",
    "BusyError",
    "CheckpointError",
    "DataError",
    "DeadlineError",
    "ExportError",
    "GanExportError",
    "MissingExtraError",
    "OptionError",
    "OutputExistsError",
    "ParityError",
    "RequestError",
    "RuntimeUnavailableError",
    "ServiceError",
    "SpecError",
    "UserError",
    "WeightsError",
]


class GanExportError(Exception):
    """Base of every error raised on purpose; its text is one plain sentence or a short list."""


class UserError(GanExportError):
    """The caller can mend it: bad input, a bad option, a missing file."""


class SpecError(UserError):
    """A generator's description contradicts itself."""


class CheckpointError(UserError):
    """A file is no checkpoint, is cut short, or holds something else."""


class WeightsError(CheckpointError):
    """Tensors are missing, left over or of the wrong shape."""


class BundleError(UserError):
    """A bundle is incomplete, altered or of an unknown schema."""


class OptionError(UserError):
    """An argument has no meaning for this generator."""


class OutputExistsError(UserError):
    """The output is there already and overwriting was not asked for."""


class MissingExtraError(UserError):
    """An optional dependency is not installed."""


class DataError(UserError):
    """A training set cannot be read."""


class ServiceError(GanExportError):
    """A server does not answer a request.

    Attributes:
        status: Of HTTP.
        retry_after: Seconds after which it is worth asking again; None where it is not.
    """

    def __init__(self, text: str, status: int, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class BusyError(ServiceError):
    """Too much waits already, or the server is about to stop."""

    def __init__(self, text: str, retry_after: int, status: int = 429) -> None:
        super().__init__(text, status, max(1, retry_after))


class DeadlineError(ServiceError):
    """The answer was not there in time."""

    def __init__(self, text: str) -> None:
        super().__init__(text, 504)


class RequestError(ServiceError):
    """A request is malformed, or asks for what is not there."""


class ExportError(GanExportError):
    """Our side failed, not the caller's input."""


class ParityError(ExportError):
    """An artefact does not draw the oracle's picture."""


class RuntimeUnavailableError(ExportError):
    """A runtime could not be started: not installed, or it refused to run."""


def shown(text: str, limit: int = 80) -> str:
    """A name out of a file as a message may have it: one line, no control characters, not long."""
    plain = "".join(c if c.isprintable() else "?" for c in text[: limit + 1])
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
