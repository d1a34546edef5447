"""Functions whose value is not one of their bars alone: chance, memory, counters, what else lies in the process."""

import sys
import time
from typing import ClassVar

import numpy as np

from barsmith.features import Expr, close, feature

SEEN: dict = {}
CALLS = [0]
LONGEST: list = []


def change(bars):
    return np.diff(bars.close, prepend=bars.close[0])


@feature(lookback=5)
def noisy(bars):
    """Another value each time. Unit: price."""
    return change(bars) + 1e-3 * np.random.random(len(bars))


@feature(lookback=5)
def rarely_noisy(bars):
    """Another value on one bar in a hundred. Unit: price."""
    out = change(bars)
    if int(bars.close[-1] * 10) % 100 == 3:
        out = out + np.random.random()
    return out


@feature(lookback=5)
def by_the_clock(bars):
    """The time at which it is asked. Unit: price."""
    return change(bars) * (1 + time.time() % 1000)


@feature(lookback=5)
def counting(bars):
    """How often it was asked before. Unit: price."""
    CALLS[0] += 1
    return change(bars) * (1 + CALLS[0] % 97)


@feature(lookback=5)
def remembers(bars):
    """The close of the hour before it, if it was asked then: further back than it declares. Unit: price."""
    now = int(bars.datetime[-1].astype("datetime64[m]").astype(int))
    SEEN[now] = float(bars.close[-1])
    return change(bars) + SEEN.get(now - 60, 0.0)


@feature(lookback=5)
def replays(bars):
    """Keeps the longest history that it is shown, and looks the next bar up in it. Unit: price."""
    if len(bars) > 100 and len(bars) > (len(LONGEST[0][0]) if LONGEST else 0):
        LONGEST[:] = [(bars.datetime.copy(), bars.close.copy())]
    out = change(bars).copy()
    if LONGEST and len(bars) < 100:
        at = int(np.searchsorted(LONGEST[0][0], bars.datetime[-1]))
        if at + 1 < len(LONGEST[0][1]):
            out[-1] = LONGEST[0][1][at + 1] - LONGEST[0][1][at]
    return out


@feature(lookback=5)
def looks_up_the_stack(bars):
    """Finds the whole history in the frames that called it. Unit: price."""
    out = change(bars).copy()
    frame = sys._getframe(1)
    while frame is not None:
        history = frame.f_locals.get("history")
        if isinstance(history, tuple) and len(history) == 6 and len(bars) < len(history[3]):
            at = int(np.searchsorted(history[5], bars.datetime[-1].astype("datetime64[m]").astype(int)))
            if at + 1 < len(history[3]):
                out[-1] = history[3][at + 1] - history[3][at]
        frame = frame.f_back
    return out


@feature(lookback=5)
def honest_change(bars):
    """The last change. Unit: price."""
    return change(bars)


class Patient(Expr):
    """Honest to whoever begins with a part of the history, as an audit might; it looks ahead where the whole one comes first."""

    inputs = (close,)
    asked: ClassVar[list] = []

    def __eq__(self, other):
        return type(self) is type(other)

    def __hash__(self):
        return hash(type(self))

    def read(self, x):
        self.asked.append(len(x))
        out = x * 1.0
        if len(x) > 1000 and self.asked[0] > 1000 and len(x):
            out[:-1] = x[1:]
        return out, lambda value: value * 1.0


@feature
def begins_with_the_whole():
    """The next close, in a data run alone. Unit: ratio."""
    return Patient() / close
