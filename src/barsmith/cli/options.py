"""Options that several verbs share, each with its help and its check."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from barsmith.cli.printing import printable
from barsmith.errors import UsageError


def existing_folder(folder: Path) -> Path:
    """A workspace that is there, else UsageError `cli/path`."""
    try:
        is_folder = folder.is_dir()
    except OSError:
        is_folder = False
    if is_folder and folder.resolve() == Path(folder.resolve().anchor):
        do = "choose a folder of its own"
        raise UsageError(
            "config/path", expected="a folder for a workspace", came="the root of the file system", do=do, where=printable(str(folder))
        )
    if is_folder:
        return folder
    raise UsageError(
        "cli/path",
        expected="a folder",
        came="something else" if folder.exists() else "none",
        do="check --workspace, or make the folder",
        where=printable(str(folder)),
    )


def day(text: str | None, option: str = "--start") -> date | None:
    """YYYY-MM-DD, else UsageError `cli/date`."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        raise UsageError("cli/date", expected="a date as 2025-03-31", came=ascii(text)[:60], do=f"correct {option}") from None


Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help="The folder that holds data, runs and bundles.",
        callback=existing_folder,
        show_default="the current folder",
    ),
]
NewWorkspace = Annotated[
    Path | None,
    typer.Option("--workspace", metavar="DIR", help="The folder to write into; made where there is none.", show_default=False),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings, or - for standard input.", show_default="config/pipeline.yaml of the workspace"
    ),
]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, as section.key=value. Repeatable.")]
Symbol = Annotated[str | None, typer.Option("--symbol", metavar="SYMBOL", help="The contract, as MES.", show_default="the one in data/raw")]
Symbols = Annotated[
    str | None,
    typer.Option("--symbols", metavar="SYMBOL[,SYMBOL]", help="The contract, as MES.", show_default="the one in data/raw"),
]
BundleFolder = Annotated[Path, typer.Option("--bundle", metavar="DIR", help="A bundle's folder.")]
BarsFile = Annotated[Path, typer.Option("--bars", "--input", metavar="FILE", help="Raw one-minute bars, Parquet or CSV.")]
Modules = Annotated[
    list[Path] | None, typer.Option("--module", metavar="FILE", help="A Python file of yours with features or models. Repeatable.")
]
Timezone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Zone of stamps that name none, as America/Chicago.")]
Timestamps = Annotated[str | None, typer.Option("--timestamps", metavar="open|close", help="Which end of its minute a stamp marks.")]
OnBadRows = Annotated[str | None, typer.Option("--on-bad-rows", metavar="refuse|quarantine", help="What to do with bars that cannot be.")]
Repair = Annotated[bool, typer.Option("--repair", metavar="", help="Widen a high or low that the bar's own open or close crosses.")]
Force = Annotated[bool, typer.Option("--force", metavar="", help="Replace what is there.")]
