"""The program `barsmith`: its options, its verbs, and one way in and out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.bundle import bundle
from barsmith.cli.demo import demo
from barsmith.cli.diff import diff
from barsmith.cli.doctor import doctor
from barsmith.cli.features import features
from barsmith.cli.inspect import inspect
from barsmith.cli.models import models
from barsmith.cli.options import Config, Overrides
from barsmith.cli.parity import parity
from barsmith.cli.predict import predict
from barsmith.cli.printing import Report, printable, show
from barsmith.cli.problems import ended, tell
from barsmith.cli.run import rerun, run
from barsmith.cli.signals import stoppable
from barsmith.cli.simulate import simulate
from barsmith.cli.status import status
from barsmith.cli.stream import stream
from barsmith.cli.train import train
from barsmith.cli.validate import validate
from barsmith.cli.verbs import BEFORE, Group, NoVerbError, Verb
from barsmith.errors import UsageError

app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]})
VERBS: dict[str, tuple[Any, ...]] = {
    "Begin": (demo, doctor, simulate),
    "Data": (inspect, run, rerun, status, diff, validate, features),
    "Models": (models, train),
    "Signals": (bundle, predict, stream, parity),
}
for panel, verbs in VERBS.items():
    for verb in verbs:
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, rich_help_panel=panel)
        else:
            app.command(cls=Verb, rich_help_panel=panel)(verb)


@app.callback(invoke_without_command=True)
def program(
    ctx: typer.Context,
    workspace: Annotated[str | None, typer.Option("--workspace", metavar="DIR", help="The folder that holds everything.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object, errors too. May stand anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version and the build.")] = False,
) -> Report | None:
    """Raw one-minute futures bars in, an honestly judged model and live signals out.

    Begin with `barsmith demo`. These options may stand before or after the verb.
    """
    if version:
        if ctx.invoked_subcommand is not None:
            raise UsageError("cli/usage", expected="--version alone", came="a verb as well", do="leave one out")
        return version_report()
    if ctx.invoked_subcommand is None:
        raise NoVerbError(ctx)
    before = [("--workspace", workspace), ("--config", config), *(("--set", each) for each in overrides or ())]
    ctx.meta[BEFORE] = [str(word) for option, value in before if value is not None for word in (option, value)]
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run `barsmith` with these arguments (default: the process's own); returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    open_streams()
    words, as_json = without_json(given)
    with stoppable(), careful_modes():
        try:
            return answered(words, as_json=as_json)
        except BaseException as problem:  # noqa: BLE001 the last one to catch anything: nothing is swallowed
            return ended(problem, as_json=as_json, argv=given, workspace=workspace_of(given))


def answered(words: list[str], *, as_json: bool) -> int:
    for word in words:
        refuse_broken(word)
    command = typer.main.get_command(app)
    try:
        with command.make_context("barsmith", words) as ctx:
            report = command.invoke(ctx)
        if report is None:
            return 0
        show(report, as_json=as_json)
        return int(report.exit_code)
    except typer.Exit as end:  # help was printed
        sys.stdout.flush()
        return end.exit_code
    except NoVerbError as problem:
        if as_json:
            tell(problem, as_json=True)
        else:
            typer.echo(problem.ctx.get_help())
        return problem.exit_code


def without_json(given: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without `--json`, and whether it was there: it may stand anywhere before `--`."""
    end = given.index("--") if "--" in given else len(given)
    words = [word for word in given[:end] if word != "--json"]
    return [*words, *given[end:]], len(words) < end


def workspace_of(given: Sequence[str]) -> Path:
    """The workspace that the arguments name, for a log: they may not have been read yet."""
    for i, word in enumerate(given):
        if word.startswith("--workspace="):
            return Path(word.partition("=")[2])
        if word == "--workspace" and i + 1 < len(given):
            return Path(given[i + 1])
    return Path(".")


def refuse_broken(word: str) -> None:
    """Arguments are text: bytes that are not UTF-8 would come out as another name."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "cli/encoding", expected="arguments in UTF-8", came=printable(word)[:100], do="rename the file, or correct the argument"
        ) from None


def open_streams() -> None:
    """A closed standard stream would lend its number to the next file that is opened; and what cannot be encoded is escaped."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 open as long as the process
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def careful_modes() -> Iterator[None]:
    """Whatever the umask allows: what a command writes can be changed by its owner alone."""
    before = os.umask(0o022)
    os.umask(before | 0o022)
    try:
        yield
    finally:
        os.umask(before)


def version_report() -> Report:
    import platform

    from barsmith import __version__
    from barsmith.cli.build import build_id

    build = build_id()
    says = f"barsmith {__version__}, build {build}, Python {platform.python_version()}"
    return Report({"version": __version__, "build": build, "python": platform.python_version()}, [says])
