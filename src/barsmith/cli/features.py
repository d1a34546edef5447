"""`barsmith features list|describe`: what can be known at each bar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.options import Modules, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.verbs import Group, Verb
from barsmith.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from barsmith.features.registry import Feature

features = typer.Typer(name="features", cls=Group, help="List the features, or describe one.")


@features.command("list", cls=Verb)
def list_all(modules: Modules = None, workspace: Workspace = Path(".")) -> Report:
    """Every feature that a data run in this workspace computes."""
    found, base = known(workspace, modules)
    rows = [entry(one, base) for one in found.values()]
    return Report(rows, [Table(rows), f"{len(rows)} features; warm-up in finished bars of the timeframe beside it"])


@features.command(cls=Verb)
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A feature, as rsi_14.")],
    modules: Modules = None,
    workspace: Workspace = Path("."),
) -> Report:
    """What one feature is: its idea, unit, source, warm-up and formula."""
    from barsmith.features.formula import formula

    found, base = known(workspace, modules)
    if name not in found:
        raise UsageError("config/unknown-name", expected="a feature's name", came=ascii(name)[:80], do=nearest(name, found))
    one = found[name]
    told = entry(one, base) | {"family": one.family, "params": dict(one.params), "summary": one.summary, "formula": formula(one.expr)}
    chosen = ", ".join(f"{key} {value}" for key, value in one.params) or "none"
    says = [
        f"{one.name}: {one.summary}",
        f"group    {one.group}",
        f"unit     {one.unit or '-'}",
        f"source   {one.source or '-'}",
        f"warm-up  {told['warmup_bars']} bars of {told['timeframe']}",
        f"periods  {chosen}",
        f"formula  {told['formula']}",
    ]
    return Report(told, says)


def known(workspace: Path, modules: list[Path] | None) -> tuple[dict[str, Feature], str]:
    """The features by name under the workspace's settings, where it has any, and its base timeframe."""
    from barsmith.config_reading import load_settings
    from barsmith.pipeline.stages.features import chosen_features

    settings = load_settings(workspace).settings
    files = [*(workspace / path for path in settings.features.modules), *(modules or ())]
    return chosen_features(settings.features, files, settings.timeframes), settings.base_timeframe


def entry(one: Feature, base: str) -> dict[str, Any]:
    bars, timeframe = one.warmup(base)
    return {"name": one.name, "group": one.group, "unit": one.unit, "source": one.source, "warmup_bars": bars, "timeframe": timeframe}


def nearest(name: str, found: dict[str, Feature]) -> str:
    near = did_you_mean(name, found)
    return near if near.startswith("did you mean") else "see `barsmith features list`"
