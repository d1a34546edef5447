"""The `barsmith` command: one thin file a verb, reports as tables or JSON, errors as exit codes."""

import os
import sys
from typing import NoReturn

from barsmith.cli.app import main

__all__ = ["leave", "main", "program"]


def program() -> NoReturn:
    """The process `barsmith`."""
    leave(main())


def leave(code: int) -> NoReturn:
    """End the process with this exit code, and nothing after it.

    Everything has been written and closed by now. A normal end would tear down the thread pools of native libraries, which on a busy
    machine has aborted (SIGABRT) after a complete answer: a success must not look like a failure.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the reader: `main` has told so already
            code = code or 141
    os._exit(code)
