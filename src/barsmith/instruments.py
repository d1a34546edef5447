"""What one contract is: tick, multiplier, costs, barriers, calendar and the prices it can have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from barsmith.config import Settings, Unit
from barsmith.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Instrument:
    """One futures contract. tick, min_price, max_price: price units. slippage_ticks: a round trip.

    k_up, k_down: distances of the barriers in barrier_unit: atr, fraction or ticks.
    """

    symbol: str
    tick: float
    usd_per_point: float
    fee_per_side_usd: float
    calendar: str
    k_up: float = 2.0
    k_down: float = 2.0
    slippage_ticks: float = 1.0
    min_price: float = 1e-9
    max_price: float = 1e9
    barrier_unit: Unit = "atr"

    @property
    def price_limits(self) -> tuple[float, float]:
        """A price outside is an error of the feed."""
        return self.min_price, self.max_price

    @property
    def round_trip_usd(self) -> float:
        """What opening and closing one contract costs: two fees and the slippage."""
        return 2 * self.fee_per_side_usd + self.slippage_ticks * self.tick * self.usd_per_point


def _index(symbol: str, usd_per_point: float, fee: float, limits: tuple[float, float]) -> Instrument:
    return Instrument(symbol, 0.25, usd_per_point, fee, "equity_index", 1.5, 1.0, 1.0, *limits)


_SP, _NASDAQ, _GOLD = (50.0, 100_000.0), (50.0, 500_000.0), (50.0, 50_000.0)

SHIPPED = {
    contract.symbol: contract
    for contract in (
        _index("MES", 5.0, 0.62, _SP),
        _index("MNQ", 2.0, 0.62, _NASDAQ),
        _index("ES", 50.0, 2.25, _SP),
        _index("NQ", 20.0, 2.25, _NASDAQ),
        Instrument("MGC", 0.1, 10.0, 0.87, "metals", min_price=_GOLD[0], max_price=_GOLD[1]),
        Instrument("GC", 0.1, 100.0, 2.50, "metals", min_price=_GOLD[0], max_price=_GOLD[1]),
        Instrument("SI", 0.005, 5000.0, 2.50, "metals", min_price=0.5, max_price=1000.0),
        Instrument("CL", 0.01, 1000.0, 2.50, "energy", min_price=0.5, max_price=1000.0),
    )
}
"""The contracts barsmith knows by itself. Fees and slippage are settings: `instruments: {MES: {...}}` replaces a row."""


def instruments(settings: Settings | None = None) -> dict[str, Instrument]:
    """The shipped contracts and the user's, by symbol, with their own barriers."""
    settings = settings or Settings()
    found = dict(SHIPPED)
    for symbol, own in settings.instruments.items():
        values = {**(SHIPPED[symbol].__dict__ if symbol in SHIPPED else {"symbol": symbol}), **own.model_dump(exclude_none=True)}
        found[symbol] = _complete(values)
    return found


def _barriers(settings: Settings, contract: Instrument) -> dict[str, Any]:
    """k_up, k_down and barrier_unit; one of the two may come from below only where both units are the same."""
    own, below = settings.labels, settings.barriers.get(contract.symbol)
    k_up, k_down, unit = (below.k_up, below.k_down, below.unit) if below else (contract.k_up, contract.k_down, contract.barrier_unit)
    if own.k_up is None and own.k_down is None:
        return {"k_up": k_up, "k_down": k_down, "barrier_unit": unit}
    if own.unit != unit and (own.k_up is None or own.k_down is None):
        raise UsageError(
            "config/inconsistent",
            expected=f"both labels.k_up and labels.k_down, since barriers.{contract.symbol} is in {unit} and labels.unit is {own.unit}",
            came="one of the two",
            do=f"set both, or labels.unit: {unit}",
            where="labels.k_up" if own.k_down is None else "labels.k_down",
        )
    return {"k_up": own.k_up or k_up, "k_down": own.k_down or k_down, "barrier_unit": own.unit}


def _complete(values: dict[str, Any]) -> Instrument:
    where = f"instruments.{values['symbol']}"
    missing = [name for name in ("tick", "usd_per_point", "fee_per_side_usd", "calendar") if name not in values]
    if missing:
        raise UsageError(
            "config/missing",
            expected="tick, usd_per_point, fee_per_side_usd and calendar of a new contract",
            came=f"none for {', '.join(missing)}",
            do="add what is missing",
            where=where,
        )
    contract = Instrument(**values)
    if contract.min_price >= contract.max_price:
        came = f"{contract.min_price:g} and {contract.max_price:g}"
        raise UsageError("config/out-of-range", expected="min_price below max_price", came=came, do="correct one", where=where)
    return contract


def instrument(symbol: str, settings: Settings | None = None, *, code: str = "config/symbol") -> Instrument:
    """The contract of `symbol`, with the barriers that the settings give it: those of `barriers`, and over them `labels.k_up`, `labels.k_down`.

    Raises UsageError `code` with the nearest names where there is none, `config/inconsistent` for distances in two units.
    """
    settings = settings or Settings()
    found = instruments(settings)
    if symbol in found:
        return replace(found[symbol], **_barriers(settings, found[symbol]))
    raise UsageError(
        code,
        expected="a known contract",
        came=ascii(symbol[:40]),
        do=f"{did_you_mean(symbol.upper()[:40], found)} (or describe it under `instruments:` in config/pipeline.yaml)",
        where="symbol",
    )
