"""The report of a data run: what it must not show."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl

from barsmith.config import LabelSettings
from barsmith.pipeline.data_pictures import label_shares, shares_by_hour
from barsmith.pipeline.data_report import counted, roll_row


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
    assert "no label reaches across" in known["done"]
    guessed = roll_row({**roll, "known": False}, [{**both, "common_minute": None}])
    assert guessed["price gap"] == 51.0
    assert guessed["ratio known"].startswith("no: first open over last close")
