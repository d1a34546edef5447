"""`stream`: lines in, lines out, and a state folder that a kill at any moment cannot make say anything else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barsmith.errors import BusyError, IntegrityError, StorageError
from barsmith.serving.bundle import Bundle
from barsmith.serving.streaming import refusal, stream
from small_market import SmallMarket


def lines_of(bars: pl.DataFrame) -> list[str]:
    stamped = bars.with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return [json.dumps(row) for row in stamped.to_dicts()]


def said(bundle: Bundle, lines: Any, **keywords: Any) -> list[dict[str, Any]]:
    """What a stream writes."""
    out: list[bytes] = []
    stream(bundle, lines, out.append, **keywords)
    return [json.loads(line) for line in out]


class Killed(BaseException):
    """The end of a process, without its clean-up of anything that is ours."""


def dying(lines: list[str], after: int) -> Iterator[str]:
    yield from lines[:after]
    raise Killed


def test_a_stream_says_what_predict_says(bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = fresh[:1000]
    batch = bundle.predict(bars).with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_dicts()
    assert said(bundle, lines_of(bars)) == batch
    assert said(bundle, lines_of(bars[600:]), history=bars[:600]) == [row for row in batch if row["datetime"] >= _stamp(bars, 600)]


def _stamp(bars: pl.DataFrame, row: int) -> str:
    minute = bars["datetime"][row]
    return f"{minute.replace(minute=minute.minute // 5 * 5):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("seed", range(4))
def test_killed_and_restarted_at_random_minutes_it_says_the_same(seed: int, bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    """The feed goes on where its last answer was: it sends the minute that was under way again."""
    lines = lines_of(fresh[:900])
    undisturbed = said(bundle, lines)
    cuts = np.sort(np.random.default_rng(seed).choice(len(lines), 6, replace=False)).tolist()
    out: list[bytes] = []
    at = 0
    for cut in cuts:
        with pytest.raises(Killed):
            stream(bundle, dying(lines[at:], cut - at), out.append, state=tmp_path)
        at = max(0, cut - 1)
    stream(bundle, lines[at:], out.append, state=tmp_path)
    answers = [json.loads(line) for line in out]
    once = [answer for number, answer in enumerate(answers) if number == 0 or answer != answers[number - 1]]
    assert once == undisturbed


def test_a_state_with_a_torn_last_line_goes_on_with_the_minute_before(bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    lines = lines_of(fresh[:120])
    first = said(bundle, lines[:77], state=tmp_path)
    journal = tmp_path / "minutes.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    assert first + said(bundle, lines[76:], state=tmp_path) == said(bundle, lines)


def test_a_state_with_a_changed_byte_is_refused(bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    said(bundle, lines_of(fresh[:20]), state=tmp_path)
    journal = tmp_path / "minutes.jsonl"
    whole = journal.read_bytes()
    for at in range(0, len(whole) - 1, 7):
        journal.write_bytes(whole[:at] + bytes([whole[at] ^ 2]) + whole[at + 1 :])
        with pytest.raises(IntegrityError):
            said(bundle, [], state=tmp_path)


PROGRAM = """
import os, signal, sys
from pathlib import Path
from barsmith.serving.bundle import Bundle
from barsmith.serving.streaming import stream
def lines():
    for number, line in enumerate(open(sys.argv[3])):
        if number == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield line
stream(Bundle.load(sys.argv[1]), lines(), lambda line: os.write(1, line), state=Path(sys.argv[2]))
"""


def test_a_stream_that_is_really_killed_goes_on_too(market: SmallMarket, bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    lines = lines_of(fresh[:300])
    (tmp_path / "feed.jsonl").write_text("\n".join(lines))
    command = [sys.executable, "-c", PROGRAM, market.bundle, tmp_path / "state", tmp_path / "feed.jsonl", "177"]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    before = [json.loads(line) for line in killed.stdout.splitlines()]
    assert before + said(bundle, lines[177:], state=tmp_path / "state") == said(bundle, lines)


def test_two_streams_cannot_share_a_state(bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    lines = lines_of(fresh[:5])

    def meanwhile() -> Iterator[str]:
        with pytest.raises(BusyError) as busy:
            said(bundle, lines, state=tmp_path)
        assert (busy.value.exit_code, f"(pid {os.getpid()})" in busy.value.came) == (4, True)
        yield from lines

    said(bundle, meanwhile(), state=tmp_path)
    assert said(bundle, [lines[-1]], state=tmp_path) == said(bundle, lines)


def test_what_was_read_as_history_is_kept_with_the_state(bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path) -> None:
    lines = lines_of(fresh[:600])
    one = said(bundle, lines[400:500], history=fresh[:400], state=tmp_path)
    two = said(bundle, lines[500:], state=tmp_path)
    assert one + two == said(bundle, lines)[-len(one + two) :]


def test_bad_lines_are_answered_with_their_error_and_counted(bundle: Bundle, fresh: pl.DataFrame) -> None:
    lines = lines_of(fresh[:50])
    bad = ["{", "[]", lines[3].replace("}", ', "symbol": "MGC"}'), lines[0].replace('"open"', '"opening"'), "x" * (1 << 17)]
    out: list[bytes] = []
    counts = stream(bundle, [*lines[:20], *bad, "", "  ", lines[19], *lines[20:]], out.append)
    answers = [json.loads(line) for line in out]
    errors = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert errors == ["stream/json", "stream/schema", "stream/symbol", "stream/schema", "stream/too-large"]
    assert [answer for answer in answers if "error" not in answer and answer] == [*_repeat(said(bundle, lines), answers)]
    assert (counts["minutes"], counts["refused"], counts["repeated"]) == (51, 5, 1)
    told = refusal(counts)
    assert told is not None
    assert told.code == "stream/refused"
    assert refusal(counts | {"refused": 0}) is None


def _repeat(undisturbed: list[dict[str, Any]], answers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The undisturbed answers, with those repeated whose minute was."""
    for answer in undisturbed:
        yield from [answer] * answers.count(answer)


def test_a_disk_that_refuses_stops_the_stream_before_it_answers_for_what_is_not_kept(
    bundle: Bundle, fresh: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(fresh[:30])
    undisturbed, out, calls = said(bundle, lines), [], []
    real = os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError) as refused:
            stream(bundle, lines, out.append, state=tmp_path)
    assert refused.value.code == "io/no-space"
    answers = [json.loads(line) for line in out]
    assert answers == undisturbed[: len(answers)]
    assert len(answers) < len(undisturbed)
