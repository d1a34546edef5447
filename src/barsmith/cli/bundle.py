"""`barsmith bundle create|verify|list`: everything between a raw bar and a signal, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.bars_file import load_bundle
from barsmith.cli.options import Modules, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.verbs import Group, Verb

if TYPE_CHECKING:
    from barsmith.serving.bundle import Bundle

bundle = typer.Typer(name="bundle", cls=Group, help="Make, check and list bundles.")


@bundle.command(cls=Verb)
def create(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="A training's folder, as `train` prints it.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The bundle becomes bundles/NAME; an earlier one is replaced.")],
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Make a bundle of a finished training."""
    from barsmith.serving.bundle_making import create_bundle

    made = create_bundle(run, name, workspace, modules or ())
    return Report(about(made), [f"bundle {made.record.name}: {described(made)}", f"written to {made.folder}"])


@bundle.command(cls=Verb)
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle's folder.")],
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Compare every file with the bundle's record, and load it."""
    found = load_bundle(folder, workspace, modules)
    return Report(about(found) | {"state": "ok"}, [f"{found.folder} is what its record says: {described(found)}"])


@bundle.command("list", cls=Verb)
def list_all(workspace: Workspace = Path(".")) -> Report:
    """The bundles of a workspace, and whether they are whole."""
    from barsmith.serving.bundle_making import list_bundles

    rows = list_bundles(workspace)
    return Report({"bundles": rows}, [Table(rows)] if rows else ["no bundle in this workspace: `barsmith bundle create` makes one"])


def about(found: Bundle) -> dict[str, Any]:
    record = found.record
    names = ("name", "symbol", "horizon", "model", "digest")
    told = {"bundle": str(found.folder), **{name: getattr(record, name) for name in names}}
    return told | {
        "created": f"{record.created:%Y-%m-%dT%H:%M:%SZ}",
        "features": len(record.features),
        "files": len(record.files),
        "labels": record.trained.get("labels"),
        "notes": list(found.notes),
    }


def described(found: Bundle) -> str:
    record = found.record
    return f"{record.model} on {record.symbol}, horizon {record.horizon}, {len(record.features)} features, {len(record.files)} files"
