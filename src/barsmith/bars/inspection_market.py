"""Which market a file's bars are of: the step of its prices, the names it gives, and the vendor whose form it has."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from barsmith.bars.columns import plain
from barsmith.bars.contracts import EXCHANGE_NAME, several
from barsmith.bars.inspection_notes import LIKELY, SURE, UNKNOWN, Notes
from barsmith.bars.minutes import FIELDS
from barsmith.bars.number_columns import decimal_sign, numbers
from barsmith.bars.quality import Quality
from barsmith.errors import DataError
from barsmith.instruments import Instrument

FINEST, DECIMALS = 9, 7
"""Prices are compared to the ninth decimal; a step has seven at most."""
LARGEST = 9e9
ON_GRID = 0.99
USUAL = 12
"""So many of the commonest differences between neighbouring prices, and what divides them, come into question as the step."""
ROOT = re.compile(r"[@/]?([A-Z0-9]{1,12}?)(?:=F|\d?!|[.][CNV][.]\d+|#)?")
COMPACT = re.compile(r"\d{8} \d{6}")
WORDS = re.compile(r"[A-Za-z0-9]+!?(?: \d\d-\d\d)?")
SETTABLE = re.compile(r"[A-Z][A-Z0-9]{0,11}")
MANY = 1000
"""Prices from which their step is sure."""
FIXED_POINT = 1e8
"""Median of whole-number prices from which they are no prices of a contract but multiples of 1e-9."""


@dataclass(frozen=True)
class Tick:
    """size: the largest step on which nearly all prices lie, None where there is none. off: how many of how many prices do not."""

    size: float | None
    off: int
    of: int


def tick_of(prices: Sequence[np.ndarray]) -> Tick:
    """The step of these prices, of which a few may be wrong. Prices that were adjusted or averaged have none."""
    told = pl.Series("price", np.concatenate(prices)).value_counts().sort("price")
    values, counts = told["price"].to_numpy(), told["count"].to_numpy().astype(np.int64)
    good = np.isfinite(values) & (np.abs(values) < LARGEST)
    values, counts = np.rint(values[good] * 10**FINEST).astype(np.int64), counts[good]
    total = int(counts.sum())
    steps, times = np.unique(np.diff(values), return_counts=True)
    usual = steps[np.argsort(-times, kind="stable")[:USUAL]]
    pairs = {int(np.gcd(a, b)) for a in usual for b in usual} | {int(np.gcd.reduce(usual))} if len(usual) else set()
    for step in sorted((step for step in pairs if step >= 10 ** (FINEST - DECIMALS)), reverse=True):
        off = int(counts[values % step != 0].sum())
        if off <= (1 - ON_GRID) * total:
            return Tick(step / 10**FINEST, off, total)
    return Tick(None, 0, total)


@dataclass(frozen=True)
class Names:
    """roots: root -> bars that name it. contracts, spreads: their names, most bars first."""

    roots: Mapping[str, int]
    contracts: tuple[str, ...] = ()
    spreads: tuple[str, ...] = ()


def names_in(frame: pl.DataFrame) -> Names:
    """What the columns `contract` and `symbol` name."""
    roots: Counter[str] = Counter()
    contracts: Counter[str] = Counter()
    spreads: Counter[str] = Counter()
    for column in ("contract", "symbol"):
        if column not in frame.columns or contracts or spreads:
            continue
        told = frame[column].cast(pl.String, strict=False).drop_nulls().value_counts()
        for name, count in told.sort("count", column, descending=[True, False]).iter_rows():
            text = name.strip().upper()
            legs = [leg for leg in map(EXCHANGE_NAME.fullmatch, text.split("-")) if leg]
            outright = EXCHANGE_NAME.fullmatch(text)
            if outright:
                contracts[name] += count
                roots[outright["root"]] += count
            elif len(legs) > 1:
                spreads[name] += count
                roots[legs[0]["root"]] += count
            elif root := ROOT.fullmatch(text):
                roots[root[1]] += count
    return Names(dict(roots.most_common()), *(tuple(name for name, _ in each.most_common()) for each in (contracts, spreads)))


def root_in_name(file_name: str, known: Mapping[str, Instrument]) -> str | None:
    """The known contract that a file's name says: `MES_1m.csv`, `MES 09-25.Last.txt`, `CME_MINI_MES1!, 1.csv`."""
    base = re.split(r"[\\/]", file_name)[-1]
    for word in (word for part in base.split("_") for word in WORDS.findall(part)):
        text = word.upper()
        contract, root = EXCHANGE_NAME.fullmatch(text), ROOT.fullmatch(text)
        for found in (text, contract["root"] if contract else None, root[1] if root else None):
            if found in known:
                return found
    return None


