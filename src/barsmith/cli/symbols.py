"""Contracts as the command line names them: `--symbols MES,MGC`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.config import Settings


def asked(symbols: str | None, settings: Settings) -> list[str]:
    """The contracts asked for, none where it is left to the workspace. Raises UsageError `cli/symbol`."""
    from barsmith.instruments import instrument

    if symbols is None:
        return []
    names = symbols.split(",")
    if not all(names):
        raise symbol_error("symbols separated by single commas", ascii(symbols)[:80], "as MES, or MES,MGC")
    for name in names:
        instrument(name, settings, code="cli/symbol")
    if len(set(names)) < len(names):
        raise symbol_error("each symbol once", ascii(symbols)[:80], "take the second one out")
    if len(names) > 1 and not settings.allow_batch_symbols:
        do = "run them one by one, or set allow_batch_symbols: true: each then runs alone, one after the other"
        raise symbol_error("one symbol a run", ascii(symbols)[:80], do)
    if len(names) > 1 and isinstance(settings.rolls, tuple) and settings.rolls:
        raise symbol_error("rolls for each symbol", "one list for all", f"write rolls: {{{names[0]}: [...], {names[1]}: [...]}}")
    return names


def symbol_error(expected: str, came: str, do: str) -> UsageError:
    return UsageError("cli/symbol", expected=expected, came=came, do=do, where="--symbols")
