"""What a user sees of a feature: the list without a compiler, the description with picture and spread, the plot as a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from command import barsmith, process

from barsmith.features.registry import catalogue
from barsmith.features.settled import record
from barsmith.testing.markets import OCTOBER, ordinary_minutes

MINE = '''
from barsmith.features import close, feature, lag

@feature(n=(3,))
def step(n: int):
    """Change over n bars. Unit: price. Source: own."""
    return close - lag(close, n)
'''


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    """Seven sessions of October 2025, from the 15th on."""
    return ordinary_minutes(7, seed=8, first=OCTOBER).to_frame().drop("contract", "roll_factor")


@pytest.fixture
def workspace(bars: pl.DataFrame, tmp_path: Path) -> Path:
    """Raw bars of one contract, and nothing else."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    bars.write_parquet(tmp_path / "data" / "raw" / "MES_1m.parquet")
    return tmp_path


def test_the_list_compiles_nothing_and_loads_nothing_compiled(tmp_path: Path) -> None:
    count = "sum(bool(each.overloads) for each in gc.get_objects() if isinstance(each, Dispatcher))"
    code = (
        "import gc, sys; from numba.core.dispatcher import Dispatcher; from barsmith.cli import main; "
        f"code = main({['--json', 'features', 'list', '--workspace', str(tmp_path)]!r}); "
        f"found = {count}; kernels = sum(isinstance(each, Dispatcher) for each in gc.get_objects()); "
        "print(code, found, kernels > 20, file=sys.stderr)"
    )
    done = process(launch=[sys.executable, "-c", code])
    assert done.stderr.split()[-3:] == [b"0", b"0", b"True"]
    assert len(json.loads(done.stdout)["features"]) > 200


def test_the_list_of_a_group_is_that_group(tmp_path: Path) -> None:
    rows = barsmith("--json", "features", "list", "--group", "momentum", "--workspace", tmp_path).json["features"]
    assert {row["name"] for row in rows} == {name for name, one in catalogue().items() if one.group == "momentum"}
    wrong = barsmith("--json", "features", "list", "--group", "momentun", "--workspace", tmp_path)
    assert (wrong.code, wrong.error["code"]) == (2, "config/unknown-name")
    assert "momentum" in wrong.error["do"]


def test_a_description_says_where_the_feature_stands_and_what_was_measured(tmp_path: Path) -> None:
    told = barsmith("--json", "features", "describe", "rsi_14", "--workspace", tmp_path).json
    file, _, line = told["defined"].rpartition(":")
    assert Path(file).read_text().splitlines()[int(line)].startswith("def rsi(")
    assert told["settling"] == {"measured": record()["rsi_14"].measured, "declared": record()["rsi_14"].declared, "starts": 8}
    assert told["graph"][0]["reads"] == [1]
    assert told["distribution"] is None
    read = barsmith("features", "describe", "rsi_14", "--workspace", tmp_path).out
    assert f"settles  after {record()['rsi_14'].measured:,} base bars" in read
    assert "└─ #1  5m  ta." in read
    assert "no distribution: no single contract in data/raw" in read


def test_a_feature_outside_the_chosen_set_is_described_and_says_so(tmp_path: Path) -> None:
    words = ("features", "describe", "ichimoku_spread_9_26", "--workspace", tmp_path)
    assert barsmith("--json", *words).json["left_out"] is None
    dropped = (*words, "--set", "features.drop=ichimoku_*")
    assert "features.set and features.drop choose others" in barsmith("--json", *dropped).json["left_out"]
    assert "note     a data run here leaves it out: features.set" in barsmith(*dropped).out
    told = barsmith("--json", "features", "describe", "rsi_on_1h", "--set", "timeframes=[5m, 15m]", "--workspace", tmp_path).json
    assert "it reads 1h, which `timeframes` does not name" in told["left_out"]


