"""Every way a command can end badly: its exit code, its sentence, and no traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from barsmith.cli.limits import limit
from barsmith.cli.printing import print_json, printable, say
from barsmith.cli.signals import Stopped
from barsmith.errors import BarsmithError, StorageError, UsageError

UsageProblem: Any = typer.BadParameter.__mro__[1]
"""The usage error of the parser under typer, which has moved between releases."""
BROKEN_PIPE = 141


def ended(problem: BaseException, *, as_json: bool, argv: Sequence[str], workspace: Path) -> int:
    """Tell a reader or a machine what went wrong; returns the exit code."""
    cause = problem.__context__ if isinstance(problem, SystemExit) else problem  # rich makes a SystemExit of a broken pipe
    if isinstance(cause, BrokenPipeError):
        silence(sys.stdout)
        return BROKEN_PIPE
    error = error_of(problem, argv, workspace)
    tell(error, as_json=as_json)
    if isinstance(problem, KeyboardInterrupt):
        return problem.exit_code if isinstance(problem, Stopped) else 130
    return error.exit_code


def error_of(problem: BaseException, argv: Sequence[str], workspace: Path) -> BarsmithError:
    """A problem of any kind in the one form of all errors."""
    if isinstance(problem, BarsmithError):
        return problem
    if isinstance(problem, UsageProblem):
        return usage_error(problem)
    if isinstance(problem, KeyboardInterrupt):
        came = str(problem) or "SIGINT"
        return BarsmithError("cli/stopped", expected="to finish", came=came, do="start it again: what was finished is kept")
    if is_short_of_memory(problem):
        return StorageError("io/limit", expected="enough memory", came="less", do="close other programs, or raise the limit (ulimit -v)")
    if isinstance(problem, ModuleNotFoundError) and problem.name and not problem.name.startswith("barsmith"):
        return UsageError(
            "cli/missing-library", expected=f"the library {problem.name}", came="none", do="`barsmith doctor` says what to install"
        )
    if isinstance(problem, OSError) and problem.errno is not None:
        return storage_error(problem)
    log = write_log(problem, argv, workspace)
    came = f"{type(problem).__name__}: {str(problem)[:300]}"
    do = f"please report it with the file {log}" if log else "please report it"
    return BarsmithError("internal/error", expected="barsmith to have foreseen this", came=came, do=do, where=str(log or ""))


def is_short_of_memory(problem: BaseException) -> bool:
    """A library that does not fit fails to load in words of its own, so under a limit (ulimit -v) that counts as well."""
    if isinstance(problem, OSError) and problem.errno is not None:
        return problem.errno == errno.ENOMEM
    is_loading = isinstance(problem, ImportError | OSError) and not isinstance(problem, ModuleNotFoundError)
    return isinstance(problem, MemoryError) or (is_loading and limit("RLIMIT_AS") is not None)


def storage_error(problem: OSError) -> BarsmithError:
    from barsmith.artifacts import storage_errors

    try:
        with storage_errors(Path(str(problem.filename or "standard output")), "read or write"):
            raise problem
    except StorageError as error:
        return error


def usage_error(problem: Any) -> UsageError:
    """The parser's complaint in this house's words."""
    ctx = getattr(problem, "ctx", None)
    path = ctx.command_path if ctx is not None else "barsmith"
    kind, see = type(problem).__name__, f"see `{path} --help`"
    if kind == "NoSuchOption":
        near = sorted(problem.possibilities or ())
        do = f"did you mean {' or '.join(near)}?" if near else see
        return UsageError("cli/usage", expected=f"an option of `{path}`", came=ascii(problem.option_name)[:60], do=do)
    if kind == "MissingParameter":
        return UsageError("cli/usage", expected=named(problem.param), came="none", do=see)
    if kind == "BadOptionUsage":
        return UsageError("cli/usage", expected=f"a value after {problem.option_name}", came="none", do=see)
    message = printable(problem.message)[:200].rstrip(".")
    if kind == "BadParameter":
        return UsageError("cli/type", expected=f"a usable {named(problem.param)}", came=came_of(message), do=see)
    return UsageError("cli/usage", expected=f"arguments that `{path}` takes", came=message, do=see)


def came_of(message: str) -> str:
    """pydantic's sentence on a value, as what came."""
    return message.replace("Input should be", "one that is not", 1)


def named(param: Any) -> str:
    if param is None:
        return "argument"
    return max(param.opts, key=len) if param.param_type_name == "option" else param.name.upper()


def tell(error: BarsmithError, *, as_json: bool) -> None:
    """The error where it is looked for: on standard output under --json, else as a sentence on standard error."""
    if as_json:
        try:
            print_json({"error": error.as_dict()})
            return
        except OSError:  # nobody reads it, or its disk is full: then the sentence
            silence(sys.stdout)
    with contextlib.suppress(OSError):
        say(f"barsmith: {error} [{error.code}]")
    if isinstance(error, StorageError):
        flushed(sys.stdout)


def flushed(stream: Any) -> None:
    """Standard output must not fail a second time when the interpreter flushes it at its end."""
    try:
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: Any) -> None:
    """Point a process's own stream at nothing."""
    if stream is not None and stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def write_log(problem: BaseException, argv: Sequence[str], workspace: Path) -> Path | None:
    """The whole story of an error that nobody foresaw, under logs/ of the workspace, else in the folder for temporary files."""
    from barsmith import __version__

    text = f"barsmith {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    text += f"arguments: {[printable(each) for each in argv]}\n\n" + "".join(traceback.format_exception(problem))
    for folder in log_folders(workspace):
        path = folder / f"barsmith-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
        try:
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return path
    return None


def log_folders(workspace: Path) -> Iterator[Path]:
    if workspace.is_dir():
        yield workspace / "logs"
    yield Path(tempfile.gettempdir())
