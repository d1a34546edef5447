"""What stands beside the bar of a training."""

from __future__ import annotations

from barsmith.cli import progress


def test_a_round_in_words():
    numbers = {"train": 1.0523, "stop": 1.0711, "stop_accuracy": 0.478, "rows_per_second": 1234.5, "seconds_left": 95.0}
    assert progress.in_words(numbers) == "train 1.0523, stop 1.0711, stop accuracy 0.4780, 1,234 rows/s, 1 min 35 s left at most"
    assert progress.in_words({"train": 0.5}) == "train 0.5000"
    assert progress.in_words({}) == ""


def test_the_words_move_with_the_bar(monkeypatch):
    seen = []
    monkeypatch.setattr(progress.Steps, "tell", lambda self, what, share=None: seen.append((what, share)))
    with progress.timed("training gru") as tell:
        tell(0.25, "stop 1.0711")
        tell(0.5)
    assert seen == [("training gru: stop 1.0711", 0.25), ("training gru", 0.5)]
