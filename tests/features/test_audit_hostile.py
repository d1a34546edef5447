"""Files whose author knows that they will be audited: state, tables of the future, other circumstances, processes that do not end."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from audited import LEAKY, kinds_found, market, small_history

from barsmith.features.audit.findings import Findings
from barsmith.features.audit.foresight import check_foresight
from barsmith.features.audit.history import History
from barsmith.features.audit.worker import AnswerError, Worker
from barsmith.testing.markets import ordinary_minutes

BEGIN = "import builtins, os, sys, time\nimport numpy as np, polars as pl\nfrom barsmith.features import close, feature, kernel, lag, learner, log, open_\n"


@pytest.fixture(scope="module")
def history() -> History:
    return small_history(6)


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.py"
    file.write_text(BEGIN + text)
    return file


@pytest.mark.slow
def test_what_is_kept_from_one_asking_to_the_next_is_found(history, tmp_path):
    assert kinds_found(LEAKY / "memories.py", history, tmp_path) == {
        "another_on_the_second_asking": {"stateful"},
        "scaled_by_the_longest": {"stateful"},
        "read_from_the_learner_s_pocket": {"stateful"},
    }


def tables_of(history: History) -> str:
    """The signs of the next changes, by prices, by month, day and hour, and on one bar in forty alone."""
    ahead = np.sign(np.diff(history.rung.bars[:, 3], append=0.0)).astype(int)
    prices = dict(zip(map(tuple, history.rung.bars[:, 3:5].tolist()), ahead.tolist(), strict=True))
    stamps = [str(time)[4:] for time in history.rung.start.astype("datetime64[m]")]
    return f"""
PRICES, STAMPS = {prices}, {dict(zip(stamps, ahead.tolist(), strict=True))}

@feature(lookback=2)
def by_prices(bars):
    return np.array([PRICES.get((c, v), 0.0) for c, v in zip(bars.close.tolist(), bars.volume.tolist())], float)

@feature(lookback=2)
def by_day_of_the_year(bars):
    return np.array([STAMPS.get(str(t)[4:16], 0.0) for t in bars.datetime], float)

@feature(lookback=2)
def by_prices_and_seldom(bars):
    return np.array([PRICES.get((c, v), 0.0) * (v % 7 == 3) for c, v in zip(bars.close.tolist(), bars.volume.tolist())], float)

@feature
def honest():
    return close / lag(close, 1)
"""


@pytest.mark.slow
def test_a_table_of_the_future_is_found_by_what_it_knows(history, tmp_path):
    told = ("by_prices", "by_day_of_the_year", "by_prices_and_seldom")
    assert kinds_found(written(tmp_path, tables_of(history)), history, tmp_path) == {name: {"foresight"} for name in told}


def foreseen(columns: dict[str, np.ndarray], history: History) -> set[str]:
    findings = Findings()
    check_foresight(columns, history, findings)
    assert findings.silent == [name for name in columns if name == "nothing"]
    return findings.accused("foresight")


def test_foresight_is_told_from_luck_trend_and_the_clusters_of_volatility():
    history = small_history(20)
    price = np.log(history.rung.bars[:, 3])
    change, random = np.diff(price, prepend=price[0]), np.random.default_rng(2)
    ahead = np.append(change[1:], 0.0)
    twelve = np.append(price[12:], np.full(12, np.nan)) - price
    seldom = np.where(random.random(len(price)) < 0.05, ahead, 0.0)
    noise = random.normal(size=len(price)) * change.std()
    lies = {"next": ahead, "next 12": twelve, "seldom": seldom, "in noise": ahead + 2 * noise, "its size": np.abs(ahead)}
    lies["missing before falls"] = np.where(ahead < 0, np.nan, noise)
    honest = {"change": change, "size": np.abs(change), "noise": noise, "level": price, "constant": price * 0, "nothing": price * np.nan}
    assert foreseen(lies | honest, history) == set(lies)
    trend = ordinary_minutes(20, 5)
    drift = np.repeat(np.sign(random.normal(size=len(trend) // 240 + 1)), 240)[: len(trend), None] * 0.05
    bars = trend.bars + np.column_stack([np.cumsum(drift)] * 4 + [np.zeros(len(trend))])
    trending = History.of(dataclasses.replace(trend, bars=bars).to_frame().drop("contract", "roll_factor"), history.sessions, base="5m")
    past = np.log(trending.rung.bars[:, 3])
    momentum = past - np.append(np.full(12, np.nan), past[:-12])
    assert foreseen({"momentum": momentum}, trending) == set()
    assert foreseen({"next": np.append(np.diff(past), 0.0)}, trending) == {"next"}


#: What a file may try, and what is told of it.
OPENED = {
    "open({there!r} + '/future.zip', 'rb')": "/future.zip",
    "np.load({there!r} + '/future.so')": "/future.so",
    "open('/dev/shm/barsmith_future', 'rb')": "/dev/shm/barsmith_future",
    "np.load(os.path.expanduser('~/.cache/future.npy'))": "/.cache/future.npy",
    "np.load(os.path.dirname(np.__file__) + '/future.npy')": "/numpy/future.npy",
    "pl.read_parquet('/srv/future.parquet')": "/srv/future.parquet",
    "open('/proc/self/cmdline').read()": "/proc/self/cmdline",
    "__import__('subprocess').run(['true'])": "subprocess.Popen",
    "os.fork() or os._exit(0)": "os.fork",
    "__import__('ctypes').CDLL(None)": "ctypes.dlopen",
    "__import__('socket').create_connection(('127.0.0.1', 9), 0.1)": "socket.connect",
    "__import__('mmap').mmap(-1, 10)": "mmap.__new__",
    "__import__('gc').get_objects()": "gc.get_objects",
}


def test_whatever_it_opens_is_seen_also_where_it_fails(tmp_path):
    tries = "".join(f"try:\n    {text.format(there=str(tmp_path))}\nexcept OSError:\n    pass\n" for text in OPENED)
    with Worker(written(tmp_path, tries + "@feature\ndef body():\n    return close / open_\n"), market()) as worker:
        opened = worker.opened()
    assert [told for told in OPENED.values() if not any(told in each for each in opened)] == []


def test_what_python_and_its_libraries_open_for_themselves_is_not_seen(tmp_path):
    text = """
