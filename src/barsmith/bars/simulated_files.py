"""A simulated market as the raw files of a workspace: bars that the pipeline reads like any vendor's, and the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from barsmith.artifacts import parse_json, storage_errors, write_parquet
from barsmith.bars.simulate import simulate
from barsmith.config import Settings
from barsmith.errors import IntegrityError, UsageError
from barsmith.instruments import instrument


def write_simulated(
    workspace: Path,
    symbol: str,
    *,
    days: int,
    seed: int,
    edge: float,
    paths: int = 512,
    start: date | None = None,
    settings: Settings | None = None,
    force: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Simulate into `data/raw/{SYMBOL}_1m.parquet` and `data/raw/{SYMBOL}_truth.parquet`; returns the path of the bars.

    The arguments of `simulate`; settings: the workspace's, for its contracts and horizons. An earlier simulation is replaced.
    Raises UsageError `simulate/exists` for a file of bars that barsmith did not simulate, unless force; `cli/symbol`, `simulate/range`.
    """
    settings = settings or Settings()
    folder = Path(workspace) / "data" / "raw"
    contract = instrument(symbol, settings, code="cli/symbol")
    bars = folder / f"{contract.symbol}_1m.parquet"
    refuse_real(bars, force)
    made = simulate(
        symbol,
        days,
        seed,
        edge,
        start=start,
        horizons=settings.label_horizons,
        paths=paths,
        settings=settings,
        progress=progress or (lambda share: None),
    )
    about = {**made.settings, "simulated": True, "horizons": list(made.settings["horizons"])}
    record = write_parquet(bars, made.bars, symbol=symbol, about=about)
    write_parquet(folder / f"{symbol}_truth.parquet", made.truth, symbol=symbol, about=about | {"bars_sha256": record.sha256})
    return bars


def refuse_real(bars: Path, force: bool) -> None:
    """Nobody's real bars are overwritten, and no second file of the same symbol is put beside them."""
    other = bars.with_suffix(".csv")
    if other.exists() or other.is_symlink():
        raise UsageError(
            "simulate/exists",
            expected=f"no other bars of this symbol in {bars.parent}",
            came=other.name,
            do="choose another --workspace, or move that file away",
            where=str(other),
        )
    if (bars.exists() or bars.is_symlink()) and not force and not about_simulation(bars):
        raise UsageError(
            "simulate/exists",
            expected=f"a free {bars.name}, or an earlier simulation",
            came="bars that barsmith did not simulate",
            do="choose another --workspace, or pass --force to replace them",
            where=str(bars),
        )


def about_simulation(bars: Path) -> dict[str, Any] | None:
    """What a file of bars was simulated with, None where it was not. Raises StorageError `io/...` for one that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not bars.is_file():
        return None
    with storage_errors(bars, "read the file"), bars.open("rb") as file:
        try:
            told = (pq.read_metadata(file).metadata or {}).get(b"barsmith")
            about = parse_json(told, str(bars))["about"] if told is not None else {}
        except (pa.ArrowException, IntegrityError, KeyError, TypeError):  # not a file of ours
            return None
    return about if isinstance(about, dict) and about.get("simulated") is True else None
