"""The user's primary signal: how its file may be written, what is refused, and which bars it means."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rungs import hourly_sessions, session_minutes

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import as_datetime
from barsmith.errors import BarsmithError, DataError, UsageError
from barsmith.labels.primary_signal import PrimarySignal, read_primary_signal

HEAD = "datetime,signal\n"
GOOD = "2026-03-11T12:30Z,1\n2026-03-11T12:35Z,-1\n2026-03-11T12:40Z,0\n"


def read(folder: Path, content: str | bytes, name: str = "cross.csv") -> PrimarySignal:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_primary_signal(path, root=folder)


def test_a_file_is_read_in_utc_and_put_in_order(tmp_path):
    found = read(
        tmp_path, "signal,score,datetime\n-1,0.3,2026-03-11T07:35-05:00\n1.0,0.9,2026-03-11T12:30Z\n 0 ,,2026-03-11T12:40:00+00:00\n"
    )
    assert found.table.rows() == [(datetime(2026, 3, 11, 12, minute, tzinfo=UTC), s) for minute, s in ((30, 1), (35, -1), (40, 0))]
    assert found.table.schema["signal"] == pl.Int8


def test_a_parquet_file_is_read_alike(tmp_path):
    frame = pl.DataFrame({"datetime": as_datetime(np.array([60, 65, 70]) + 29_000_000), "side": [1, -1, 0], "more": ["a", "b", "c"]})
    frame.write_parquet(tmp_path / "cross.parquet")
    found = read_primary_signal(tmp_path / "cross.parquet", root=tmp_path)
    assert found.table.equals(PrimarySignal.of(np.array([60, 65, 70]) + 29_000_000, np.array([1, -1, 0])).table)


def test_what_barsmith_predicts_can_be_a_primary_signal(tmp_path):
    predicted = pl.DataFrame(
        {"datetime": as_datetime(np.array([29_000_000])), "symbol": ["MES"], "signal": pl.Series([-1], dtype=pl.Int8), "confidence": [0.5]}
    )
    predicted.write_parquet(tmp_path / "signals.parquet")
    assert read_primary_signal(tmp_path / "signals.parquet", root=tmp_path).table["signal"].to_list() == [-1]


@pytest.mark.parametrize(
    ("code", "content", "came"),
    [
        ("value", HEAD + "2026-03-11T12:30Z,1\n2026-03-11T12:35Z,2\n2026-03-11T12:40Z,long\n", "'2' as signal 2 and 1 more"),
        ("value", HEAD + "2026-03-11T12:30Z,1\n2026-03-11T12:35Z,\n", "nothing as signal 2"),
        ("value", HEAD + "2026-03-11T12:30Z,0.5\n", "'0.5' as signal 1"),
        ("value", HEAD + "2026-03-11T12:30Z,NaN\n", "'NaN' as signal 1"),
        ("duplicate", HEAD + GOOD + "2026-03-11T12:30Z,1\n", "two at 2026-03-11 12:30 UTC"),
        ("no-timezone", HEAD + "2026-03-11 12:30,1\n", ""),
        ("off-grid", HEAD + "2026-03-11T12:30:07Z,1\n", ""),
        ("bad-timestamp", HEAD + "2026-03-11T12:30Z,1\nyesterday,1\n", ""),
        ("missing-column", "datetime,action\n2026-03-11T12:30Z,1\n", ""),
        ("missing-column", "2026-03-11T12:30Z,1\n2026-03-11T12:35Z,1\n", ""),
        ("duplicate-column", "datetime,signal,signal\n2026-03-11T12:30Z,1,1\n", ""),
        ("no-rows", HEAD, ""),
        ("empty", "", ""),
        ("field-count", HEAD + "2026-03-11T12:30Z,1\n2026-03-11T12:35Z\n2026-03-11T12:40Z,1\n", ""),
        ("encoding", b"datetime,signal\n2026-03-11T12:30Z,\xff\n", ""),
        ("wrong-format", b"PK\x03\x04 a workbook", ""),
    ],
)
def test_a_file_that_is_not_what_it_must_be_is_refused(tmp_path, code, content, came):
    with pytest.raises(BarsmithError) as caught:
        read(tmp_path, content)
    assert caught.value.code == f"signals/{code}"
    assert came in caught.value.came
    assert "one-minute" not in str(caught.value)


def test_a_file_outside_the_workspace_and_one_that_is_none_are_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "cross.csv").write_text(HEAD + GOOD)
    (tmp_path / "here").mkdir()
    os.symlink(tmp_path / "elsewhere" / "cross.csv", tmp_path / "here" / "cross.csv")
    for error, code, name in (
        (DataError, "outside-root", "cross.csv"),
        (UsageError, "not-found", "none.csv"),
        (UsageError, "not-a-file", "."),
    ):
        with pytest.raises(error) as caught:
            read_primary_signal(tmp_path / "here" / name, root=tmp_path / "here")
        assert caught.value.code == f"signals/{code}"
        assert ("a link to" in str(caught.value)) == (name == "cross.csv")
    with pytest.raises(DataError) as named:
        read_primary_signal(tmp_path / "elsewhere" / "cross.csv", root=tmp_path / "here")
    assert named.value.came == str(tmp_path / "elsewhere" / "cross.csv")
    linked = read_primary_signal(tmp_path / "here" / "cross.csv", root=tmp_path / "here", allow_outside=True)
    assert linked.rows == 3


def test_a_signal_means_the_bar_that_opens_at_its_stamp():
    sessions = hourly_sessions()
    base = ladder(session_minutes(sessions, 1), sessions, ["5m"], adjusted=False)["5m"]
    signal = PrimarySignal.of(np.array([base.start[0] - 500, base.start[3], base.start[7], base.end[-1] + 5]), np.array([1, -1, 1, 1]))
    signal.check(base)
    assert np.flatnonzero(signal.sides(base)).tolist() == [3, 7]
    assert signal.sides(base)[[3, 7]].tolist() == [-1, 1]


def test_a_signal_between_the_bars_is_refused_and_so_is_a_file_of_another_time():
    sessions = hourly_sessions()
    base = ladder(session_minutes(sessions, 1), sessions, ["5m"], adjusted=False)["5m"]
    for time, side, came in (
        (base.start[3] + 1, 1, "1 that belong to none"),
        (base.end[-1] + 5, 1, "none at all"),
        (base.start[3], 0, "none"),
    ):
        with pytest.raises(DataError) as caught:
            PrimarySignal.of(np.array([time]), np.array([side])).check(base)
        assert caught.value.code == "signals/no-bar"
        assert came in caught.value.came
    PrimarySignal.of(np.array([base.start[3], base.start[3] + 1]), np.array([1, 0])).check(base)  # no signal at no bar harms nobody
