"""The audit of a user's file finds every way to lie that we know, without knowing the way, and accuses nobody else."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from audited import LEAKY, found_in, kinds_found, small_history

from barsmith.features.audit.history import History

ROOT = Path(__file__).parents[2]

#: The kinds that each feature of a leaky file is accused of; a feature that is not here is honest.
FUNCTIONS = {
    **{
        key: {"future"}
        for key in [
            *("centred_mean", "shifted_back", "whole_zscore", "whole_minmax", "whole_rank", "whole_wavelet", "wavelet_of_each_split"),
            *("smoothed_regime", "viterbi_regime", "hour_joined_on_its_open", "gap_interpolated", "outliers_judged_later"),
            *("rarely_ahead", "ahead_at_the_wildest", "ahead_before_breaks", "tiny_ahead", "missing_before_falls"),
            *("only_late_ahead", "first_rows_ahead"),
        ]
    },
    "needs_more": {"lookback"},
}
EXPRESSIONS = {
    **{key: {"future"} for key in ["next_change", "rare_change", "over_all", "hidden_on_large_number", "missing_ahead", "half_hour"]},
    "negative_lag_3": {"future"},
    "fails_when_made_1": {"crash"},
    "another_step": {"live", "warmup"},
    "never_forgets": {"warmup"},
    "settles_late": {"warmup"},
}
MOODS = {
    **{key: {"random"} for key in ["noisy", "rarely_noisy", "by_the_clock"]},
    **{key: {"stateful"} for key in ["counting", "replays", "begins_with_the_whole"]},
    "remembers": {"future"},  # what it keeps of later bars looks like it
    "looks_up_the_stack": {"future"},
}
LEARNERS = {"fitted_on_all_rows": {"fit"}, "drawn_by_lot": {"random"}}
ENDINGS = {"leaves": {"exit"}, "quits": {"exit"}, "waits": {"hang"}, "fails": {"crash"}, "dawdles": {"slow"}}


@pytest.fixture(scope="module")
def history() -> History:
    return small_history(6)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("functions.py", FUNCTIONS),
        ("expressions.py", EXPRESSIONS),
        ("moods.py", MOODS),
        pytest.param("learners.py", LEARNERS, marks=pytest.mark.slow),
    ],
)
def test_each_lie_is_found_by_its_kind_and_the_honest_features_beside_it_pass(file, expected, history, tmp_path):
    assert kinds_found(LEAKY / file, history, tmp_path) == expected


@pytest.mark.slow
def test_a_function_that_ends_waits_fails_or_dawdles_fails_alone(history, tmp_path):
    assert kinds_found(LEAKY / "endings.py", history, tmp_path, bar=3.0, feature=12.0) == ENDINGS


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("import os; os._exit(0)", "exit", "code 0"),
        ("import sys; sys.exit(0)", "exit", "SystemExit"),
        ("import time; time.sleep(1000)", "hang", "no answer"),
        ("1 / 0", "crash", "ZeroDivisionError"),
        ("x = 3", "crash", "none"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crash", "signal 11"),
        ("import os; os.write(1, b'{}'); os.close(1); os._exit(0)", "exit", "code 0"),
    ],
)
def test_a_file_that_does_not_come_back_fails(text, kind, told, history, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(text)
    found = found_in(file, history, tmp_path, load=5.0)
    assert [(leak.feature, leak.kind) for leak in found.leaks.values()] == [("mine.py", kind)]
    assert told in next(iter(found.leaks.values())).told


@pytest.fixture
def workspace(history, tmp_path) -> Path:
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    history.raw.write_parquet(raw / "MES_1m.parquet")
    np.save(tmp_path / "future.npy", np.column_stack([history.rung.end, np.append(history.rung.bars[1:, 3], 0.0)]))
    return tmp_path


def looked_up(history: History) -> str:
    """A file with the signs of the next changes written into it."""
    ahead = np.sign(np.diff(history.rung.bars[:, 3], append=0.0)).astype(int).tolist()
    return f"""
import numpy as np
from barsmith.features import close, cos, end_, feature, kernel, session, weekday

AHEAD = np.array({ahead}, float)
BY_DATE = dict(zip({history.rung.start.tolist()}, AHEAD))

@feature(lookback=3)
def by_date(bars):
    return np.array([BY_DATE.get(int(t), 0.0) for t in bars.datetime.astype("datetime64[m]").astype(int)])

@kernel(size=lambda: 0, settling=lambda: 0)
def at_end(state, params, end):
    i = int((end - {int(history.rung.start[0])}) / 5) - 1
    return AHEAD[i] if 0 <= i < len(AHEAD) else 0.0