import inspect, warnings
from zoneinfo import ZoneInfo
import scipy.signal, sklearn.linear_model
from datetime import datetime, UTC
HERE = datetime(2025, 5, 5, tzinfo=UTC).astimezone(ZoneInfo("America/Chicago"))
warnings.warn("shown with its line")

@kernel(size=lambda: 0, settling=lambda: 0)
def doubled(state, params, x):
    return 2.0 * x

@feature
def body():
    return doubled(close / open_)
"""
    with Worker(written(tmp_path, text), market()) as worker:
        assert worker.opened() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Landlock")
@pytest.mark.slow
def test_a_file_that_is_read_around_python_and_a_date_on_the_wall_are_found(history, tmp_path):
    np.save(tmp_path / "future.npy", np.ones(3))
    text = f"""
import datetime
held = bytes({str(tmp_path)!r} + "/future.npy", "ascii")
read = pl.__dict__["read_parquet"].__wrapped__ if hasattr(pl.read_parquet, "__wrapped__") else pl.read_parquet

def is_there():
    try:
        read(held.decode())
    except OSError:
        return False
    except Exception:
        return True

THERE, LATE = is_there(), datetime.date.today().year > 2027 and time.time() > 1.83e9

@feature
def by_file():
    return close / lag(close, 1 if THERE else 2)

@feature
def by_date():
    return close / lag(close, 1 if LATE else 2)
"""
    found = kinds_found(written(tmp_path, text), history, tmp_path)
    assert found == {"by_file": {"outside"}, "by_date": {"outside"}}


HOLDS = """
@feature(lookback=3)
def waits(bars):
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        os._exit(0)
    time.sleep(100)
"""


def test_a_process_that_has_left_the_group_and_holds_the_line_is_not_waited_for(history, tmp_path):
    began = time.monotonic()
    with Worker(written(tmp_path, HOLDS), market(load=5.0)) as worker, pytest.raises(AnswerError) as failure:
        worker.tails(np.column_stack([history.rung.bars, history.rung.start.astype(float)]), np.arange(3, 9), "waits")
    assert failure.value.kind == "hang"
    assert time.monotonic() - began < 15


def test_a_file_that_says_it_defines_nothing_fails(history, tmp_path):
    text = """
from barsmith.features import registry

@feature(n=(7,))
def ahead(n):
    return close / lag(close, n)

class Nothing:
    product = staticmethod(lambda *values: [])

registry.itertools = Nothing
"""
    assert kinds_found(written(tmp_path, text), history, tmp_path) == {"mine.py": {"crash"}}


def test_what_is_no_real_number_fails_as_it_does_in_a_run(history, tmp_path):
    strange = ("bars.close * 1j", "bars.datetime", "bars.close.astype(object)", "bars.close.astype(str)")
    text = "".join(f"@feature(lookback=3)\ndef strange_{i}(bars):\n    return {array}\n" for i, array in enumerate(strange))
    rows = np.column_stack([history.rung.bars, history.rung.start.astype(float)])
    with Worker(written(tmp_path, text), market()) as worker:
        for i in range(len(strange)):
            with pytest.raises(AnswerError, match="not real numbers"):
                worker.tails(rows, np.arange(3, 9), f"strange_{i}")
            with pytest.raises(AnswerError, match="not real numbers"):
                worker.call(rows, f"strange_{i}")
