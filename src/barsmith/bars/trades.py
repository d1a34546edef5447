"""Exact bars from single trades: tick, volume and dollar bars by their clock, and ordinary minutes for everything else.

Source: Lopez de Prado (2018), section 2.3.1. As there, a trade is never split: the trade that reaches the threshold closes the bar and
belongs to it wholly, and what it brings beyond the threshold is not carried over to the next bar.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from barsmith.bars.clocks import Clock, session_sums, thresholds
from barsmith.bars.minutes import FIELDS, US_PER_MINUTE, moment
from barsmith.bars.sessions import Sessions
from barsmith.compiled import njit
from barsmith.errors import DataError

MOMENT = pl.Datetime("us", "UTC")


def in_session(trades: pl.DataFrame, sessions: Sessions) -> pl.DataFrame:
    """The trades within the sessions."""
    return trades.filter(sessions.numbers(_times(trades) // US_PER_MINUTE) >= 0)


def bars_from_trades(trades: pl.DataFrame, sessions: Sessions, clock: Clock, *, now: datetime | None = None) -> pl.DataFrame:
    """Exact bars of a clock, those that are known by `now` (default: the last trade's time).

    trades: datetime (UTC), price, size and perhaps side and contract, as `read_trades` gives them, within the sessions.
    Returns start, end (first and last trade's time), decision (when the bar is known: its end, or where a session or contract ended before
    the threshold was reached, the session's close or the next contract's first trade), open high low close volume, trades (their number),
    vwap, session_id; with sides also buy_volume and sell_volume; with contracts the contract. No bar straddles a session break or a roll.
    Sessions without a threshold have no bars: with a trailing one the first, and a first that history enters after its opening minute is
    no measure for the next.
    Raises DataError `trades/out-of-session`, `trades/frame`.

        bars = bars_from_trades(in_session(trades, sessions), sessions, Clock("volume", threshold=1000))
    """
    time, price, size, side, contract = _arrays(trades)
    number = sessions.numbers(time // US_PER_MINUTE)
    if (number < 0).any():
        raise _outside(int(time[np.argmin(number)]), sessions)
    amount = np.ones(len(time)) if clock.kind == "tick" else np.ascontiguousarray(clock.amount(price, size))
    first, last = _runs(number)
    is_whole = bool(len(time)) and time[0] // US_PER_MINUTE == sessions.opens[number[0]]
    per_session = thresholds(session_sums(amount, first, last), is_whole, clock)
    threshold = np.repeat(per_session, last - first + 1)
    first, last = _runs(number, contract)
    bars, bar_first, bar_last, reached = _folded(price, size, side, amount, threshold[first], first, last)
    closes = sessions.closes[number[bar_last]] * US_PER_MINUTE
    later = np.append(time, np.iinfo(np.int64).max)[bar_last + 1]
    decision = np.where(reached, time[bar_last], np.minimum(closes, later))
    known = decision <= (_last_time(time) if now is None else int(now.timestamp() * 1e6))
    table = _table(time[bar_first], bars).with_columns(
        pl.Series("end", time[bar_last]).cast(MOMENT),
        pl.Series("decision", decision).cast(MOMENT),
        pl.Series("session_id", number[bar_last], pl.Int64),
    )
    names = ["start", "end", "decision", *FIELDS, "trades", "vwap", "session_id"]
    names += ["buy_volume", "sell_volume"] if "side" in trades.columns else []
    if "contract" in trades.columns:
        table, names = table.with_columns(contract=trades["contract"].gather(bar_last)), [*names, "contract"]
    return table.select(names).filter(pl.Series(known))


def minutes_from_trades(trades: pl.DataFrame, *, now: datetime | None = None) -> pl.DataFrame:
    """Ordinary raw one-minute bars, for `data/raw`: datetime (the minute's open), open high low close volume, and contract where it is named.

    A minute without trades makes no bar; the last one is left out while it is not over by `now` (default: the last trade's time).
    """
    time, price, size, side, contract = _arrays(trades)
    first, last = _runs(time // US_PER_MINUTE, contract)
    never = np.full(len(first), np.inf)
    bars, bar_first, bar_last, _ = _folded(price, size, side, size, never, first, last)
    minute = time[bar_first] // US_PER_MINUTE * US_PER_MINUTE
    is_over = minute + US_PER_MINUTE <= (_last_time(time) if now is None else int(now.timestamp() * 1e6))
    table = _table(minute, bars).rename({"start": "datetime"}).select("datetime", *FIELDS)
    if "contract" in trades.columns:
        table = table.with_columns(contract=trades["contract"].gather(bar_last))
    return table.filter(pl.Series(is_over))


def _arrays(trades: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Microseconds since 1970, price, size, side (0 where unknown) and the contract's number, (n,) each."""
    time = _times(trades)
    price, size = (np.ascontiguousarray(trades[name].cast(pl.Float64).fill_null(np.nan).to_numpy()) for name in ("price", "size"))
    wrong = next((what for what, is_so in _faults(time, price, size).items() if is_so), None)
    if wrong:
        raise _bad_frame(wrong)
    side = trades["side"].fill_null(0).cast(pl.Int8).to_numpy() if "side" in trades.columns else np.zeros(len(time), np.int8)
    contract = trades["contract"].rle_id().to_numpy() if "contract" in trades.columns else np.zeros(len(time), np.int64)
    return time, price, size, np.ascontiguousarray(side), contract


def _times(trades: pl.DataFrame) -> np.ndarray:
    missing = [name for name in ("datetime", "price", "size") if name not in trades.columns]
    if missing:
        raise _bad_frame(f"a frame without {', '.join(missing)}")
    kind = trades["datetime"].dtype
    if not isinstance(kind, pl.Datetime) or kind.time_zone != "UTC" or trades["datetime"].null_count():
        raise _bad_frame(f"datetime of {kind} with {trades['datetime'].null_count()} missing")
    return np.ascontiguousarray(trades["datetime"].dt.cast_time_unit("us").to_physical().to_numpy(), np.int64)


def _faults(time: np.ndarray, price: np.ndarray, size: np.ndarray) -> dict[str, bool]:
    return {
        "times that go back": bool((np.diff(time) < 0).any()),
        "prices that are no numbers above zero": not (np.isfinite(price).all() and (price > 0).all()),
        "sizes that are no numbers above zero": not (np.isfinite(size).all() and (size > 0).all()),
    }


def _bad_frame(came: str) -> DataError:
    expected = "trades in the order of time: datetime (Datetime in UTC), price, size"
    return DataError("trades/frame", expected=expected, came=came, do="read them by read_trades")


def _outside(time: int, sessions: Sessions) -> DataError:
    return DataError(
        "trades/out-of-session",
        expected=f"trades inside the {sessions.hours} sessions of {sessions.calendar}",
        came=f"one at {moment(time // US_PER_MINUTE):%Y-%m-%d %H:%M} UTC",
        do="leave them out by in_session(trades, sessions)",
    )


def _last_time(time: np.ndarray) -> int:
    return int(time[-1]) if len(time) else 0


def _runs(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index of each stretch in which no key changes."""
    if not len(keys[0]):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    changes = np.flatnonzero(np.logical_or.reduce([np.diff(key.astype(np.int64)) != 0 for key in keys]))
    return np.append(0, changes + 1), np.append(changes, len(keys[0]) - 1)


def _table(start: np.ndarray, bars: np.ndarray) -> pl.DataFrame:
    names = (*FIELDS, "vwap", "buy_volume", "sell_volume", "trades")
    columns = {name: np.ascontiguousarray(bars[:, i]) for i, name in enumerate(names)}
    return pl.DataFrame({"start": pl.Series(start).cast(MOMENT), **columns}).with_columns(pl.col("trades").cast(pl.Int64))


def _folded(
    price: np.ndarray, size: np.ndarray, side: np.ndarray, amount: np.ndarray, threshold: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(m, 9) open high low close volume vwap buy_volume sell_volume trades, (m,) first and last trade, (m,) whether it reached the threshold."""
    n = len(price)
    bars, begin, end, reached = np.empty((n, 9)), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    m = fold_trades(price, size, side, amount, threshold, first, last, bars, begin, end, reached)
    return bars[:m].copy(), begin[:m].copy(), end[:m].copy(), reached[:m].copy()


@njit
def fold_trades(price, size, side, amount, threshold, first, last, bars, begin, end, reached):  # type: ignore[no-untyped-def]
    """Fills the bars' columns; how many there are. threshold, first, last: of each stretch that a bar must stay within."""
    k = 0
    for run in range(len(first)):
        if np.isnan(threshold[run]):
            continue
        i = first[run]
        while i <= last[run]:
            head, high, low, total = i, price[i], price[i], 0.0
            volume, worth, bought, sold = 0.0, 0.0, 0.0, 0.0
            while True:
                high, low = max(high, price[i]), min(low, price[i])
                volume += size[i]
                worth += price[i] * size[i]
                bought += size[i] if side[i] > 0 else 0.0
                sold += size[i] if side[i] < 0 else 0.0
                total += amount[i]
                if total >= threshold[run] or i == last[run]:
                    break
                i += 1
            bars[k, 0], bars[k, 1], bars[k, 2], bars[k, 3], bars[k, 4] = price[head], high, low, price[i], volume
            bars[k, 5], bars[k, 6], bars[k, 7], bars[k, 8] = worth / volume, bought, sold, i - head + 1
            begin[k], end[k], reached[k] = head, i, total >= threshold[run]
            k += 1
            i += 1
    return k
