"""A bundle fed with live minutes: what arrives is checked, kept, turned into bars, and answered when a base bar is finished."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import FIELDS, Minutes, as_datetime, moment
from barsmith.bars.rolls import continue_minutes
from barsmith.errors import DataError
from barsmith.features.live import Finished, Live
from barsmith.serving.messages import MinuteMessage, checked
from barsmith.serving.scoring import Signal

if TYPE_CHECKING:
    from barsmith.serving.bundle import Bundle


class LiveSession:
    """`LiveSession(bundle, minutes)` stands after `minutes`; `update` takes the next one.

    Its whole state is its minutes since the origin: a session over `session.minutes()` gives the same answers, bit for bit.
    """

    features: Live
    finished: dict[int, Finished]
    newest: int
    contract: int
    factor: float

    def __init__(self, bundle: Bundle, minutes: Minutes) -> None:
        self.bundle, self.past = bundle, minutes
        self.times: list[int] = []
        self.rows: list[tuple[float, ...]] = []
        self.contracts: list[int] = []
        self.factors: list[float] = []
        self.names = minutes.names
        self.rolls = sorted(bundle.rolls)
        self.counts: Counter[str] = Counter()
        self.stand(minutes)

    @property
    def name(self) -> str:
        """The current contract's name, empty where nobody told it."""
        return self.names[self.contract] if self.names else ""

    def minutes(self) -> Minutes:
        """Every in-session minute since the origin."""
        bars = np.array(self.rows, np.float64).reshape(-1, len(FIELDS))
        return Minutes(
            np.concatenate((self.past.time, np.array(self.times, np.int64))),
            np.concatenate((self.past.bars, bars)),
            np.concatenate((self.past.contract, np.array(self.contracts, np.int32))),
            np.concatenate((self.past.factor, np.array(self.factors, np.float64))),
            self.names,
        )

    def update(self, message: Mapping[str, Any] | MinuteMessage) -> list[Signal]:
        """The next minute. Returns a signal for each base bar that it finished.

        A minute outside the session is counted and makes no bar; one that repeats a known minute changes nothing, and the newest
        one's repetition is answered as it was. Raises DataError `stream/*` for a bad, late or changed one; the state is then as before.
        """
        if not isinstance(message, MinuteMessage):
            message = checked(message, symbol=self.bundle.symbol, price_limits=self.bundle.price_limits)
        time, bar = message.time, message.bar
        if self.bundle.sessions.number(time) < 0:
            self.counts["out_of_session"] += 1
            return []
        if time <= self.newest or time < self.features.now:
            return self.repeated(time, bar)
        self.roll(message)
        self.newest = time
        self.times.append(time)
        self.rows.append(bar)
        self.contracts.append(self.contract)
        self.factors.append(self.factor)
        factor = self.factor
        open_, high, low, close, volume = bar
        try:
            return self.answer(self.features.update(time, [open_ / factor, high / factor, low / factor, close / factor, volume], close))
        except BaseException:
            self.take_back()
            raise

    def advance(self, now: int) -> list[Signal]:
        """The clock has reached `now` (minutes since 1970 UTC): answers for the base bars that have ended without a further minute."""
        try:
            return self.answer(self.features.advance(now))
        except BaseException:
            self.restore()
            raise

    def answer(self, finished: list[Finished]) -> list[Signal]:
        self.finished = {each.start: each for each in finished}
        return [self.signal(each) for each in finished]

    def take_back(self) -> None:
        """Forget the newest minute: what it had begun to change is read again from the minutes before it."""
        for column in (self.times, self.rows, self.contracts, self.factors):
            column.pop()
        self.restore()

    def restore(self) -> None:
        """Stand where the minutes say, whatever was half done."""
        minutes = self.minutes()
        self.stand(minutes)
        self.names = self.names[: self.contract + 1]

    def stand(self, minutes: Minutes) -> None:
        """Batch to the last session break, then live through today; what the newest minute finished is known again, should it be repeated."""
        self.features = Live(self.bundle.plan, minutes[:-1])
        newest = minutes[-1:]
        columns = zip(newest.time.tolist(), newest.adjusted().tolist(), newest.bars[:, 3].tolist(), strict=True)
        self.finished = {each.start: each for minute in columns for each in self.features.update(*minute)}
        self.newest = int(minutes.time[-1]) if len(minutes) else -1
        self.contract = int(minutes.contract[-1]) if len(minutes) else 0
        self.factor = float(minutes.factor[-1]) if len(minutes) else 1.0

    def signal(self, finished: Finished) -> Signal:
        return self.bundle.scorer.signal(finished.start, self.bundle.symbol, finished.features, settled=finished.settled)

    def roll(self, message: MinuteMessage) -> None:
        """Take over the contract and the factor of this minute, by the rule that batch reads."""
        is_same = (message.contract is None or message.contract == self.name) and message.roll_ratio is None
        if is_same and self.newest >= 0 and bisect_right(self.rolls, self.newest) == bisect_right(self.rolls, message.time):
            return
        row: dict[str, Any] = {"datetime": as_datetime(np.array([message.time]))}
        row |= {name: [value] for name, value in zip(FIELDS, message.bar, strict=True)}
        if message.contract is not None:
            row["contract"] = [message.contract]
        if message.roll_ratio is not None:
            row["roll_ratio"] = [message.roll_ratio]
        minutes = continue_minutes(pl.DataFrame(row), rolls=self.rolls, after=self.minutes()[-1:])
        self.contract, self.factor, self.names = int(minutes.contract[-1]), float(minutes.factor[-1]), minutes.names

    def repeated(self, time: int, bar: tuple[float, ...]) -> list[Signal]:
        known = self.known(time)
        if known is not None and known == bar:
            self.counts["repeated"] += 1
            return [self.signal(each) for each in self.finished.values()] if time == self.newest else []
        came = f"{moment(time):%Y-%m-%d %H:%M} UTC" + (" with other numbers than before" if known is not None else "")
        raise DataError(
            "stream/late",
            expected=f"a minute after {moment(self.newest):%Y-%m-%d %H:%M} UTC",
            came=came,
            do="put it into the history and start the stream again: bars that it belongs to have been answered",
        )

    def known(self, time: int) -> tuple[float, ...] | None:
        """The minute of that time, where there is one."""
        i = bisect_right(self.times, time) - 1
        if i >= 0 and self.times[i] == time:
            return self.rows[i]
        j = int(np.searchsorted(self.past.time, time))
        return tuple(self.past.bars[j].tolist()) if j < len(self.past) and self.past.time[j] == time else None