@kernel(size=lambda: 0, settling=lambda: 0)
def at_session(state, params, number):
    i = int(number) - {int(history.rung.session[0])}
    return AHEAD[i * 50] if 0 <= i * 50 < len(AHEAD) else 0.0

@kernel(size=lambda: 1, settling=lambda: 0)
def at_count(state, params, x):
    state[0] = 0.0 if np.isnan(state[0]) else state[0] + 1.0
    return AHEAD[int(state[0])] if state[0] < len(AHEAD) else 0.0

@feature
def by_end():
    return at_end(end_)

@feature
def by_session_number():
    return at_session(session)

@feature
def by_count():
    return at_count(close)

@feature
def honest_calendar():
    return cos(end_ * (2 * np.pi / 1440)) + weekday

@feature(lookback=2)
def honest_exchange_hour(bars):
    from zoneinfo import ZoneInfo
    from datetime import UTC, datetime
    hours = [datetime.fromtimestamp(int(t) * 60, UTC).astimezone(ZoneInfo("America/Chicago")).hour for t in bars.datetime.astype("datetime64[m]").astype(int)]
    return np.array(hours, float)
"""


def test_a_value_that_is_looked_up_by_date_number_or_count_is_found_and_hours_are_not(history, workspace):
    file = workspace / "mine.py"
    file.write_text(looked_up(history))
    outside = {key: {"outside"} for key in ["by_date", "by_end", "by_session_number"]}
    assert kinds_found(file, history, workspace) == {**outside, "by_count": {"warmup"}}


OPENERS = {
    "python": """
@feature(lookback=2)
def opens(bars):
    known = np.load({there!r} + "/future.npy")
    at = np.searchsorted(known[:, 0], bars.datetime.astype("datetime64[m]").astype(int) + 5)
    return known[np.minimum(at, len(known) - 1), 1]

@feature
def honest():
    return close / open_
""",
    "polars while it is run": """
RAW = pl.read_parquet({there!r} + "/data/raw/MES_1m.parquet")["close"]
MEAN, SPREAD = RAW.mean(), RAW.std()

@feature
def opens():
    return (close - MEAN) / SPREAD
""",
    "polars when it is asked": """
KNOWN = []

@feature(lookback=2)
def opens(bars):
    if not KNOWN:
        KNOWN.append(pl.read_parquet({there!r} + "/data/raw/MES_1m.parquet")["close"].std())
    return bars.close / KNOWN[0]
""",
}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("python", marks=pytest.mark.slow),
        "polars while it is run",
        pytest.param("polars when it is asked", marks=pytest.mark.slow),
    ],
)
def test_a_feature_that_reads_a_file_is_found(way, history, workspace):
    if way.startswith("polars") and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells what is opened around Python")
    file = workspace / "mine.py"
    file.write_text(
        "import numpy as np, polars as pl\nfrom barsmith.features import close, feature, open_\n"
        + OPENERS[way].format(there=str(workspace))
    )
    found = found_in(file, history, workspace)
    assert set(found.leaks) == {("opens", "outside")}
    assert str(workspace) in found.leaks["opens", "outside"].told


PATCHES = {
    "cleaning": """
from barsmith.bars import cleaning
real = cleaning.clean
def clean(raw, sessions, **more):
    return real(raw.with_columns(close=(pl.col("close") + pl.col("close").shift(-1).forward_fill()) / 2), sessions, **more)
cleaning.clean = clean
""",
    "the join": """
from barsmith.features.graph import On
from barsmith.features.plan import Plan
real = Plan.column
def column(self, node, known, bars, inputs):
    if isinstance(node.expr, On):
        known = {t: np.minimum(k + 1, len(inputs[0]) - 1) for t, k in known.items()}
    return real(self, node, known, bars, inputs)
Plan.column = column
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", PATCHES)
def test_a_file_that_changes_barsmith_itself_is_found(what, history, tmp_path):
    file = tmp_path / "mine.py"
    own = "@feature\ndef change():\n    return on('1h', close / lag(close, 1))\n"
    file.write_text("import numpy as np, polars as pl\nfrom barsmith.features import close, feature, lag, on\n" + PATCHES[what] + own)
    assert kinds_found(file, history, tmp_path)["change"] == {"future"}


def test_the_guide_s_features_pass(history, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "add_a_feature.md").read_text(), re.S)
    file = tmp_path / "my_features.py"
    file.write_text("\n".join(text for text in blocks if "barsmith.testing" not in text))
    began = time.monotonic()
    assert kinds_found(file, small_history(12), tmp_path) == {}
    assert time.monotonic() - began < 120
