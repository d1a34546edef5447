"""What a hostile reviewer broke once: rolls by name, live errors, restarts after a history, and code that a bundle brings along."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import polars as pl
import pytest

from barsmith.bars.reading import read_bars
from barsmith.errors import DataError, IntegrityError
from barsmith.pipeline.api import run, train
from barsmith.serving.bundle import Bundle, own_file
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.bundle_record import CodeEntry
from barsmith.serving.messages import messages_of
from barsmith.serving.parity import parity
from barsmith.serving.streaming import stream
from small_market import MODEL, SmallMarket, later_bars


@pytest.fixture(scope="module")
def bundle(market: SmallMarket) -> Bundle:
    return Bundle.load(market.bundle, workspace=market.workspace)


@pytest.fixture(scope="module")
def later(market: SmallMarket) -> pl.DataFrame:
    """Raw bars after the bundle's history."""
    last = read_bars(market.raw, symbol="MES")["datetime"][-1]
    return later_bars().filter(pl.col("datetime") > last)


def lines_of(bars: pl.DataFrame) -> list[bytes]:
    return [orjson.dumps({**row, "datetime": row["datetime"].isoformat()}) for row in bars.to_dicts()]


def streamed(bundle: Bundle, bars: pl.DataFrame, **keywords) -> list[dict]:
    out: list[bytes] = []
    stream(bundle, lines_of(bars), out.append, **keywords)
    return [orjson.loads(line) for line in out]


def test_streamed_minutes_are_answered_as_predict_answers_them(bundle, later):
    predicted = bundle.predict(later)
    answers = streamed(bundle, later)[-len(predicted) :]
    assert [a["prob_long"] for a in answers] == predicted["prob_long"].to_list()
    assert [a["signal"] for a in answers] == predicted["signal"].to_list()


def with_contracts(bars: pl.DataFrame, *starts: int) -> pl.DataFrame:
    """The bars under the names MESH5, MESM5, ... , each from its row on, its prices 1 % higher than the contract's before."""
    number = pl.Series([sum(row >= start for start in starts) for row in range(len(bars))])
    names = pl.Series(["MESH5", "MESM5", "MESU5", "MESZ5"])[number]
    scale = pl.Series([1.01**k for k in range(4)])[number]
    prices = [(pl.col(c) * scale / 0.25).round() * 0.25 for c in ("open", "high", "low", "close")]
    return bars.with_columns(*prices, contract=names)


@pytest.fixture(scope="module")
def rolling(market: SmallMarket, tmp_path_factory) -> tuple[Bundle, pl.DataFrame]:
    """A bundle whose history holds one named roll, and all bars, in which a second one follows."""
    workspace = tmp_path_factory.mktemp("rolling")
    (workspace / "config").mkdir()
    (workspace / "config" / "pipeline.yaml").write_bytes((market.workspace / "config" / "pipeline.yaml").read_bytes())
    history = read_bars(market.raw, symbol="MES")
    whole = with_contracts(later_bars(), len(history) // 2, len(history) + 2000)
    raw = workspace / "data" / "raw" / "MES_1m.parquet"
    raw.parent.mkdir(parents=True)
    whole[: len(history)].write_parquet(raw)
    run(workspace, symbol="MES")
    made = create_bundle(train(workspace, model="xgboost", overrides=MODEL).run_dir, "rolling", workspace)
    return made, whole


@pytest.mark.parametrize("part", ["before the roll of the history", "over the roll that follows it", "all"])
def test_named_rolls_are_the_same_live_and_in_batch(rolling, part):
    bundle, whole = rolling
    assert bundle.history.names == ("MESH5", "MESM5")
    n = len(bundle.history)
    rows = {
        "before the roll of the history": slice(n // 3, n // 3 + 900),
        "over the roll that follows it": slice(n, n + 3500),
        "all": slice(0, None),
    }
    found = parity(bundle, whole[rows[part]])
    assert found.mismatches == 0, found.first_mismatch
    assert found.bars > 150


def test_an_error_in_the_middle_of_a_minute_leaves_the_session_as_it_was(bundle, later):
    messages = list(messages_of(later.with_columns(pl.col("volume").cast(pl.Float64))))[:400]
    session, other = bundle.live(), bundle.live()
    for i, message in enumerate(messages):
        if i == 222:
            whole = session.features.update

            def broken(time, bar, *more, whole=whole):
                whole(time, bar, *more)  # half done, and then
                raise DataError("features/function-failed", expected="a number", came="none", do="mend it")

            session.features.update = broken
            with pytest.raises(DataError):
                session.update(message)
            assert session.newest == messages[i - 1].time
        assert session.update(message) == other.update(message)
    assert len(session.minutes()) == len(other.minutes())


def test_a_stream_restarted_without_its_history_goes_on_with_the_same_bits(bundle, later, tmp_path):
    history, first, second = later[:600], later[600:900], later[900:1500]
    streamed(bundle, first, history=history, state=tmp_path / "state")
    restarted = streamed(bundle, second, state=tmp_path / "state")
    undisturbed = streamed(bundle, pl.concat([history, first, second]))
    assert restarted == undisturbed[-len(restarted) :]
    assert len(restarted) == 120


@pytest.mark.parametrize("where", ["bundles/evil/evil.py", "../evil.py", "/absolute", "link.py", "models/evil.txt"])
def test_code_that_is_not_the_users_own_is_not_run(tmp_path, where):
    workspace = tmp_path / "workspace"
    path = Path(where) if where.startswith("/") else workspace / where
    path = tmp_path / "evil.py" if where == "/absolute" else path
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace.mkdir(exist_ok=True)
    source = b"raise SystemExit('run')\n"
    if where == "link.py":
        (tmp_path / "real.py").write_bytes(source)
        path.symlink_to(tmp_path / "real.py")
    else:
        path.write_bytes(source)
    entry = CodeEntry(path=str(path) if where == "/absolute" else where, sha256=hashlib.sha256(source).hexdigest())
    with pytest.raises(IntegrityError) as refused:
        own_file(entry, workspace, [])
    assert refused.value.code == "bundle/code"


def test_the_users_own_file_is_found_in_the_workspace_or_by_name(tmp_path):
    source = b"x = 1\n"
    entry = CodeEntry(path="my_features.py", sha256=hashlib.sha256(source).hexdigest())
    (tmp_path / "my_features.py").write_bytes(source)
    assert own_file(entry, tmp_path, []) == tmp_path.resolve() / "my_features.py"
    other = tmp_path / "elsewhere" / "renamed.py"
    other.parent.mkdir()
    other.write_bytes(source)
    assert own_file(entry, tmp_path / "elsewhere", [other]) == other
