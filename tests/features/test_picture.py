"""The picture of a feature's graph: every node once, each on its timeframe."""

from __future__ import annotations

import pytest

from barsmith.features import close, high, lag, log, low, mean, on, sign, ta
from barsmith.features.graph import Column, Constant
from barsmith.features.picture import Picture
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.markets import SESSIONS

FEATURES = catalogue()


def test_arithmetic_stays_on_the_line_of_its_reader():
    drawn = Picture(0.5 + ta.CMO(close, timeperiod=14) / 200, "5m").tree("rsi_14")
    assert drawn == ["rsi_14  5m  0.5 + #1 / 200", "└─ #1  5m  ta.CMO(close, timeperiod=14)"]


def test_what_is_read_twice_is_drawn_once_and_says_so():
    change = log(close) - lag(log(close), 1)
    assert Picture(mean(change, n=5) / mean(change, n=20), "5m").tree("x") == [
        "x  5m  #1 / #4",
        "├─ #1  5m  mean(#2, n=5)",
        "│  └─ #2  5m  #3 - lag(#3, 1)  (read by 2)",
        "│     └─ #3  5m  log(close)  (read by 2)",
        "└─ #4  5m  mean(#2, n=20)",
    ]


def test_another_timeframe_begins_a_line_of_its_own():
    slope = sign(close - lag(close, 10))
    assert Picture(slope + on("1h", slope), "5m").tree("x") == [
        'x  5m  sign(close - lag(close, 10)) + on("1h", #1)',
        "└─ #1  1h  sign(close - lag(close, 10))",
    ]


def test_on_the_base_timeframe_is_the_expression_itself():
    e = ta.SMA(close, timeperiod=10)
    assert Picture(on("1h", e), "1h").tree("x") == Picture(e, "1h").tree("x")


def test_an_output_is_read_off_the_node_that_has_it():
    macd = ta.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    assert Picture(macd.macdhist - macd.macd, "5m").tree("x") == [
        "x  5m  #1.macdhist - #1.macd",
        "└─ #1  5m  ta.MACD(close, fastperiod=12, signalperiod=9, slowperiod=26)  (read by 2)",
    ]


def test_what_lies_deeper_than_asked_is_counted():
    e = mean(mean(mean(high - low, n=2), n=3), n=4)
    assert Picture(e, "5m").tree("x", depth=1) == ["x  5m  mean(#1, n=4)", "└─ #1  5m  mean(#2, n=3)", "   └─ ... 1 more"]
    assert Picture(e, "5m").tree("x", depth=0) == ["x  5m  mean(#1, n=4)", "└─ ... 2 more"]


@pytest.mark.parametrize("base", ["5m", "1h"])
def test_the_nodes_of_every_picture_are_those_that_a_plan_reads(base):
    for name, one in FEATURES.items():
        picture = Picture(one.expr, base)
        plan = Plan({name: one.expr}, base=base, sessions=SESSIONS)
        assert picture.nodes == len(plan.nodes), name
        lines = picture.as_list()
        assert [line["number"] for line in lines] == list(range(len(lines))), name
        assert {number for line in lines for number in line["reads"]} == set(range(1, len(lines))), name
        remembering = {(n.timeframe, n.expr) for n in plan.nodes if n.expr.settling_on(5) and n.inputs and type(n.expr).__name__ != "Lag"}
        assert remembering <= set(picture.lines), name
        assert not any(isinstance(e, Column | Constant) for _, e in list(picture.lines)[1:]), name


def test_the_largest_picture_of_the_catalogue_fits_a_screen():
    drawn = [Picture(one.expr, "5m").tree(name) for name, one in FEATURES.items()]
    assert max(map(len, drawn)) <= 24
    assert not any("more" in line for lines in drawn for line in lines)
