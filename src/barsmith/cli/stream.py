"""`barsmith stream`: minutes in on a line each, signals out on a line each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from barsmith.cli.bars_file import bars_for, load_bundle
from barsmith.cli.options import BundleFolder, Modules, Workspace
from barsmith.cli.printing import answers, say


def stream(
    bundle: BundleFolder,
    history: Annotated[
        Path | None, typer.Option("--history", metavar="FILE", help="Raw bars to read silently after the bundle's own history.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="Keeps each minute, so that a later stream goes on with the same bits.")
    ] = None,
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> None:
    """Minutes on standard input, a signal on standard output for each finished base bar: JSON, one a line.

    In: {"datetime", "open", "high", "low", "close", "volume"}, the datetime in ISO 8601 with its zone. A minute that is refused
    is answered with {"error": ...} and changes nothing; the exit code says so at the end.
    """
    from barsmith.serving.streaming import refusal
    from barsmith.serving.streaming import stream as streamed

    loaded = load_bundle(bundle, workspace, modules)
    before = None
    if history is not None:
        before = bars_for(loaded, history, timezone=None, timestamps=None, on_bad_rows=None, repair=False).frame
    counts = streamed(loaded, lines(sys.stdin.buffer), written, history=before, state=state)
    say(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))
    if (problem := refusal(counts)) is not None:
        raise problem


def written(line: bytes) -> None:
    """At once, whoever reads."""
    output = answers().buffer
    output.write(line)
    output.flush()


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Each line as soon as it has come. Of one that never ends only as much is kept as it takes to refuse it."""
    from barsmith.serving.messages import MAX_BYTES

    while line := file.readline(MAX_BYTES + 1):
        rest = line
        while len(rest) > MAX_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES + 1)
        yield line