def candidates(tick: Tick, price: float, known: Mapping[str, Instrument]) -> list[str]:
    """The known contracts with this step, whose limits hold this price."""
    if tick.size is None:
        return []
    return [
        one.symbol for one in known.values() if math.isclose(one.tick, tick.size, rel_tol=1e-6) and one.min_price <= price <= one.max_price
    ]


@dataclass(frozen=True)
class Vendor:
    """Whose form a file has, by what, and the vendor's habit where there is one: the end of the minute stamped, and the zone."""

    name: str
    evidence: str
    timestamps: str | None = None
    timezone: str | None = None


def vendor_of(quality: Quality, stamps: pl.Series | None) -> Vendor | None:
    """The vendor of a file with these columns; None where the form is anybody's.

    Sources: databento.com/docs/schemas-and-data-formats (ts_event of ohlcv is the open, UTC); ninjatrader.com helpGuides, Importing (exports are in UTC,
    `yyyyMMdd HHmmss;open;high;low;close;volume`, the end of the bar); interactivebrokers.github.io/tws-api/historical_bars (the open of the bar).
    """
    names = {plain(name) for name in (*quality.columns.values(), *quality.ignored)}
    stamp = plain(quality.columns.get("datetime", ""))
    first = str(stamps[0]) if stamps is not None and stamps.dtype == pl.String and len(stamps) else ""
    if stamp == "ts_event" and names & {"rtype", "publisher_id", "instrument_id"}:
        return Vendor("Databento", "the columns ts_event, rtype, publisher_id or instrument_id", "open", "UTC")
    if names & {"average", "wap"} and names & {"barcount", "bar_count", "count"}:
        return Vendor("Interactive Brokers", "the columns average and barCount", "open")
    if re.search(r"\d [A-Z]\w+/[A-Z]\w+$", first):
        return Vendor("Interactive Brokers", f"stamps such as {first[:40]!a}", "open")
    if COMPACT.fullmatch(first) and quality.separator == ";":
        return Vendor("NinjaTrader", f"stamps such as {first!a} before semicolons", "close", "UTC")
    if COMPACT.fullmatch(first):
        return Vendor("NinjaTrader", f"stamps such as {first!a}, which its exports have, in another table", "close", "UTC")
    if stamp == "time" and "date" not in names and quality.format == "csv":
        return Vendor("TradingView", "a column time before open, high, low and close", "open")
    return None


@dataclass(frozen=True)
class Source:
    """A file's columns as they came, and what its form tells at once."""

    frame: pl.DataFrame
    quality: Quality
    names: Names
    vendor: Vendor | None

    @classmethod
    def of(cls, frame: pl.DataFrame, quality: Quality) -> Source:
        stamps = next((frame[name] for name in ("datetime", "date") if name in frame.columns), None)
        return cls(frame, quality, names_in(frame), vendor_of(quality, stamps))

    @property
    def name(self) -> str:
        return self.quality.source

    def outright(self) -> np.ndarray:
        """(n,) bool: bars that are not of a calendar spread. Raises DataError `bars/several-contracts` where there is none."""
        column = next((name for name in ("contract", "symbol") if name in self.frame.columns), None)
        if column is None or not self.names.spreads:
            return np.ones(self.frame.height, bool)
        mask = ~self.frame[column].cast(pl.String, strict=False).is_in(list(self.names.spreads)).fill_null(False).to_numpy()
        if not mask.any():
            raise several("calendar spreads alone", self.name, "export the contracts themselves")
        return mask


