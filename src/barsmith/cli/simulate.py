"""`barsmith simulate`: a market whose truth is known, as raw bars of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barsmith.cli.options import Config, Force, NewWorkspace, Overrides, day
from barsmith.cli.printing import Report
from barsmith.cli.progress import timed


def simulate(
    symbol: Annotated[str, typer.Option("--symbol", metavar="SYMBOL", help="The contract, as MES.")] = "MES",
    days: Annotated[int, typer.Option("--days", min=1, max=5000, help="Sessions of the contract's calendar.")] = 250,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 7,
    edge: Annotated[
        float, typer.Option("--edge", help="Mean of the next 5m return in its volatility; 0: direction cannot be predicted.")
    ] = 0.1,
    paths: Annotated[int, typer.Option("--paths", min=0, help="Futures drawn from each bar to know its true odds; 0: none.")] = 512,
    start: Annotated[
        str | None, typer.Option("--start", metavar="YYYY-MM-DD", help="First trade date.", show_default="so that the days end with 2025")
    ] = None,
    force: Force = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: NewWorkspace = None,
) -> Report:
    """Write data/raw/{SYMBOL}_1m.parquet, and the true odds of its labels beside it."""
    from barsmith.bars.simulated_files import about_simulation, write_simulated
    from barsmith.cli.settings import settings_of

    first, folder = day(start), workspace or Path(".")
    settings = settings_of(folder, config, overrides)
    with timed(f"simulating {days} sessions of {symbol}") as tell:
        bars = write_simulated(
            folder, symbol, days=days, seed=seed, edge=edge, paths=paths, start=first, settings=settings, force=force, progress=tell
        )
    truth = bars.with_name(f"{symbol}_truth.parquet")
    found = {"bars": str(bars), "truth": str(truth), "settings": about_simulation(bars)}
    return Report(found, [f"bars in {bars}", f"true odds in {truth}", f"next: `barsmith run --symbols {symbol} --workspace {folder}`"])
