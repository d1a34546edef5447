"""`barsmith stream`: the door for a live feed."""

from __future__ import annotations

import json
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import Walked, barsmith, started

from barsmith.cli.stream import lines


def messages(bars: pl.DataFrame) -> list[str]:
    """The bars as a feed sends them."""
    rows = bars.with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_dicts()
    return [json.dumps(row) for row in rows]


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def predicted(walked: Walked, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `predict` says about the minutes that are news."""
    folder = tmp_path_factory.mktemp("predicted")
    walked.news.write_parquet(folder / "news.parquet")
    assert barsmith("predict", "--bundle", walked.bundle, "--bars", folder / "news.parquet", "--out", folder / "out.parquet").code == 0
    frame = pl.read_parquet(folder / "out.parquet")
    return frame.with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_dicts()


def test_a_stream_says_what_predict_says_to_the_last_bit(walked: Walked, predicted: list[dict[str, Any]]) -> None:
    done = barsmith("stream", "--bundle", walked.bundle, stdin="\n".join(messages(walked.news)))
    assert (done.code, answers(done.out)) == (0, predicted)
    assert done.err == f"400 minutes, {len(predicted)} signals, 0 refused\n"


def test_history_is_read_silently_first(walked: Walked, predicted: list[dict[str, Any]], tmp_path: Path) -> None:
    walked.news[:-100].write_parquet(tmp_path / "history.parquet")
    done = barsmith(
        "stream", "--bundle", walked.bundle, "--history", tmp_path / "history.parquet", stdin="\n".join(messages(walked.news[-100:]))
    )
    told = answers(done.out)
    assert 15 <= len(told) <= 22
    assert told == predicted[-len(told) :]


def test_a_state_folder_lets_the_next_stream_go_on(walked: Walked, predicted: list[dict[str, Any]], tmp_path: Path) -> None:
    news = messages(walked.news)
    words = ("stream", "--bundle", walked.bundle, "--state", tmp_path / "state")
    first, second = (barsmith(*words, stdin="\n".join(part)) for part in (news[:137], news[137:]))
    assert answers(first.out) + answers(second.out) == predicted


def test_every_answer_comes_as_soon_as_its_bar_is_finished(walked: Walked, predicted: list[dict[str, Any]]) -> None:
    running = fed("stream", "--bundle", walked.bundle, news=messages(walked.news)[:10])
    assert [told_next(running) for _ in range(2)] == predicted[:2]
    assert select.select([running.stdout], [], [], 0.5)[0] == []
    assert running.communicate(timeout=30)[0] == b""
    assert running.returncode == 0


def fed(*words: str | Path, news: list[str]) -> subprocess.Popen[bytes]:
    """A stream that has been told some minutes and waits for the next one."""
    running = started(*words)
    assert running.stdin is not None
    running.stdin.write("\n".join([*news, ""]).encode())
    running.stdin.flush()
    return running


def told_next(running: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The next answer, while the stream waits for more; a test ends where none comes."""
    assert running.stdout is not None
    if not select.select([running.stdout], [], [], 60)[0]:
        running.kill()
        raise AssertionError("no answer within a minute")
    found: dict[str, Any] = json.loads(running.stdout.readline())
    return found


def test_a_refused_minute_is_answered_with_its_error_and_changes_nothing(walked: Walked, predicted: list[dict[str, Any]]) -> None:
    news = messages(walked.news)
    other = json.dumps(json.loads(news[50]) | {"symbol": "MGC"})
    bad = ["{", "[1]", other, '{"datetime": "2025-12-31T00:00:00Z"}', "x" * 70_000, "\x1b[2J"]
    done = barsmith("stream", "--bundle", walked.bundle, stdin="\n".join([*news[:60], *bad, *news[60:]]))
    told = answers(done.out)
    assert done.code == 3
    assert [line["error"]["code"] for line in told if "error" in line] == [
        "stream/json", "stream/schema", "stream/symbol", "stream/schema", "stream/too-large", "stream/json"
    ]  # fmt: skip
    assert [line for line in told if "error" not in line] == predicted
    assert "6 refused" in done.err
    assert "[stream/refused]" in done.err
    assert "\x1b" not in done.out + done.err


def test_under_json_the_last_line_says_that_minutes_were_refused(walked: Walked) -> None:
    done = barsmith("--json", "stream", "--bundle", walked.bundle, stdin="{\n")
    assert (done.code, [line["error"]["code"] for line in answers(done.out)]) == (3, ["stream/json", "stream/refused"])


def test_no_input_is_no_error(walked: Walked) -> None:
    done = barsmith("stream", "--bundle", walked.bundle)
    assert (done.code, done.out, done.err) == (0, "", "0 minutes, 0 signals, 0 refused\n")


def test_a_signal_ends_a_stream_and_keeps_its_state(walked: Walked, predicted: list[dict[str, Any]], tmp_path: Path) -> None:
    news = messages(walked.news)
    words = ("stream", "--bundle", walked.bundle, "--state", tmp_path / "state")
    running = fed(*words, news=news[:20])
    told = [told_next(running) for _ in range(3)]
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, b"Traceback" in err) == (143, False)
    went_on = barsmith(*words, stdin="\n".join(news))
    repeated = [line for line in answers(went_on.out) if line not in told]
    assert told + repeated == predicted


def test_a_line_without_end_is_kept_only_as_far_as_it_takes_to_refuse_it() -> None:
    class Endless:
        """A feed that has forgotten its line ends."""

        def __init__(self, size: int) -> None:
            self.left, self.most = size, 0

        def readline(self, limit: int) -> bytes:
            self.most = max(self.most, limit)
            taken = min(limit, self.left)
            self.left -= taken
            return b"x" * taken

    feed = Endless(10_000_000)
    found = list(lines(feed))  # type: ignore[arg-type]
    assert [len(line) for line in found] == [64 * 1024 + 1]
    assert feed.most == 64 * 1024 + 1
