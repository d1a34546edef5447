"""A simulated market as the raw files of a workspace, and whose files it never replaces."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from barsmith.artifacts import read_parquet, record_of
from barsmith.bars.reading import read_bars
from barsmith.bars.simulated_files import about_simulation, write_simulated
from barsmith.config import Settings
from barsmith.errors import UsageError


def written(workspace: Path, **options: object) -> Path:
    return write_simulated(workspace, "MES", **{"days": 2, "seed": 7, "edge": 0.1, "paths": 2, **options})  # type: ignore[arg-type]


def test_the_bars_are_read_like_any_vendors(tmp_path: Path) -> None:
    bars = written(tmp_path)
    assert bars == tmp_path / "data" / "raw" / "MES_1m.parquet"
    frame = read_bars(bars, symbol="MES")
    assert frame.columns[:6] == ["datetime", "open", "high", "low", "close", "volume"]
    assert 2000 < len(frame) <= 2 * 1380


def test_the_truth_knows_its_bars_by_their_hash(tmp_path: Path) -> None:
    bars = written(tmp_path)
    truth, about = read_parquet(bars.with_name("MES_truth.parquet"), symbol="MES")
    told = about["about"]
    assert told["bars_sha256"] == record_of(bars).sha256
    assert (told["seed"], told["edge"], told["k_up"], told["k_down"], told["base_timeframe"]) == (7, 0.1, 1.5, 1.0, "5m")
    assert len(truth) == 2 * 276


def test_the_settings_choose_horizons_and_barriers(tmp_path: Path) -> None:
    settings = Settings.model_validate({"label_horizons": (3,), "labels": {"k_up": 0.5}})
    told = about_simulation(written(tmp_path, settings=settings))
    assert told is not None
    assert (told["horizons"], told["k_up"], told["k_down"]) == ([3], 0.5, 1.0)


def test_an_earlier_simulation_is_replaced_by_the_same_bytes(tmp_path: Path) -> None:
    first = record_of(written(tmp_path))
    assert record_of(written(tmp_path, seed=8)) != first
    assert record_of(written(tmp_path)) == first


@pytest.mark.parametrize("content", ["real", "torn", "foreign"])
def test_real_bars_are_never_replaced_unasked(content: str, tmp_path: Path) -> None:
    bars = tmp_path / "data" / "raw" / "MES_1m.parquet"
    bars.parent.mkdir(parents=True)
    if content == "real":
        pl.DataFrame({"datetime": ["2025-03-03T00:00Z"], "close": [1.0]}).write_parquet(bars)
    elif content == "torn":
        bars.write_bytes(b"PAR1 and no end")
    else:
        pl.DataFrame({"close": [1.0]}).write_parquet(bars, metadata={"barsmith": "not what we write"})
    before = bars.read_bytes()
    with pytest.raises(UsageError) as caught:
        written(tmp_path)
    assert (caught.value.code, bars.read_bytes(), len(list(bars.parent.iterdir()))) == ("simulate/exists", before, 1)
    assert about_simulation(written(tmp_path, force=True)) is not None


def test_a_link_to_real_bars_is_never_followed(tmp_path: Path) -> None:
    bars = tmp_path / "data" / "raw" / "MES_1m.parquet"
    bars.parent.mkdir(parents=True)
    bars.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(UsageError, match="did not simulate"):
        written(tmp_path)


def test_no_second_file_of_the_symbol_is_put_beside_a_csv(tmp_path: Path) -> None:
    csv = tmp_path / "data" / "raw" / "MES_1m.csv"
    csv.parent.mkdir(parents=True)
    csv.write_text("datetime,open\n")
    for force in (False, True):
        with pytest.raises(UsageError) as caught:
            written(tmp_path, force=force)
        assert caught.value.code == "simulate/exists"


def test_an_unknown_contract_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_simulated(tmp_path, "../MES", days=2, seed=7, edge=0.1)
    assert (caught.value.code, list(tmp_path.iterdir())) == ("cli/symbol", [])