def tell_symbol(source: Source, notes: Notes, given: str | None, known: Mapping[str, Instrument]) -> str | None:
    """The symbol, where the user, the file's columns or its name tell it. Raises DataError `bars/symbol` for several markets."""
    roots = list(source.names.roots)
    if given:
        symbol, certainty, evidence = given, SURE, "you said so"
    elif len(roots) > 1:
        came = f"those of {', '.join(roots[:8])}"
        raise DataError("bars/symbol", expected="bars of one market", came=came, do="split the file, one market each", where=source.name)
    elif roots:
        symbol, certainty, evidence = roots[0], SURE, f"the names in the file: {', '.join((*source.names.contracts, *roots)[:4])}"
    elif named := root_in_name(source.name, known):
        symbol, certainty, evidence = named, LIKELY, "the file's name"
    else:
        return None
    notes.says("symbol", symbol, certainty, evidence)
    if SETTABLE.fullmatch(symbol):
        notes.sets("symbol", symbol, certainty)
    else:
        notes.asks("symbol", f"Under which name shall {symbol} be kept? A symbol begins with a letter; name the column or the file so.")
    return symbol


def tell_prices(source: Source, notes: Notes) -> dict[str, np.ndarray]:
    """open high low close volume of single contracts as float64, whole-number prices of fixed point made prices."""
    decimal = source.quality.decimal or decimal_sign(source.frame, FIELDS, source.name)
    outright = source.outright()
    values = {name: numbers(source.frame[name], decimal, source.name)[outright] for name in FIELDS}
    prices = np.concatenate([values[name] for name in FIELDS[:4]])
    prices = prices[np.isfinite(prices)]
    if not len(prices) or np.median(prices) < FIXED_POINT or not bool((prices == np.floor(prices)).all()):
        return values
    certainty = SURE if source.vendor is not None and source.vendor.name == "Databento" else LIKELY
    notes.says("prices", "fixed point, 9 decimals", certainty, f"whole numbers such as {prices[0]:.0f}, as Databento writes them")
    notes.sets("ingest.fixed_point", 9, certainty)
    return values | {name: values[name] / 1e9 for name in FIELDS[:4]}


def tell_market(notes: Notes, symbol: str | None, tick: Tick, price: float, known: Mapping[str, Instrument]) -> Instrument | None:
    """The contract, and whether its step is the one that the prices have."""
    contract = known.get(symbol) if symbol else None
    fits = tick.size is not None and (contract is None or _is_multiple(tick.size, contract.tick))
    share = f"{tick.of - tick.off:,} of {tick.of:,} prices are multiples of it"
    said = share if tick.size else "prices lie on no grid: they may have been adjusted or averaged, or are too few"
    said += f"; {contract.symbol} trades in {contract.tick:g}{'' if fits else ', which these do not'}" if contract else ""
    notes.says("tick", f"{tick.size:g}" if tick.size else "none", SURE if fits and tick.of > MANY else LIKELY, said)
    if contract is not None and not fits:
        notes.asks("symbol", f"Are these bars of {contract.symbol}, unadjusted? Their prices are no multiples of {contract.tick:g}.")
    if symbol is None:
        likely = candidates(tick, price, known)
        hint = f" Their step and level fit {', '.join(likely)}." if likely else ""
        notes.says("symbol", "", UNKNOWN, f"neither a column nor the file's name says it.{hint}")
        notes.asks("symbol", f"Whose bars are these?{hint} Name the file SYMBOL_1m, as data/raw/MES_1m.csv, or pass --symbol.")
    elif contract is None:
        step = f"tick: {tick.size:g}, " if tick.size else ""
        described = f"instruments: {{{symbol}: {{{step}usd_per_point: ?, fee_per_side_usd: ?, calendar: ?}}}}"
        notes.asks("instruments", f"barsmith does not know {symbol}. What is it? {described}")
    return contract


def _is_multiple(step: float, tick: float) -> bool:
    return abs(step / tick - round(step / tick)) < 1e-6 and step >= tick * (1 - 1e-6)
