"""`barsmith features plot`: one feature under the price, as a page to open in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barsmith.cli.known_features import contract_asked, known_features
from barsmith.cli.options import Config, Force, Modules, Overrides, Symbol, Workspace, day
from barsmith.cli.output_file import refuse_output
from barsmith.cli.printing import Report, say
from barsmith.cli.settings import settings_of


def plot(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A feature, as rsi_14.")],
    symbol: Symbol = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="YYYY-MM-DD", help="First trade date; alone: five sessions from there.", show_default="the last five sessions"
        ),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last trade date; alone: the five sessions up to it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page to write.", show_default="results/NAME_SYMBOL.html")
    ] = None,
    modules: Modules = None,
    force: Force = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Draw a feature under the price: one HTML file that needs no network."""
    from barsmith.artifacts import write_bytes
    from barsmith.pipeline.feature_page import feature_page, is_ours, window
    from barsmith.pipeline.feature_values import feature_values
    from barsmith.pipeline.workspace import resolve_symbol

    days = day(first, "--from"), day(last, "--to")
    settings = settings_of(workspace, config, overrides)
    one = known_features(workspace, settings, modules).named(name)
    chosen = contract_asked(symbol, settings) if symbol else resolve_symbol(workspace, settings.symbol)
    path = out or workspace / "results" / f"{one.name}_{chosen}.html"
    refuse_output(path, "plot", (".html", ".htm"), workspace, force=force, is_ours=is_ours)
    values = feature_values(workspace, settings, chosen, one, say)
    rows = window(values, *days)
    write_bytes(path, feature_page(one, values, rows).encode())
    dates = values.bars["trade_date"][rows.start], values.bars["trade_date"][rows.stop - 1]
    told = {"feature": one.name, "symbol": chosen, "came_from": values.came_from, "out": str(path), "bars": len(rows)}
    told |= {"from": f"{dates[0]}", "to": f"{dates[1]}"}
    return Report(told, [f"{len(rows):,} bars of {chosen} from {dates[0]} to {dates[1]}, {values.came_from}", f"written to {path}"])
