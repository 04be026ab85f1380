"""The command line: parsing and printing only; each verb is one call into the library.

The verbs lie by topic in the files of this folder, which put them into `app` when they are imported.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from ganexport.cli import bulk, convert, directions, encode, inspect, play, serve, site, triton  # noqa: F401 (verbs)
from ganexport.cli._shared import app
from ganexport.errors import GanExportError, UserError
from ganexport.terminal import errors, say_error

__all__ = ["app", "main"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, which Typer gives too."""
TERMINATED = 143


def main() -> NoReturn:
    """Run the command line: status 0, 1 for our fault, 2 for the caller's."""
    debug = "--debug" in sys.argv or os.environ.get("GANEXPORT_DEBUG") == "1"
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that what is half written is cleared away
    try:
        status = app(arguments, standalone_mode=False)
    except GanExportError as error:
        if debug:
            raise
        say_error(str(error))
        status = 2 if isinstance(error, UserError) else 1
    except typer.Exit as stop:
        status = stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except OSError as error:
        if debug:
            raise
        say_error(f"{error.filename or type(error).__name__}: {error.strerror or error}")
        status = 2
    except Exception as error:
        if debug or not hasattr(error, "format_message"):
            raise
        say_error(error.format_message())
        status = 2
    if status == INTERRUPTED:
        errors.print("stopped; nothing half-written was left")
    sys.exit(status if isinstance(status, int) else 0)
