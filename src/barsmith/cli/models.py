"""`barsmith models list|describe`: what can be trained here, and what each model is."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.options import Modules, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.verbs import Group, Verb

models = typer.Typer(name="models", cls=Group, help="List and describe the models.")


@models.command("list", cls=Verb)
def list_all(modules: Modules = None, workspace: Workspace = Path(".")) -> Report:
    """The models by family: shipped, of other packages, and your own under models/ of the workspace."""
    return models_report(workspace, modules)


@models.command(cls=Verb)
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, as `models list` shows it.")],
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> Report:
    """What one model is: its idea and source, what it reads, and every parameter with its type, default, limits and purpose."""
    from barsmith.models.describing import described

    find_models(workspace, modules)
    told = described(name, workspace)
    return Report(told, [*sentences(told, workspace), *parameter_table(told)])


def find_models(workspace: Path, modules: list[Path] | None) -> None:
    """Register the user's own models: of the workspace, of its settings, of `--module`."""
    from barsmith.config_reading import load_settings
    from barsmith.models import discover

    named: list[str | Path] = [*load_settings(workspace).settings.models.modules]
    discover(workspace, [*named, *(path.absolute() for path in modules or ())])


def models_report(workspace: Path, modules: list[Path] | None = None) -> Report:
    from barsmith.models import ModelRegistry

    find_models(workspace, modules)
    rows: list[dict[str, Any]] = []
    for info in map(ModelRegistry.info, ModelRegistry.list_all()):
        told = {"name": info.name, "family": info.family, "reads": info.reads, "needs": list(info.needs), "installed": info.is_installed}
        rows.append(told | {"origin": info.origin, "summary": info.summary})
    return Report({"models": rows}, by_family(rows))


def by_family(rows: list[dict[str, Any]]) -> list[str | Table]:
    """A table for each family, in the order of a model's way from rows to predictions of other models."""
    from barsmith.models.registry import FAMILIES

    order = [*FAMILIES, ""]
    says: list[str | Table] = []
    for family, those in groupby(sorted(rows, key=lambda row: order.index(row["family"])), key=lambda row: row["family"]):
        shown = [
            {
                "name": row["name"],
                "reads": row["reads"] or "-",
                "needs": ", ".join(row["needs"]) or "-",
                "installed": row["installed"],
                "summary": row["summary"] or f"of the package {row['origin']}; loaded when it is asked for",
            }
            for row in those
        ]
        says.append(Table(shown, title=family or "of other packages"))
    return says


def sentences(told: dict[str, Any], workspace: Path) -> list[str]:
    own = workspace / told["yaml"]
    gpu = {True: "a GPU where there is one, else the CPU", False: "the CPU", None: "-"}[told["gpu"]]
    install = "yes" if told["installed"] else f"no: {told['install']}"
    says = [
        *(told["description"] or f"{told['name']}: its class has no docstring").splitlines(),
        "",
        f"family     {told['family']}",
        f"reads      {told['reads']}" + (", scaled" if told["needs_scaling"] else ", scaled or not"),
        f"source     {told['source'] or '-'}",
        f"file       {told['file']}",
        f"installed  {install}",
        f"device     {gpu}",
        f"settings   {told['yaml']} of the workspace ({'there' if own.is_file() else 'not there: the defaults hold'}), or --set KEY=VALUE",
    ]
    if told["takes_any_parameter"]:
        says.append("           any training.NAME is taken: the class declares no Params")
    return says


def parameter_table(told: dict[str, Any]) -> list[str | Table]:
    """A line for each parameter; a column for the workspace's own values where one differs from its default."""
    from barsmith.config_words import as_yaml

    rows = told["parameters"]
    is_set = any(row["value"] != row["default"] for row in rows)
    shown = [
        {
            "key": row["key"],
            "default": as_yaml(row["default"]),
            **({"here": as_yaml(row["value"]) if row["value"] != row["default"] else ""} if is_set else {}),
            "type and limits": row["type"],
            "what it does": row["what"],
        }
        for row in rows
    ]
    return [Table(shown)]
