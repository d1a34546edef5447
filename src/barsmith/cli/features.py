"""`barsmith features list|describe|plot|audit`: what can be known at each bar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.features_audit import audit
from barsmith.cli.features_plot import plot
from barsmith.cli.known_features import contract_asked, known_features, nearest
from barsmith.cli.options import Config, Modules, Overrides, Symbol, Workspace
from barsmith.cli.printing import Report, Table, say
from barsmith.cli.settings import settings_of
from barsmith.cli.verbs import Group, Verb
from barsmith.errors import BarsmithError, UsageError

if TYPE_CHECKING:
    from barsmith.config import Settings
    from barsmith.features.picture import Picture
    from barsmith.features.registry import Feature
    from barsmith.pipeline.feature_values import FeatureValues

features = typer.Typer(name="features", cls=Group, help="What can be known at each bar: list, describe, plot, audit.")
features.command("audit", cls=Verb)(audit)
features.command("plot", cls=Verb)(plot)


@features.command("list", cls=Verb)
def list_all(
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only this group, as momentum.", show_default="all")] = None,
    modules: Modules = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Every feature that a data run in this workspace computes."""
    from barsmith.bars.base_bars import bar_kind

    known = known_features(workspace, settings_of(workspace, config, overrides), modules)
    groups = list(dict.fromkeys(one.group for one in known.chosen.values()))
    if group is not None and group not in groups:
        do = nearest(group, groups) if len(groups) > 20 else f"choose among {', '.join(groups)}"
        raise UsageError("config/unknown-name", expected="a group of features", came=ascii(group)[:80], do=do, where="--group")
    rows = [one.entry(known.base) for one in known.chosen.values() if group in (None, one.group)]
    says = [row | {"timeframe": bar_kind(row["timeframe"])} for row in rows]
    counted = f"{len(rows)} features on bars of {known.base}; warm-up in finished bars of the timeframe beside it"
    return Report({"base": known.base, "features": rows}, [Table(says), counted])


@features.command(cls=Verb)
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A feature, as rsi_14.")],
    symbol: Symbol = None,
    depth: Annotated[int, typer.Option("--depth", min=0, max=1000, help="Levels of its graph to draw.")] = 6,
    modules: Modules = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """What one feature is: its idea, unit, source, warm-up, formula and graph, and how its values are spread."""
    from barsmith.features.picture import Picture

    known = known_features(workspace, settings_of(workspace, config, overrides), modules)
    one = known.named(name)
    picture = Picture(one.expr, known.base)
    told = what_it_is(one, known.base, picture) | {"left_out": known.why_left_out(one) or None}
    says: list[str | Table] = [*sentences(told), "", *picture.tree(one.name, depth), ""]
    spread, lines = spread_of(workspace, known.settings, symbol, one)
    return Report(told | {"distribution": spread}, [*says, *lines])


def what_it_is(one: Feature, base: str, picture: Picture) -> dict[str, Any]:
    """All that its definition says."""
    from barsmith.features.formula import formula
    from barsmith.features.learned import is_learned
    from barsmith.features.registry import BASE
    from barsmith.features.settled import STARTS, settled

    measured = settled(one) if base == BASE else None
    return one.entry(base) | {
        "family": one.family,
        "params": dict(one.params),
        "summary": one.summary,
        "formula": formula(one.expr),
        "defined": one.defined,
        "is_learned": is_learned(one.expr),
        "settling": {"measured": measured.measured, "declared": measured.declared, "starts": STARTS} if measured else None,
        "nodes": picture.nodes,
        "graph": picture.as_list(),
    }


def sentences(told: dict[str, Any]) -> list[str]:
    from barsmith.bars.base_bars import bar_kind

    expected = ", expected before it has learned" if told["is_learned"] else ""
    says = [
        f"{told['name']}: {told['summary']}",
        f"group    {told['group']}",
        f"unit     {told['unit'] or '-'}",
        f"source   {told['source'] or '-'}",
        f"warm-up  {told['warmup_bars']:,} bars of {bar_kind(told['timeframe'])}{expected}",
    ]
    if told["left_out"]:
        says.append(f"note     {told['left_out']}")
    if told["settling"] is not None:
        bars = told["settling"]
        says.append(f"settles  after {bars['measured']:,} base bars, measured from {bars['starts']} starts of a simulated market")
    return [
        *says,
        f"periods  {', '.join(f'{key} {value}' for key, value in told['params'].items()) or 'none'}",
        f"defined  {told['defined'] or '-'}",
        f"formula  {told['formula']}",
        f"graph    {told['nodes']} nodes",
    ]


def spread_of(workspace: Path, settings: Settings, symbol: str | None, one: Feature) -> tuple[dict[str, Any] | None, list[str | Table]]:
    """Its distribution on a contract; without --symbol, where there is no choice to make and nothing in the way."""
    from barsmith.pipeline.feature_values import feature_values, only_symbol

    if symbol is not None:
        return distribution(feature_values(workspace, settings, contract_asked(symbol, settings), one, say))
    chosen = only_symbol(workspace, settings)
    if chosen is None:
        return None, ["no distribution: no single contract in data/raw; choose one with --symbol"]
    try:
        return distribution(feature_values(workspace, settings, chosen, one, say))
    except BarsmithError as problem:  # a feature can be described all the same
        return None, [f"no distribution on {chosen}: {problem}"]


def distribution(found: FeatureValues) -> tuple[dict[str, Any], list[str | Table]]:
    """For machines, and as a table with a histogram below."""
    from barsmith.features.distribution import Distribution, Histogram

    parts = {name: Distribution.of(values).as_dict() for name, values in found.parts().items()}
    histogram = Histogram.of(found.parts()["all"])
    told = {
        "symbol": found.symbol,
        "came_from": found.came_from,
        "base": found.base,
        "bars": len(found.values),
        "first_settled": found.first_settled,
        "rows": parts,
        "histogram": histogram.as_dict() if histogram else None,
    }
    title = f"on {found.symbol}, {found.came_from}: {len(found.values):,} bars of {found.base}, settled from bar {found.first_settled:,}"
    table = Table([{"rows": key, **{name: digits(part[key]) for name, part in parts.items()}} for key in parts["all"]])
    return told, [title, table, *(histogram.drawn() if histogram else ["no value among the settled bars"])]


def digits(value: float | int | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
