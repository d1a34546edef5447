"""`barsmith models list`: what can be trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from barsmith.cli.options import Modules, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.verbs import Group, Verb

models = typer.Typer(name="models", cls=Group, help="List the models.")


@models.command("list", cls=Verb)
def list_all(modules: Modules = None, workspace: Workspace = Path(".")) -> Report:
    """The models by name: shipped, of other packages, and your own under models/ of the workspace."""
    return models_report(workspace, modules)


def models_report(workspace: Path, modules: list[Path] | None = None) -> Report:
    from barsmith.config_reading import load_settings
    from barsmith.models import ModelRegistry, discover

    named: list[str | Path] = [*load_settings(workspace).settings.models.modules]
    named += [path.absolute() for path in modules or ()]
    discover(workspace, named)
    rows: list[dict[str, Any]] = []
    for info in map(ModelRegistry.info, ModelRegistry.list_all()):
        told = {"name": info.name, "family": info.family, "reads": info.reads, "needs": list(info.needs), "installed": info.is_installed}
        rows.append(told | {"origin": info.origin, "summary": info.summary})
    says = [{name: row[name] for name in ("name", "family", "installed", "summary")} for row in rows]
    return Report({"models": rows}, [Table(says)])
