"""Functions that do not answer: one ends its process, one waits, one fails on a rare bar, one takes its time."""

import os
import time

from barsmith.features import close, feature, open_


def minute(bars):
    return int(bars.datetime[-1].astype("datetime64[m]").astype(int)) // 5


@feature(lookback=3)
def leaves(bars):
    """Ends the process, as if all were well. Unit: -."""
    if minute(bars) % 400 == 399:
        os._exit(0)
    return bars.close * 1.0


@feature(lookback=3)
def waits(bars):
    """Does not come back. Unit: -."""
    while minute(bars) % 400 == 398:
        time.sleep(0.01)
    return bars.close * 1.0


@feature(lookback=3)
def fails(bars):
    """Divides by zero on a rare bar. Unit: -."""
    return bars.close * (1 // (minute(bars) % 401 != 0))


@feature(lookback=3)
def dawdles(bars):
    """Too slow to be asked at every bar. Unit: -."""
    time.sleep(0.02)
    return bars.close * 1.0


@feature(lookback=3)
def quits(bars):
    """Asks Python to end. Unit: -."""
    if minute(bars) % 300 == 299:
        raise SystemExit(0)
    return bars.close * 1.0


@feature
def honest_body():
    """Close over open. Unit: ratio."""
    return close / open_
