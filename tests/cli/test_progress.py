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


def test_elsewhere_a_line_for_a_whole_round_two_seconds_after_the_last(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.rounds("training gru") as tell:
        for seconds, done in ((1.9, 1), (2.0, 1.5), (2.0, 2), (3.9, 3), (4.0, 4)):
            now[0] = 100.0 + seconds
            tell(done, 10, {"train": 0.5, "seconds_left": 3.0})
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "training gru: 2 of 10, train 0.5000, 3 s left at most",
        "training gru: 4 of 10, train 0.5000, 3 s left at most",
        "training gru: 4.0 s",
    ]
    assert not out


def test_on_a_terminal_there_is_a_bar_and_no_line(monkeypatch, capsys):
    moved, now = [], [100.0]
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress.Steps, "move", lambda self, what, share: moved.append(share))
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.rounds("training gru") as tell:
        now[0] = 110.0
        tell(2, 10, {"train": 0.5})
    assert moved == [0.2]
    assert capsys.readouterr().err == "training gru: 10.0 s\n"
