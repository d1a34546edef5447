"""What a workspace brings to a run: the contracts in data/raw, their files, the user's own, and the keys that stand for them."""

from __future__ import annotations

from pathlib import Path

from barsmith.artifacts import record_of
from barsmith.bars.base_bars import base_name
from barsmith.config import LabelSettings, Settings, canonical
from barsmith.errors import UsageError
from barsmith.instruments import instrument
from barsmith.pipeline.stage import Given

SUFFIXES = (".parquet", ".csv")


def resolve_symbol(workspace: Path, symbol: str | None) -> str:
    """The symbol asked for, else the only one in data/raw. Raises UsageError `cli/symbol` that names them."""
    if symbol is not None:
        return symbol
    found = symbols_of(workspace)
    if len(found) == 1:
        return found[0]
    came = f"several: {', '.join(found)}" if found else "none"
    do = f"say which: --symbol {found[0]}" if found else "put bars into data/raw/{SYMBOL}_1m.parquet, or `barsmith simulate`"
    raise UsageError("cli/symbol", expected="one symbol in data/raw, or --symbol", came=came, do=do, where=str(workspace / "data" / "raw"))


def symbols_of(workspace: Path) -> list[str]:
    return sorted({path.name.removesuffix(path.suffix)[:-3] for s in SUFFIXES for path in (workspace / "data" / "raw").glob(f"*_1m{s}")})


def raw_file(workspace: Path, symbol: str) -> Path:
    """data/raw/{SYMBOL}_1m.parquet or .csv. Raises UsageError `bars/not-found`, or `bars/two-files` where there are both."""
    folder = workspace / "data" / "raw"
    found = [path for suffix in SUFFIXES if (path := folder / f"{symbol}_1m{suffix}").exists() or path.is_symlink()]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            "bars/two-files", expected="one file of bars", came="a .parquet and a .csv", do="remove one of them", where=str(folder)
        )
    there = ", ".join(symbols_of(workspace)) or "no file"
    do = f"put them there, or `barsmith simulate --symbol {symbol}` for a market of its own"
    raise UsageError("bars/not-found", expected=f"{symbol}_1m.parquet or {symbol}_1m.csv", came=there, do=do, where=str(folder))


def givens(workspace: Path, settings: Settings) -> dict[str, Given]:
    """What comes to the stages from outside the settings' sections, each with the key that stands for it.

    The contract comes without the barriers that the settings choose for it, so that another choice is felt by the labels alone.
    """
    symbol = str(settings.symbol)
    chosen = instrument(symbol, settings)
    barriers = (chosen.k_up, chosen.k_down, chosen.barrier_unit)
    contract = instrument(symbol, settings.model_copy(update={"labels": LabelSettings(), "barriers": {}}))
    raw = raw_file(workspace, symbol)
    files = tuple(workspace / path for path in settings.features.modules)
    for path in files:
        if not path.is_file():
            raise UsageError("features/module", expected="a Python file", came="none", do="check features.modules", where=str(path))
    rolls = settings.roll_minutes(symbol)
    raw_key = record_of(raw).sha256 if raw.is_file() else "none"  # anything but a file is refused by its reader
    return {
        "raw_file": Given(raw, raw_key),
        "instrument": Given(contract, canonical(contract.__dict__)),
        "barriers": Given(barriers, canonical(list(barriers))),
        "base": Given(base_name(settings, contract), base_name(settings, contract)),
        "rolls": Given(rolls, canonical(list(rolls))),
        "feature_files": Given(files, canonical([record_of(path).sha256 for path in files])),
        "event_file": users_file(workspace, settings.events),
        "signal_file": users_file(workspace, settings.labels.primary_signal),
    }


def users_file(workspace: Path, name: str | None) -> Given:
    """A file that the settings name, and the workspace; None where they name none."""
    if name is None:
        return Given(None, "none")
    file = workspace / name
    return Given((file, workspace), record_of(file).sha256 if file.is_file() else "no file")  # which its reader refuses
