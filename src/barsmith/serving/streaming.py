"""Minutes in on a line each, signals out on a line each: the door for any feed that can write JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from barsmith.artifacts import locked
from barsmith.bars.cleaning import clean
from barsmith.bars.reading import validate_frame
from barsmith.errors import BarsmithError, DataError
from barsmith.serving.bundle import Bundle
from barsmith.serving.journal import Journal
from barsmith.serving.messages import checked, messages_of, parsed
from barsmith.serving.session import LiveSession


def stream(
    bundle: Bundle,
    lines: Iterable[str | bytes],
    write: Callable[[bytes], Any],
    *,
    history: pl.DataFrame | None = None,
    state: Path | None = None,
) -> dict[str, int]:
    """Read minutes, write a signal for each finished base bar; a message that is refused is answered with its error and changes nothing.

    history: raw bars to read silently after the bundle's own. state: a folder that keeps each minute, so that a later call goes on.
    Returns counts: minutes, signals, refused, repeated, out_of_session. Raises BusyError where another stream holds the state folder.
    """
    with ExitStack() as stack:
        journal = None
        if state is not None:
            stack.enter_context(locked(state / "lock", "this stream's state"))
            journal = stack.enter_context(Journal(state, bundle.symbol, bundle.history))
        session = begun(bundle, history, journal)
        counts = {"minutes": 0, "signals": 0, "refused": 0}
        for line in lines:
            if not line.strip():
                continue
            try:
                message = checked(parsed(line), symbol=bundle.symbol, price_limits=bundle.price_limits)
                newest, carried = session.newest, session.carried
                signals = session.update(message)
            except DataError as error:
                counts["refused"] += 1
                write(orjson.dumps({"error": error.as_dict()}) + b"\n")
                continue
            counts["minutes"] += 1
            if journal and (session.newest != newest or session.carried not in (carried, None)):
                journal.append(message)
                if signals:
                    journal.sync()
            for signal in signals:
                counts["signals"] += 1
                write(orjson.dumps(signal.as_dict()) + b"\n")
        return counts | dict(session.counts)


def begun(bundle: Bundle, history: pl.DataFrame | None, journal: Journal | None) -> LiveSession:
    """A session after the bundle's history, then the journal's minutes, then those of `history` that are later, which the journal keeps."""
    minutes = bundle.history
    if journal and journal.messages:
        minutes, _ = clean(journal.frame(), bundle.sessions, rolls=bundle.rolls, after=minutes, rules=bundle.settings.clean)
    if history is not None and len(history):
        raw = validate_frame(history, bundle.reading_rules).frame
        known = int(minutes.time[-1]) if len(minutes) else -1
        minutes, _ = clean(raw, bundle.sessions, rolls=bundle.rolls, after=minutes, rules=bundle.settings.clean)
        if journal:
            journal.extend(message for message in messages_of(raw) if message.time > known)
    session = LiveSession(bundle, minutes)
    for message in journal.messages if journal else ():
        if message.time > session.newest:
            session.carry(message)
    return session


def refusal(counts: dict[str, int]) -> BarsmithError | None:
    """What the end of a stream says where messages were refused."""
    if not counts["refused"]:
        return None
    return DataError(
        "stream/refused",
        expected="minutes that could all be used",
        came=f"{counts['refused']} of {counts['refused'] + counts['minutes']} refused",
        do="see the error lines among the signals",
    )
