"""A bundle fed with live minutes: what arrives is checked, kept, turned into bars, and answered when a base bar is finished."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from barsmith.bars.minute_rules import FAR, THIN, Judged, is_quiet, judgement, last_judged, missing_after, push, quiet_run, without_holed
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
    last_close: float
    quiet: int
    judged: Judged

    def __init__(self, bundle: Bundle, minutes: Minutes) -> None:
        self.bundle, self.past = bundle, minutes
        self.times: list[int] = []
        self.rows: list[tuple[float, ...]] = []
        self.contracts: list[int] = []
        self.factors: list[float] = []
        self.names = minutes.names
        self.rolls = sorted(bundle.rolls)
        self.counts: Counter[str] = Counter()
        self.carried: tuple[int, float] | None = None  # the ratio of a roll whose first minutes were left out, and the last of these
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
        time, number = message.time, self.bundle.sessions.number(message.time)
        if number < 0:
            return self.left_out(message, "out_of_session")
        if time <= self.newest or time < self.features.now:
            return self.repeated(time, message.bar)
        if why := self.refusal(message, number):
            return self.left_out(message, why)
        known, carried = len(self.times), self.carried
        try:
            finished = self.fill(time)
            self.roll(message)
            known -= self.forget_holed(number)
            finished += self.take(time, message.bar)
            self.judge(time, message.bar, number)
            self.carried = None
            return self.answer(finished)
        except BaseException:
            self.take_back(known)
            self.carried = carried
            raise

    def advance(self, now: int) -> list[Signal]:
        """The clock has reached `now` (minutes since 1970 UTC): answers for the base bars that have ended without a further minute."""
        try:
            return self.answer(self.fill(now) + self.features.advance(now))
        except BaseException:
            self.restore()
            raise

    def take(self, time: int, bar: tuple[float, ...]) -> list[Finished]:
        """Keep a minute; the base bars that it finishes."""
        factor, before = self.factor, self.last_close
        open_, high, low, close, volume = bar
        self.quiet = self.quiet + 1 if is_quiet(bar, before) else 0
        self.newest, self.last_close = time, close
        self.times.append(time)
        self.rows.append(bar)
        self.contracts.append(self.contract)
        self.factors.append(factor)
        return self.features.update(time, [open_ / factor, high / factor, low / factor, close / factor, volume], close)

    def fill(self, until: int) -> list[Finished]:
        """The minutes before `until` that the settings fill a gap with."""
        rules = self.bundle.settings.clean
        if rules.gaps != "fill" or self.newest < 0:
            return []
        gap = missing_after(self.newest, until, self.quiet, rules.max_fill, self.bundle.sessions)
        still = (self.last_close, self.last_close, self.last_close, self.last_close, 0.0)
        return [each for minute in gap for each in self.take(minute, still)]

    def refusal(self, message: MinuteMessage, number: int) -> str:
        """Why the settings leave a minute out, empty where they do not."""
        rules, last = self.bundle.settings.clean, self.judged
        is_same = number == last.session and last.contract == self.contract and not self.begins(message)
        measure = (last.close, last.ranges, rules.min_volume, rules.outlier_ranges)
        found = judgement(message.bar, message.time - last.time, is_same, *measure)
        if found == FAR and rules.outliers == "drop":
            return "outliers"
        return "thin" if found == THIN else ""

    def begins(self, message: MinuteMessage) -> bool:
        """Whether this minute is of a new contract."""
        is_named = message.contract is not None and bool(self.name) and message.contract != self.name
        passed = bisect_right(self.rolls, self.newest) != bisect_right(self.rolls, message.time)
        return is_named or passed or message.roll_ratio is not None or self.carried is not None

    def judge(self, time: int, bar: tuple[float, ...], number: int) -> None:
        """The next minute is judged by this one, unless it is quiet."""
        if self.bundle.settings.clean.outliers == "flag" or self.quiet:
            return
        push(self.judged.ranges, bar[1] - bar[2])
        self.judged.time, self.judged.close, self.judged.session, self.judged.contract = time, bar[3], number, self.contract

    def left_out(self, message: MinuteMessage, why: str) -> list[Signal]:
        """Count a minute that makes no bar."""
        self.counts[why] += 1
        self.carry(message)
        return []

    def carry(self, message: MinuteMessage) -> None:
        """The ratio of a roll whose first minute makes no bar is that of the next one that does."""
        if message.roll_ratio is not None and message.time > max(self.newest, self.carried[0] if self.carried else -1):
            self.carried = (message.time, message.roll_ratio * (self.carried[1] if self.carried else 1.0))

    def forget_holed(self, number: int) -> int:
        """With a new session the ones before it that miss too many minutes are forgotten, as a file's are. Returns how many minutes fewer stand in `times`."""
        rules = self.bundle.settings.clean
        if rules.gaps != "drop_session" or self.newest < 0 or self.bundle.sessions.number(self.newest) == number:
            return 0
        known = self.minutes()
        minutes, forgotten = without_holed(known, self.bundle.sessions, rules.max_gap, number)
        if not forgotten:
            return 0
        self.counts["dropped_sessions"] += forgotten
        gone = int(known.contract[np.searchsorted(known.time, minutes.time[0])]) if len(minutes) else 0
        contract, factor, names, fewer = self.contract - gone, self.factor, self.names[gone:], len(self.times)
        for column in (self.times, self.rows, self.contracts, self.factors):
            column.clear()
        self.past = minutes
        self.stand(minutes)
        self.contract, self.factor, self.names = contract, factor, names  # those of the minute at hand, which may roll
        return fewer

    def answer(self, finished: list[Finished]) -> list[Signal]:
        self.finished = {each.start: each for each in finished}
        return [self.signal(each) for each in finished]

    def take_back(self, known: int) -> None:
        """Forget the minutes after the first `known`: what they had begun to change is read again from those before them."""
        for column in (self.times, self.rows, self.contracts, self.factors):
            del column[known:]
        self.restore()

    def restore(self) -> None:
        """Stand where the minutes say, whatever was half done."""
        minutes = self.minutes()
        self.stand(minutes)
        self.names = self.names[: self.contract + 1]

    def stand(self, minutes: Minutes) -> None:
        """Batch to the last session break, then live through today; what the newest minute finished is known again, should it be repeated."""
        self.features = Live(self.bundle.plan, minutes[:-1], self.bundle.scorer.window)
        newest = minutes[-1:]
        columns = zip(newest.time.tolist(), newest.adjusted().tolist(), newest.bars[:, 3].tolist(), strict=True)
        self.finished = {each.start: each for minute in columns for each in self.features.update(*minute)}
        self.newest = int(minutes.time[-1]) if len(minutes) else -1
        self.contract = int(minutes.contract[-1]) if len(minutes) else 0
        self.factor = float(minutes.factor[-1]) if len(minutes) else 1.0
        self.last_close = float(minutes.bars[-1, 3]) if len(minutes) else float("nan")
        self.quiet = quiet_run(minutes)
        self.judged = last_judged(minutes, self.bundle.sessions)

    def signal(self, finished: Finished) -> Signal:
        return self.bundle.scorer.signal(finished, self.bundle.symbol)

    def roll(self, message: MinuteMessage) -> None:
        """Take over the contract and the factor of this minute, by the rule that batch reads."""
        ratio = message.roll_ratio
        if self.carried is not None:
            ratio = self.carried[1] * (ratio if ratio is not None else 1.0)
        is_same = (message.contract is None or message.contract == self.name) and ratio is None
        if is_same and self.newest >= 0 and bisect_right(self.rolls, self.newest) == bisect_right(self.rolls, message.time):
            return
        row: dict[str, Any] = {"datetime": as_datetime(np.array([message.time]))}
        row |= {name: [value] for name, value in zip(FIELDS, message.bar, strict=True)}
        if message.contract is not None:
            row["contract"] = [message.contract]
        if ratio is not None:
            row["roll_ratio"] = [ratio]
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
