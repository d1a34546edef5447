"""Models of windows on their way: trained over a view, carried by a bundle, the same bits from a file and minute by minute."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forging import forge, record_in
from live_feed import answers, batch, live, with_holes

from barsmith.errors import DataError, IntegrityError, UsageError
from barsmith.features.past import Past
from barsmith.models.fitting import predict_model
from barsmith.pipeline.api import train
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.parity import parity
from barsmith.serving.session import LiveSession
from small_market import SmallMarket, later_bars

MODELS = Path(__file__).parents[1] / "window_models.py"
KINDS = {
    "sequence": ("last_row", ["training.seq_len=12"]),
    "indicators": ("last_row", ["training.seq_len=5", "training.strategy=indicators", "training.features=[rsi_*, return_on_1h]"]),
    "multires": ("closes", ["training.seq_len=7"]),
}


@pytest.fixture(scope="module")
def workspace(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = shutil.copytree(market.workspace, tmp_path_factory.mktemp("windows") / "workspace")
    shutil.copy(MODELS, place / "window_models.py")
    return place


def made(workspace: Path, kind: str, overrides: Sequence[str] = ()) -> Bundle:
    model, own = KINDS[kind]
    training = train(workspace, model=model, overrides=[*own, *overrides], modules=[workspace / "window_models.py"])
    return create_bundle(training.run_dir, kind, workspace)


@pytest.fixture(scope="module", params=KINDS)
def seeing(request: pytest.FixtureRequest, workspace: Path) -> Bundle:
    return made(workspace, request.param)


def test_a_stream_gives_the_bits_of_the_file(seeing: Bundle, fresh: pl.DataFrame) -> None:
    for bars in (fresh[:1500], with_holes(fresh, 3)[:1500]):
        found = parity(seeing, bars)
        assert (found.mismatches, found.bars) == (0, len(seeing.predict(bars)))
        assert seeing.predict(bars)["signal"].null_count() == 0


def test_a_restored_session_goes_on_with_the_same_bits(seeing: Bundle, fresh: pl.DataFrame) -> None:
    bars = fresh[1200:1700]  # over a session break
    expected = batch(seeing, fresh[:1700])
    _, session = live(LiveSession(seeing, seeing.history), fresh[:1200])
    found, _ = live(session, bars, restore_after=(3, 100, 260))
    assert len(found) > 90
    assert all(expected[start] == values for start, values in found.items())


def test_an_answer_repeated_is_the_same_answer(seeing: Bundle, fresh: pl.DataFrame) -> None:
    session = LiveSession(seeing, seeing.history)
    rows = list(fresh[:40].iter_rows(named=True))
    told = [answers(session, row) for row in rows]
    closing = max(i for i, each in enumerate(told) if each)
    session = LiveSession(seeing, seeing.history)
    for row in rows[: closing + 1]:
        answers(session, row)
    assert answers(session, rows[closing]) == told[closing]


def test_a_bundle_without_history_is_silent_until_its_window_is_whole(workspace: Path, fresh: pl.DataFrame) -> None:
    bundle = made(workspace, "multires")
    session = LiveSession(bundle, bundle.history[:0])
    told = [signal for row in fresh[:200].iter_rows(named=True) for signal in session.update(row)]
    first = next(i for i, signal in enumerate(told) if signal.signal is not None)
    assert first == 7 * 3 - 1  # seven bars of 15 minutes, three base bars each


def test_a_window_that_stays_within_its_session_is_silent_after_each_opening(workspace: Path, fresh: pl.DataFrame) -> None:
    shutil.copytree(workspace, inside := workspace.with_name("inside"))
    settings = inside / "config" / "pipeline.yaml"
    settings.write_text(settings.read_text() + "datasets: {within_session: true}\n")
    from barsmith.pipeline.api import run

    run(inside, symbol="MES")
    bundle = made(inside, "sequence")
    bars = fresh[:3000]
    assert parity(bundle, bars).mismatches == 0
    signals = bundle.predict(bars)
    opened = signals["datetime"].diff().dt.total_minutes().fill_null(0).to_numpy() > 30  # the first bar after a break
    silent = signals["signal"].is_null().to_numpy()
    assert opened.sum() == 2
    for first in np.flatnonzero(opened):
        assert silent[first : first + 11].all()
        assert not silent[first + 11]


def test_parity_accuses_a_window_that_is_one_bar_late(workspace: Path, fresh: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = made(workspace, "sequence")
    real = Past.of
    kept: list[np.ndarray | None] = []

    def late(self: Past, *args: object) -> np.ndarray | None:
        kept.append(real(self, *args))  # type: ignore[arg-type]
        return kept[-2] if len(kept) > 1 else kept[-1]

    monkeypatch.setattr(Past, "of", late)
    found = parity(bundle, fresh[:200])
    assert found.mismatches > 0
    assert found.first_mismatch is not None
    assert found.first_mismatch["name"].startswith("prob_")


def test_the_record_tells_what_the_model_is_handed_and_is_held_to_it(workspace: Path, tmp_path: Path) -> None:
    bundle = made(workspace, "multires")
    assert bundle.record.window.model_dump() == {
        "reads": "multires",
        "length": 7,
        "within_session": False,
        "timeframes": ["1m", "5m", "15m"],
    }
    own = record_in(bundle.folder)["window"]
    faults = (
        {"timeframes": ["5m", "1m", "15m"]},
        {"reads": "tabular", "length": 1, "timeframes": []},
        {"reads": "sequence", "timeframes": []},
        {"length": 10**9},
        {"length": 6},
        {"timeframes": ["1m", "5m"]},
    )
    for number, fault in enumerate(faults):
        folder = shutil.copytree(bundle.folder, tmp_path / str(number))
        forge(folder, lambda record, fault=fault: record.update(window=own | fault))  # type: ignore[misc]
        with pytest.raises((IntegrityError, DataError)):
            Bundle.load(folder, workspace=workspace).predict(later_bars()[-50:])


def test_a_column_that_is_not_there_is_named(workspace: Path) -> None:
    with pytest.raises(UsageError) as told:
        train(workspace, model="last_row", overrides=["training.features=[rsi_999]"], modules=[workspace / "window_models.py"])
    assert (told.value.code, told.value.where) == ("config/unknown-name", "training.features")


def test_windows_longer_than_a_split_are_refused(workspace: Path) -> None:
    with pytest.raises(DataError) as told:
        train(workspace, model="last_row", overrides=["training.seq_len=5000"], modules=[workspace / "window_models.py"])
    assert told.value.code == "config/inconsistent"


def test_a_window_with_a_hole_in_it_is_refused_by_whoever_predicts(seeing: Bundle) -> None:
    window, model = seeing.scorer.window, seeing.scorer.model
    shape = (2, 3, window.length, 4) if window.timeframes else (2, window.length, len(seeing.plan.names))
    X = np.zeros(shape, np.float32)
    X[1, ..., -1, 2] = np.nan
    with pytest.raises(DataError) as told:
        predict_model(model, X)
    assert told.value.code == "models/nan-input"


def test_a_model_of_rows_takes_its_own_columns_too(workspace: Path, fresh: pl.DataFrame) -> None:
    training = train(workspace, model="logistic", overrides=["training.strategy=single", "training.features=[rsi_*, cci_20, hour_*]"])
    assert set(training.container.feature_names) <= {"rsi_14", "cci_20", "hour_sin", "hour_cos"}
    assert "rsi_14" in training.container.feature_names
    bundle = create_bundle(training.run_dir, "rows", workspace)
    assert bundle.plan.names == training.container.feature_names
    assert parity(bundle, fresh[:200]).mismatches == 0
    with pytest.raises(UsageError) as told:  # a column made of another timeframe is not among those of `single`
        train(workspace, model="logistic", overrides=["training.strategy=single", "training.features=[rsi_on_15m]"])
    assert told.value.code == "config/unknown-name"
