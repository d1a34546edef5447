"""A training's report: what its pictures count can be counted by hand, and the same training gives the same bytes."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from barsmith.models.base import PredictionOutput, TrainingMetrics
from barsmith.pipeline.training_pictures import calibration, confusion, curves, over_time
from barsmith.pipeline.training_report import learning, training_page
from barsmith.pipeline.training_result import Judged
from small_market import SmallMarket

ANSWERS = {-1: "short", 0: "neutral", 1: "long"}


def said(market: SmallMarket, y: list[int], p_long: list[float], session: list[int]) -> Judged:
    """Rows with these labels and probabilities of long, what is left shared by the other two."""
    val = market.training.splits["val"]
    names = ("X", "weight", "datetime", "decision", "label_end", "log_return", "minutes_since_open", "last_direction")
    part = replace(
        val.part, **{name: getattr(val.part, name)[: len(y)] for name in names}, y=np.array(y, np.int8), session=np.array(session)
    )
    p = np.array(p_long)
    return replace(val, part=part, output=PredictionOutput.of(np.column_stack(((1 - p) / 2, (1 - p) / 2, p))))


def test_a_bin_has_what_was_said_what_came_and_an_interval_over_sessions(market: SmallMarket) -> None:
    # twenty rows of one session, all long, twenty of another, half of them: drawn sessions give 1, 3/4 or 1/2
    judged = said(market, [1] * 20 + [1, -1] * 10, [0.65] * 40, [1] * 20 + [2] * 20)
    told, came, low, high, rows = calibration(judged, 1, seed=3)
    assert rows.tolist() == [0, 0, 0, 0, 0, 0, 40, 0, 0, 0]
    assert (told[6], came[6], low[6], high[6]) == (pytest.approx(0.65), 0.75, 0.5, 1.0)
    assert np.isnan(came[5])


def test_a_probability_of_one_is_in_the_last_bin(market: SmallMarket) -> None:
    assert calibration(said(market, [1, 1], [1.0, 0.05], [1, 1]), 1, seed=3)[4].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_the_confusion_matrix_counts_and_shares_its_rows(market: SmallMarket) -> None:
    judged = said(market, [1, 1, 1, 1, -1], [0.9, 0.9, 0.9, 0.1, 0.9], [1] * 5)
    text = confusion(judged, ANSWERS).data[0].text
    assert [list(row) for row in text] == [
        ["0<br>0%", "0<br>0%", "1<br>100%"],
        ["0<br>0%", "0<br>0%", "0<br>0%"],
        ["0<br>0%", "1<br>25%", "3<br>75%"],
    ]


def test_each_class_has_a_strip_with_its_sessions(market: SmallMarket) -> None:
    figure = over_time(said(market, [1, -1, 1, 1], [0.8, 0.6, 0.5, 0.5], [1, 1, 2, 2]), ANSWERS)
    assert [trace.name for trace in figure.data] == ["came", "said"] * 3
    came, told = figure.data[4:]
    assert (list(came.y), list(told.y)) == ([0.5, 1.0], [pytest.approx(0.7), 0.5])


def test_a_model_without_rounds_says_its_two_losses_instead_of_a_curve(market: SmallMarket) -> None:
    told = TrainingMetrics(history={"train": [0.81234], "stop": [0.9]}, notes=("not converged",))
    parts = learning(replace(market.training, told=told))
    assert "0.8123 on the rows learned from and 0.9000 on the inner slice" in parts[0]
    assert "not converged" in parts[1]
    assert not any("plotly" in part for part in parts)
    assert curves(market.training).layout.xaxis.title.text == "round"


def test_the_same_training_gives_the_same_page_without_a_word_from_elsewhere(market: SmallMarket) -> None:
    training = market.training
    pages = [training_page(training) for _ in range(2)]
    assert pages[0] == pages[1]
    ours = re.sub(r"<script>.*?</script>", "", pages[0], flags=re.S)
    assert not re.search(r"(?:src|href)=[\"']https?:", ours)
    for heading in (
        "Verdict",
        "Do the probabilities mean what they say?",
        "What was said and what came",
        "Probability over time",
        "Learning",
    ):
        assert f"<h2>{heading}</h2>" in ours