def test_settings_come_from_a_file_or_the_command_line_as_for_a_run(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    here, other = ("--workspace", workspace), tmp_path_factory.mktemp("other") / "other.yaml"
    other.write_text("features: {set: minimal}")
    told = barsmith("--json", "features", "list", "--config", other, "--set", "base_timeframe=15m", *here).json
    assert (told["base"], len(told["features"])) == ("15m", 20)
    assert (
        barsmith("--json", "features", "list", "--config", "-", *here, stdin="features: {set: [rsi_7]}").json["features"][0]["name"]
        == "rsi_7"
    )
    described = barsmith(
        "--json", "features", "describe", "rsi_9", "--set", "features.params.rsi.n=[9]", "--set", "base_timeframe=15m", *here
    )
    assert described.json["distribution"]["base"] == "15m"
    plotted = barsmith("--json", "features", "plot", "rsi_14", "--set", "base_timeframe=1h", "--to", "2025-10-15", *here)
    assert plotted.json["bars"] == 23
    wrong = barsmith("--json", "features", "audit", "--set", "base_timeframe=7m", *here)
    assert (wrong.code, wrong.error["code"]) == (2, "config/timeframe")


def test_a_clocks_whole_name_stands_once_below_the_list(tmp_path: Path) -> None:
    words = ("features", "list", "--set", "clock.kind=volume", "--set", "clock.threshold=5000", "--workspace", tmp_path)
    read = barsmith(*words).out
    assert read.count("volume(threshold=5000.0)") == 1
    assert {row["timeframe"] for row in barsmith("--json", *words).json["features"]} >= {"volume(threshold=5000.0)", "1h"}


def test_nothing_is_claimed_as_measured_on_another_base_or_of_another_definition(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "pipeline.yaml"
    settings.write_text("base_timeframe: 15m\n")
    assert barsmith("--json", "features", "describe", "rsi_14", "--workspace", tmp_path).json["settling"] is None
    settings.write_text("features: {params: {rsi: {n: [15]}}}\n")
    assert barsmith("--json", "features", "describe", "rsi_15", "--workspace", tmp_path).json["settling"] is None


def test_a_learned_feature_says_that_its_warm_up_is_expected(tmp_path: Path) -> None:
    read = barsmith("features", "describe", "hmm_regime_state_3", "--workspace", tmp_path).out
    assert "expected before it has learned" in read


def test_the_picture_is_cut_where_asked(tmp_path: Path) -> None:
    read = barsmith("features", "describe", "rsi_14", "--depth", "0", "--workspace", tmp_path).out
    assert "└─ ... 1 more\n" in read


def test_the_spread_of_a_users_own_feature_can_be_checked_by_hand(workspace: Path) -> None:
    (workspace / "mine.py").write_text(MINE)
    words = ("features", "describe", "step_3", "--module", workspace / "mine.py", "--workspace", workspace)
    told = barsmith("--json", *words).json
    bars = pl.read_parquet(workspace / "data" / "raw" / "MES_1m.parquet").with_columns(pl.col("datetime").dt.truncate("5m"))
    close = bars.group_by("datetime", maintain_order=True).agg(pl.col("close").last())["close"]
    moves = (close - close.shift(3)).drop_nulls()
    every = told["distribution"]["rows"]["all"]
    assert (told["distribution"]["symbol"], told["distribution"]["came_from"]) == ("MES", "data/raw")
    assert (every["count"], every["min"], every["max"]) == (len(moves), moves.min(), moves.max())
    assert every["mean"] == pytest.approx(moves.mean(), abs=1e-9)
    assert every["50%"] == pytest.approx(moves.median())
    assert told["defined"].startswith(str(workspace / "mine.py"))
    histogram = told["distribution"]["histogram"]
    assert sum(histogram["counts"]) + histogram["below"] + histogram["above"] == len(moves)
    read = barsmith(*words).out
    assert f"on MES, data/raw: {len(close):,} bars of 5m, settled from bar 3\n" in read
    assert "█" in read


def test_several_contracts_are_a_choice_that_the_user_makes(workspace: Path, bars: pl.DataFrame) -> None:
    bars.write_parquet(workspace / "data" / "raw" / "MGC_1m.parquet")
    here = ("features", "describe", "rsi_14", "--workspace", workspace)
    assert barsmith("--json", *here).json["distribution"] is None
    assert "choose one with --symbol" in barsmith(*here).out
    assert barsmith("--json", *here, "--symbol", "MGC").json["distribution"]["symbol"] == "MGC"
    plot = barsmith("--json", "features", "plot", "rsi_14", "--workspace", workspace)
    assert (plot.code, plot.error["code"]) == (2, "cli/symbol")


@pytest.mark.parametrize(("symbol", "code"), [("NOPE", "cli/symbol"), ("MGC", "bars/not-found")])
def test_a_contract_that_is_not_there_is_an_error(symbol: str, code: str, workspace: Path) -> None:
    done = barsmith("--json", "features", "describe", "rsi_14", "--symbol", symbol, "--workspace", workspace)
    assert (done.code, done.error["code"]) == (2, code)


def test_bars_that_cannot_be_read_stop_the_spread_and_not_the_description(workspace: Path) -> None:
    (workspace / "data" / "raw" / "MES_1m.parquet").write_bytes(b"PAR1 and no more")
    done = barsmith("features", "describe", "rsi_14", "--workspace", workspace)
    assert done.code == 0
    assert "no distribution on MES: " in done.out
    assert barsmith("features", "describe", "rsi_14", "--symbol", "MES", "--workspace", workspace).code == 3


def test_a_plot_says_where_it_was_written_and_may_be_made_again(workspace: Path) -> None:
    words = ("--json", "features", "plot", "rsi_14", "--from", "2025-10-16", "--to", "2025-10-17", "--workspace", workspace)
    told = barsmith(*words).json
    path = workspace / "results" / "rsi_14_MES.html"
    assert told == {
        "feature": "rsi_14", "symbol": "MES", "came_from": "data/raw", "out": str(path), "bars": 2 * 276,
        "from": "2025-10-16", "to": "2025-10-17",
    }  # fmt: skip
    first = path.read_bytes()
    assert barsmith(*words).code == 0
    assert path.read_bytes() == first


def test_a_plot_replaces_nobody_elses_file(workspace: Path) -> None:
    out = workspace / "other.html"
    out.write_text("<html>mine</html>")
    words = ("--json", "features", "plot", "rsi_14", "--out", out, "--workspace", workspace)
    done = barsmith(*words)
    assert (done.code, done.error["code"]) == (2, "cli/exists")
    assert out.read_text() == "<html>mine</html>"
    assert barsmith(*words, "--force").code == 0
    assert barsmith(*words).code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--out", "plot.png"], "cli/format"),
        (["--out", "{workspace}/data/raw/plot.html"], "config/path"),
        (["--from", "2025-13-01"], "cli/date"),
        (["--from", "2026-01-01"], "cli/date"),
        (["--to", "tomorrow"], "cli/date"),
        (["--symbol", "MGC"], "bars/not-found"),
    ],
)
def test_a_plot_that_cannot_be_made_is_refused(words: list[str], code: str, workspace: Path) -> None:
    given = [word.format(workspace=workspace) for word in words]
    done = barsmith("--json", "features", "plot", "rsi_14", *given, "--workspace", workspace)
    assert (done.code, done.error["code"]) == (2, code)
    assert not list(workspace.rglob("plot.*"))
