"""The page of one feature over price: its window, its bytes, and what a browser makes of it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barsmith.config_reading import load_settings
from barsmith.errors import DataError, UsageError
from barsmith.features.registry import catalogue
from barsmith.pipeline.feature_page import CANDLES, edges, feature_page, figure, is_ours, window
from barsmith.pipeline.feature_values import FeatureValues, feature_values
from small_market import SmallMarket

FEATURES = catalogue()
A_SESSION = 276
"""Bars of 5m; the market's twelve sessions have the trade dates 3 to 18 March 2025."""


@pytest.fixture(scope="module")
def values(market: SmallMarket) -> FeatureValues:
    return feature_values(market.workspace, load_settings(market.workspace).settings, "MES", FEATURES["rsi_14"])


def dates(values: FeatureValues, rows: range) -> tuple[date, date]:
    found = values.bars["trade_date"][rows.start : rows.stop]
    return found[0], found[-1]


def test_unasked_the_last_five_sessions_are_drawn(values: FeatureValues) -> None:
    rows = window(values, None, None)
    assert (len(rows), rows.stop) == (5 * A_SESSION, len(values.values))
    assert dates(values, rows) == (date(2025, 3, 12), date(2025, 3, 18))


@pytest.mark.parametrize(
    ("first", "last", "drawn"),
    [
        (date(2025, 3, 5), None, (date(2025, 3, 5), date(2025, 3, 11))),
        (None, date(2025, 3, 10), (date(2025, 3, 4), date(2025, 3, 10))),
        (date(2025, 3, 5), date(2025, 3, 6), (date(2025, 3, 5), date(2025, 3, 6))),
        (date(2025, 3, 8), date(2025, 3, 10), (date(2025, 3, 10), date(2025, 3, 10))),
        (None, date(2025, 3, 4), (date(2025, 3, 3), date(2025, 3, 4))),
    ],
)
def test_trade_dates_choose_the_window(first: date | None, last: date | None, drawn: tuple[date, date], values: FeatureValues) -> None:
    assert dates(values, window(values, first, last)) == drawn


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2025, 3, 10), date(2025, 3, 5)), (date(2026, 1, 1), None), (None, date(2024, 1, 1)), (date(2025, 3, 8), date(2025, 3, 9))],
)
def test_a_window_without_bars_is_refused(first: date | None, last: date | None, values: FeatureValues) -> None:
    with pytest.raises(UsageError) as error:
        window(values, first, last)
    assert error.value.code == "cli/date"


def test_a_refused_window_says_what_the_file_holds_or_which_way_round_it_is(values: FeatureValues) -> None:
    with pytest.raises(UsageError) as weekend:
        window(values, date(2025, 3, 8), date(2025, 3, 9))
    assert weekend.value.came == "--from 2025-03-08 --to 2025-03-09: no session"
    assert weekend.value.do == "the file holds 12 trade dates from 2025-03-03 to 2025-03-18; nearest: 2025-03-07 and 2025-03-10"
    with pytest.raises(UsageError) as later:
        window(values, date(2026, 1, 1), None)
    assert later.value.came == "--from 2026-01-01: no session"
    assert later.value.do.endswith("nearest: 2025-03-18")
    with pytest.raises(UsageError) as swapped:
        window(values, date(2025, 3, 10), date(2025, 3, 5))
    assert (swapped.value.expected, swapped.value.came) == ("--from on or before --to", "--from 2025-03-10 --to 2025-03-05")


def test_a_file_without_a_finished_bar_is_refused(values: FeatureValues) -> None:
    nothing = dataclasses.replace(values, bars=values.bars[:0], values=values.values[:0])
    with pytest.raises(DataError) as error:
        window(nothing, None, None)
    assert error.value.code == "bars/too-few-rows"


