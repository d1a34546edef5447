"""The report of a data run: what it must not show."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from barsmith.config import LabelSettings
from barsmith.pipeline.data_pictures import alike, by_session, label_shares, shares_by_hour, stretch_of
from barsmith.pipeline.data_report import reasons
from barsmith.pipeline.data_sections import counted, family_rows, labels_say, model_rows
from barsmith.pipeline.leak_report import SEARCHES, leak_rows
from barsmith.pipeline.quality_tables import MEANING, quality_rows, roll_row
from barsmith.validation import feature_checks, label_checks
from small_market import SmallMarket


def facts(test_labels: list[int]) -> SimpleNamespace:
    label = pl.Series([1, -1, None, 0, *test_labels], dtype=pl.Int8)
    bars = pl.DataFrame({"session_id": [1, 1, 2, 2, 3, 3], "trade_date": [1, 1, 2, 2, 3, 3], "minutes_since_open": [5, 65, 5, 65, 5, 65]})
    bars = bars.with_columns(pl.col("trade_date").cast(pl.Int32).cast(pl.Date))
    return SimpleNamespace(labels=pl.DataFrame({"label_h5": label}), bars=bars, open_rows=4, longest="5", asked=LabelSettings())


def test_no_label_of_the_closed_test_split_is_counted_or_drawn():
    one, other = facts([1, 1]), facts([-1, 0])
    assert counted(one, "5") == counted(other, "5") == {"short": 1, "neutral": 1, "long": 1, "unlabelled": 1}
    assert label_shares(one).to_json() == label_shares(other).to_json()
    assert shares_by_hour(one).to_json() == shares_by_hour(other).to_json()


@pytest.mark.parametrize(
    ("count", "suspects", "horizons"), [(1, "At 1 place the", "at 1 horizon;"), (3, "At 3 places the", "at 3 horizons;")]
)
def test_one_and_many_are_told_apart_and_a_suspect_may_lie_within_a_session(count: int, suspects: str, horizons: str):
    told = SimpleNamespace(errors=[], findings=[], symbol="MES", cleaned={"suspected_rolls": [{}] * count})
    assert any(line.startswith(suspects) for line in reasons(told))
    labels = SimpleNamespace(barriers=dict.fromkeys(map(str, range(count))), base="5m", longest="5")
    assert horizons in labels_say(labels)


def test_rows_that_were_not_asked_are_no_unlabelled_ones_and_meta_labels_have_names_of_their_own():
    meta = facts([1, 1])
    meta.asked = LabelSettings(primary_signal="cross.csv")
    meta.labels = pl.DataFrame({"label_h5": pl.Series([1, 0, None, None], dtype=pl.Int8), "is_event": [True, True, True, False]})
    assert counted(meta, "5") == {"unpaid": 1, "paid": 1, "no event": 1, "unlabelled": 1}


def test_a_roll_is_told_with_its_gap_in_price_and_what_was_done():
    roll = {"time": 29401860, "ratio": 1.5, "from": "MGCZ5", "to": "MGCG6", "last_close": 100.0, "first_open": 151.0, "known": True}
    both = {"time": 29401860, "common_minute": 29401799, "old_close": 100.5, "new_close": 138.5}
    known = roll_row(roll, [both])
    assert (known["time"], known["old price"], known["new price"], known["price gap"]) == ("2025-11-25 23:00 UTC", 100.5, 138.5, 38.0)
    assert known["ratio known"] == "yes: both closes of 2025-11-25 21:59 UTC, the last minute that both have"
    guessed = roll_row({**roll, "known": False}, [{**both, "common_minute": None}])
    assert guessed["price gap"] == 51.0
    assert guessed["ratio known"].startswith("no: first open over last close")


def test_each_session_is_drawn_from_its_first_open_to_its_last_close():
    bars = pl.DataFrame({"session_id": [1, 1, 2], "trade_date": [1, 1, 2], "open": [5.0, 6.0, 9.0], "high": [7.0, 8.0, 9.5],
                         "low": [4.0, 3.0, 8.0], "close": [6.0, 7.5, 8.5]})  # fmt: skip
    assert by_session(bars).drop("session_id").rows() == [(1, 5.0, 8.0, 3.0, 7.5), (2, 9.0, 9.5, 8.0, 8.5)]


@pytest.mark.parametrize(("days", "unit", "stretches"), [(90, "session", 90), (91, "week", 13), (3652, "month", 120)])
def test_label_shares_are_drawn_over_stretches_that_a_phone_can_show(days: int, unit: str, stretches: int):
    dates = pl.date_range(date(2018, 1, 1), eager=True, end=date(2018, 1, 1).fromordinal(date(2018, 1, 1).toordinal() + days - 1))
    found, begun = stretch_of(dates)
    assert (found, begun.n_unique()) == (unit, stretches)


def test_alike_features_stand_together_and_each_large_group_is_framed_where_its_members_are():
    related = np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]], np.float32)
    figure = alike(SimpleNamespace(alike=pl.DataFrame(related, schema=["a", "b", "c"]), clusters=[["a", "b"]]))
    assert figure.data[0].z.tolist() == [[100, 80, 10], [80, 100, 20], [10, 20, 100]]
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (-0.5, 1.5, -0.5, 1.5)
    assert figure.layout.yaxis.ticktext == ("1",)


def audited(*codes: str, severity: str = "error") -> list[dict[str, object]]:
    findings = [{"code": code, "severity": severity, "what": "", "columns": []} for code in codes]
    split = {"counts": {"train": 700, "val": 150, "test": 150}}
    facts = SimpleNamespace(
        symbol="MES", features=["a", "b", "c"], feature_set={"kept": ["a"]}, barriers={"5": {}}, split=split, findings=findings
    )
    return leak_rows(facts)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.codes[0])
def test_a_leak_that_was_found_is_told_in_its_own_line_and_in_no_other(search):
    for code in search.codes:
        results = {row["leak"]: row["result"] for row in audited(code)}
        assert results.pop(search.leak) == "FOUND 1 (see Findings)"
        assert set(results.values()) == {"none found", "not looked at"}


def test_a_suspicion_is_not_told_as_a_leak_that_was_found():
    results = [row["result"] for row in audited("datasets/answer-suspected", severity="warning")]
    assert results.count("suspected 1 (see Findings)") == 1
    assert not any(result.startswith("FOUND") for result in results)


def test_the_audit_says_over_what_it_looked_and_who_looks_for_the_rest():
    rows = audited()
    assert [row["result"] for row in rows].count("none found") == len(SEARCHES)
    assert rows[3]["how it was looked for"] == "all 1,000 rows of train, validation and test scaled again"
    rest = {row["how it was looked for"] for row in rows if row["result"] == "not looked at"}
    assert rest == {"not in this run; ask: barsmith features audit --symbol MES", "not in this run; ask: barsmith validate --symbols MES"}


def test_every_finding_about_a_leak_that_a_run_can_find_is_in_the_audit():
    """The checks that `examine` calls say in their docstrings which leak they look for; all of their codes must have a line."""
    told = {code for search in SEARCHES for code in search.codes}
    sources = "".join(Path(str(module.__file__)).read_text() for module in (feature_checks, label_checks))
    codes = set(re.findall(r'"((?:datasets|scaling|splits|validation)/[a-z-]+)"', sources))
    assert told == codes


def test_every_count_of_reading_and_cleaning_is_explained(market: SmallMarket):
    report = (market.workspace / "results" / f"{market.run['run_id']}.md").read_text()
    quality = report.split("## Data quality")[1].split("## ")[0]
    names = re.findall(r"^\| ([a-z0-9 ]+) \| (?!value)[^|]* \| ([^|]*) \|$", quality, re.M)
    assert len(names) > 20
    assert [name for name, meaning in names if meaning == "-"] == []
    assert quality_rows({"rows_read": 7}, {"thin": 2}) == [
        {"fact": "rows read", "value": "7", "meaning": MEANING["rows_read"]},
        {"fact": "thin", "value": "2", "meaning": MEANING["thin"]},
    ]


def test_what_each_family_reads_is_counted_over_the_kept_features():
    catalogue = [{"name": "rsi", "group": "momentum", "timeframes": []}, {"name": "rsi_on_1h", "group": "mtf", "timeframes": ["1h"]}]
    windows = {"sequence_length": 30, "multires_length": 60, "multires_timeframes": ["1m", "5m"], "within_session": False}
    counts = {"unsettled": 5, "unlabelled": 1}
    one = {"rows": {"train": 94, "val": 20}, "left_out": {"train": counts, "val": counts}, "windows": {
        "sequence": {"rows": {"train": 80, "val": 20}, "left_out": {name: {**counts, "window_unsettled": 10, "window_too_early": 4} for name in ("train", "val")}},
        "multires": {"why_not": "too short"}}}  # fmt: skip
    facts = SimpleNamespace(
        feature_set={"kept": ["rsi", "rsi_on_1h"]}, catalogue=catalogue, base="5m", data_sets={"windows": windows, "horizons": {"5": one}}
    )
    assert [(row["family"], row["array"]) for row in family_rows(facts)] == [
        ("tabular", "(N, 2)"),
        ("sequence", "(N, 30, 1)"),
        ("multires", "(N, 2, 60, 4)"),
    ]
    train = model_rows(facts)[0]
    assert (train["tabular"], train["sequence"], train["multires"], train["sequence, window cut"]) == (94, 80, None, 14)


def test_the_report_of_the_same_data_has_the_same_bytes_but_for_the_run_s_name(market: SmallMarket, copied: Path):
    from barsmith.pipeline.api import rerun

    again = rerun(copied, market.run["run_id"], "validation")
    assert again["run_id"] != market.run["run_id"]
    for suffix in ("md", "html"):
        one, other = (
            (folder / "results" / f"{ran['run_id']}.{suffix}").read_bytes()
            for folder, ran in ((market.workspace, market.run), (copied, again))
        )
        assert one.replace(market.run["run_id"].encode(), b"") == other.replace(again["run_id"].encode(), b"")
