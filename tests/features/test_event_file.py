"""The file of scheduled events: how it may be written, and what is refused with its line."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from barsmith.errors import BarsmithError, DataError, UsageError
from barsmith.features.event_file import read_events
from barsmith.features.events import Events, event_features


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def read(folder: Path, text: str | bytes) -> Events:
    path = folder / "events.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_events(path, root=folder)


def refused(folder: Path, text: str | bytes) -> BarsmithError:
    with pytest.raises(DataError) as error:
        read(folder, text)
    return error.value


def test_events_are_sorted_by_kind_and_time_in_utc(tmp_path):
    found = read(
        tmp_path,
        "datetime,event\n2026-03-18T18:00Z,fomc\n2026-03-11T08:30-04:00,cpi\n2026-02-11 13:30:00+00:00,cpi\n20260612T123000Z,cpi\n",
    )
    assert found.times == {
        "cpi": [minute("2026-02-11T13:30"), minute("2026-03-11T12:30"), minute("2026-06-12T12:30")],
        "fomc": [minute("2026-03-18T18:00")],
    }
    assert list(found.times) == ["cpi", "fomc"]
    assert (found.rows, found.last) == (4, minute("2026-06-12T12:30"))


@pytest.mark.parametrize(
    "text",
    [
        "datetime,event\r\n2026-03-11T12:30Z,cpi\r\n",
        "\ufeffdatetime,event\n2026-03-11T12:30Z,cpi",
        "event,country,datetime\ncpi,US,2026-03-11T12:30Z\n",
        '\n Datetime , EVENT\n\n"2026-03-11T12:30Z" ,"cpi"\n,\n\n'.replace('" ,', '",'),
    ],
)
def test_line_ends_marks_blanks_quotes_and_other_columns_make_no_difference(tmp_path, text):
    assert read(tmp_path, text).times == {"cpi": [minute("2026-03-11T12:30")]}


def test_two_kinds_may_happen_at_once(tmp_path):
    assert read(tmp_path, "datetime,event\n2026-03-11T12:30Z,cpi\n2026-03-11T12:30Z,claims\n").rows == 2


HEAD = "datetime,event\n2026-03-11T12:30Z,cpi\n"


@pytest.mark.parametrize(
    ("code", "text", "line", "came"),
    [
        ("empty", "", None, "none"),
        ("empty", "datetime,event\n", None, "none"),
        ("missing-column", "date,event\n2026-03-11T12:30Z,cpi\n", 1, "date,event"),
        ("missing-column", "\n2026-03-11T12:30Z,cpi\n", 2, "2026-03-11t12:30z"),
        ("missing-column", "datetime;event\n2026-03-11T12:30Z;cpi\n", 1, "datetime;event"),
        ("missing-column", "datetime,event,event\n", 1, "event,event"),
        ("field-count", HEAD + "2026-03-12T12:30Z\n", 3, "1"),
        ("field-count", HEAD + "2026-03-12T12:30Z,cpi,more\n", 3, "3"),
        ("quoting", HEAD + '2026-03-12T12:30Z,"cpi\n', 3, "end of data"),
        ("bad-timestamp", HEAD + "12 March,cpi\n", 3, "12 March"),
        ("bad-timestamp", HEAD + ",cpi\n", 3, "''"),
        ("bad-timestamp", HEAD + "2026-02-30T12:30Z,cpi\n", 3, "2026-02-30"),
        ("bad-timestamp", HEAD + "03/12/2026 12:30Z,cpi\n", 3, "03/12/2026"),
        ("bad-timestamp", HEAD + "1773318600,cpi\n", 3, "1773318600"),
        ("bad-timestamp", HEAD + "1926-03-12T12:30Z,cpi\n", 3, "1926"),
        ("bad-timestamp", HEAD + "9999-12-31T23:59-12:00,cpi\n", 3, "9999"),
        ("no-timezone", HEAD + "2026-03-12T12:30,cpi\n", 3, "2026-03-12T12:30"),
        ("no-timezone", HEAD + "2026-03-12,cpi\n", 3, "2026-03-12"),
        ("off-grid", HEAD + "2026-03-12T12:30:30Z,cpi\n", 3, "12:30:30"),
        ("bad-name", HEAD + "2026-03-12T12:30Z,non farm payrolls\n", 3, "non farm payrolls"),
        ("bad-name", HEAD + "2026-03-12T12:30Z,\n", 3, "''"),
        ("bad-name", HEAD + "2026-03-12T12:30Z,1st\n", 3, "1st"),
        ("bad-name", HEAD + f"2026-03-12T12:30Z,{'a' * 41}\n", 3, "aaa"),
        ("bad-name", HEAD + "2026-03-12T12:30Z,CPI\n", 3, "CPI"),
        ("duplicate", HEAD + "2026-03-11T08:30-04:00,cpi\n", 3, "line 2"),
        ("encoding", HEAD.encode() + b"2026-03-12T12:30Z,caf\xe9\n", 3, "0xe9"),
        ("encoding", HEAD.encode("utf-16"), 1, "0xff"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path, code, text, line, came):
    error = refused(tmp_path, text)
    assert error.code == f"events/{code}"
    assert error.where == f"{tmp_path / 'events.csv'}{'' if line is None else f' line {line}'}"
    assert came in error.came


def test_more_events_than_anybody_schedules_are_refused(tmp_path):
    first = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    lines = "".join(f"{datetime.fromtimestamp(first + 60 * i, UTC).isoformat()},tick\n" for i in range(100_001))
    assert refused(tmp_path, "datetime,event\n" + lines).code == "events/too-many"


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, code in (("none.csv", "not-found"), ("folder", "not-a-file"), ("pipe", "not-a-file"), ("\0", "not-found")):
        with pytest.raises(UsageError) as error:
            read_events(tmp_path / name, root=tmp_path)
        assert error.value.code == f"events/{code}"
        assert "bars" not in str(error.value).replace(str(tmp_path), "")


def test_a_file_outside_the_workspace_is_read_only_on_request(tmp_path):
    inside = tmp_path / "workspace"
    inside.mkdir()
    (tmp_path / "events.csv").write_text(HEAD)
    (inside / "link.csv").symlink_to(tmp_path / "events.csv")
    for path in (inside / "link.csv", inside / ".." / "events.csv", tmp_path / "events.csv"):
        with pytest.raises(DataError) as error:
            read_events(path, root=inside)
        assert error.value.code == "events/outside-root"
        assert read_events(path, root=inside, allow_outside=True).rows == 1


def test_the_file_that_the_guide_shows_is_read(tmp_path):
    guide = (Path(__file__).parents[2] / "docs" / "add_a_feature.md").read_text()
    shown = guide.split("    datetime,event\n")[1].split("\n\n")[0]
    found = read(tmp_path, "datetime,event\n" + shown)
    assert found.times == {"cpi": [minute("2026-03-11T12:30")], "fomc": [minute("2026-03-18T18:00")]}
    for name in event_features(found):
        assert name in guide or name.replace("fomc", "cpi") in guide