def test_a_window_too_large_for_a_picture_is_refused(values: FeatureValues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barsmith.pipeline.feature_page.MOST", 100)
    with pytest.raises(UsageError) as error:
        window(values, None, None)
    assert "at most 100 bars" in str(error.value)


def test_the_same_feature_gives_the_same_bytes(values: FeatureValues) -> None:
    rows = window(values, None, None)
    assert feature_page(FEATURES["rsi_14"], values, rows) == feature_page(FEATURES["rsi_14"], values, rows)


def test_the_page_needs_nothing_from_elsewhere(values: FeatureValues) -> None:
    page = feature_page(FEATURES["rsi_14"], values, window(values, None, None))
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", page)
    assert "Wilder (1978)" in page


def test_the_figure_holds_the_values_of_the_window_and_greys_the_warm_up(values: FeatureValues) -> None:
    rows = range(600)
    price, settled, warming = figure(FEATURES["rsi_14"], values, rows).data
    assert price.type == "candlestick"
    assert (price.yaxis, settled.yaxis, warming.yaxis) == (None, "y2", "y2")
    assert np.array_equal(price.close, values.bars["close"].to_numpy()[:600])
    first = values.first_settled
    assert (settled.name, warming.name) == ("rsi_14", "rsi_14, warming up")
    assert np.array_equal(settled.y[first:], values.values[first:600])
    assert np.isnan(settled.y[:first]).all()
    assert np.array_equal(warming.y[:first], values.values[:first], equal_nan=True)
    assert len(set(price.x)) == 600


def test_no_time_between_sessions_is_drawn_and_each_begins_with_a_line(values: FeatureValues) -> None:
    rows = window(values, None, None)
    drawn = figure(FEATURES["rsi_14"], values, rows)
    assert drawn.layout.xaxis.type == "category"
    assert [shape.x0 for shape in drawn.layout.shapes] == [k * A_SESSION - 0.5 for k in range(5)]
    assert [note.text for note in drawn.layout.annotations] == ["12 Mar", "13 Mar", "14 Mar", "17 Mar", "18 Mar"]


def test_the_last_session_has_its_date_and_some_before_it(values: FeatureValues) -> None:
    assert [text for _, text in edges(values.bars[: 2 * A_SESSION + 5])] == ["03 Mar", "04 Mar", "05 Mar"]
    assert [text for _, text in edges(values.bars)] == ["", "", "05 Mar", "", "", "10 Mar", "", "", "13 Mar", "", "", "18 Mar"]


@pytest.mark.parametrize(("begun", "x", "side"), [(62, 2 * A_SESSION, "left"), (61, 2 * A_SESSION + 60.5, "right")])
def test_a_date_without_room_beside_its_line_ends_with_the_picture(begun: int, x: float, side: str, values: FeatureValues) -> None:
    """Under a tenth of the picture a phone would cut it."""
    *_, last = figure(FEATURES["rsi_14"], values, range(2 * A_SESSION + begun)).layout.annotations
    assert (last.text, last.x, last.xanchor) == ("05 Mar", x, side)


def test_a_new_contract_is_marked(values: FeatureValues) -> None:
    bars = values.bars[:500]
    rolled = bars.with_columns(contract=(bars["datetime"] >= bars["datetime"][300]).cast(bars["contract"].dtype))
    assert (300, "roll") in edges(rolled)
    assert "roll" not in [text for _, text in edges(bars)]


def test_many_bars_are_a_line(values: FeatureValues) -> None:
    assert figure(FEATURES["rsi_14"], values, range(CANDLES + 1)).data[0].type == "scatter"


def test_a_page_knows_its_maker(values: FeatureValues, tmp_path: Path, market: SmallMarket) -> None:
    ours = tmp_path / "ours.html"
    ours.write_text(feature_page(FEATURES["rsi_14"], values, range(10)))
    assert is_ours(ours)
    assert not is_ours(Path(market.run["report"]))
    assert not is_ours(tmp_path / "none.html")


PROBE = """<script>window.addEventListener("load", () => setTimeout(() => {
  const pad = document.querySelector(".nsewdrag"), box = pad.getBoundingClientRect();
  for (const kind of ["mouseover", "mousemove"])
    pad.dispatchEvent(new MouseEvent(kind, {clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true, view: window}));
  setTimeout(() => document.body.setAttribute("data-seen", JSON.stringify({
    hover: [...document.querySelectorAll(".hoverlayer text")].map(each => each.textContent).join(" "),
    candles: document.querySelectorAll(".boxlayer path").length, lines: document.querySelectorAll(".scatterlayer .trace").length,
    right: Math.max(...[...document.querySelectorAll(".annotation-text, .xtick text")].map(each => each.getBoundingClientRect().right)),
    width: document.querySelector(".plot").getBoundingClientRect().right,
    whole: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
  })), 500);
}, 500));</script></body>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [375, 420, 1280])
def test_a_browser_draws_the_page_and_one_hover_tells_price_and_feature(width: int, values: FeatureValues, tmp_path: Path) -> None:
    named = dataclasses.replace(FEATURES["rsi_14"], name="rsi_14_of_a_name_that_is_as_long_as_a_users_may_be")
    seen = looked_at(feature_page(named, values, window(values, None, None)), width, tmp_path)
    assert seen["candles"] == 5 * A_SESSION
    assert seen["lines"] == 1
    assert "close" in seen["hover"].lower()
    assert "rsi_14" in seen["hover"]
    assert "Mar" in seen["hover"]
    assert seen["right"] <= seen["width"]
    assert seen["whole"], "it scrolls sideways"


def looked_at(page: str, width: int, folder: Path) -> dict[str, Any]:
    """What stands in the page once it is drawn in a frame so wide: a browser's own window is never as narrow as a phone."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.fail("no Chromium on this machine: run `make browser`, which installs it where apt-get can")
    (folder / "page.html").write_text(page.replace("</body>", PROBE))
    frame = f'<iframe id="f" src="page.html" style="width:{width}px;height:1000px;border:0"></iframe>'
    wait = 'const wait = setInterval(() => { const seen = document.getElementById("f").contentDocument?.body?.dataset.seen;'
    copy = wait + " if (seen) { clearInterval(wait); document.body.append(seen); } }, 100)"
    (folder / "frame.html").write_text(f"<body>{frame}<script>{copy}</script></body>")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--virtual-time-budget=10000"]
    command = [
        browser,
        *quiet,
        "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        f"file://{folder / 'frame.html'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(folder)})
    assert "Uncaught" not in done.stderr
    found = re.search(r"</script>(\{.*\})\s*</body>", done.stdout)
    assert found is not None, done.stdout[-500:] + done.stderr[-500:]
    seen: dict[str, Any] = json.loads(found[1])
    return seen
