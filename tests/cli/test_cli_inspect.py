"""`barsmith inspect` as a stranger meets it: what it says, as text and as JSON, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import DAYS, FIRST_DAY, barsmith

from barsmith.bars.simulate import simulate


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small market in the clock of Chicago, stamped at the close, under its own name."""
    path = tmp_path_factory.mktemp("inspect") / "MES.csv"
    bars = simulate("MES", DAYS, start=FIRST_DAY, paths=0).bars
    stamps = bars["datetime"].dt.offset_by("1m").dt.convert_time_zone("America/Chicago").dt.strftime("%Y-%m-%d %H:%M")
    bars.with_columns(datetime=stamps).write_csv(path)
    return path


def test_it_says_what_a_file_is_and_prints_the_yaml(naive: Path, tmp_path: Path) -> None:
    done = barsmith("inspect", naive, "--workspace", tmp_path)
    assert (done.code, done.err) == (0, "")
    for text in (
        "America/Chicago",
        "ETH of equity index",
        "stretches of trading begin with",
        "sure",
        '  timezone: "America/Chicago"  # sure',
    ):
        assert text in done.out


def test_under_json_it_is_one_object(naive: Path, tmp_path: Path) -> None:
    found = barsmith("--json", "inspect", naive, "--workspace", tmp_path).json
    assert found["settings"] == {"symbol": "MES", "ingest": {"timezone": "America/Chicago", "timestamps": "close"}}
    assert found["questions"] == []
    assert {finding["certainty"] for finding in found["findings"]} <= {"sure", "likely", "not known"}
    assert 'timestamps: "close"' in found["yaml"]


def test_the_yaml_is_all_that_a_run_needs(naive: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "config/pipeline.yaml").write_text(barsmith("--json", "inspect", naive, "--workspace", tmp_path).json["yaml"])
    (tmp_path / "data/raw/MES_1m.csv").write_bytes(naive.read_bytes())
    done = barsmith(
        "--json", "run", "--symbols", "MES", "--workspace", tmp_path, "--set", "splits.embargo_bars=100", "--set", "features.set=minimal"
    )
    assert done.code == 0, done.out
    assert done.json["stages"][0]["name"] == "ingest"


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["inspect", "nowhere.csv"], 2, "bars/not-found"),
        (["inspect", "."], 2, "bars/not-a-file"),
        (["inspect", "nowhere.csv", "--symbol", "../MES"], 2, "cli/symbol"),
        (["inspect"], 2, "cli/usage"),
    ],
)
def test_what_cannot_be_inspected_is_told(words: list[str], exit_code: int, code: str) -> None:
    done = barsmith("--json", *words)
    assert (done.code, done.error["code"]) == (exit_code, code)


def test_a_file_of_something_else_is_refused_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\x80\x04\x95pickle")
    done = barsmith("inspect", path)
    assert done.code == 3
    assert "[bars/wrong-format]" in done.err
    assert "Traceback" not in done.err


def test_names_in_a_file_reach_no_terminal_as_they_are(naive: Path, tmp_path: Path) -> None:
    path = tmp_path / "MES.csv"
    path.write_text(naive.read_text().replace("volume", "volume,\x1b[31mred", 1).replace("\n", ",1\n").replace("red,1", "red", 1))
    done = barsmith("inspect", path)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "red" in done.out


@pytest.mark.real
@pytest.mark.slow
def test_a_real_file_of_contracts_and_spreads_goes_all_the_way(real_data: Path, tmp_path: Path) -> None:
    """inspect, run, train, bundle and parity of a Databento download around a roll, by the printed YAML alone."""
    source = real_data / "MGC_1m_contracts_sample.parquet"
    (tmp_path / "config").mkdir()
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "config/pipeline.yaml").write_text(barsmith("--json", "inspect", source, "--workspace", tmp_path).json["yaml"])
    raw = tmp_path / "data/raw/MGC_1m.parquet"
    raw.write_bytes(source.read_bytes())
    here = ("--workspace", tmp_path)
    ran = barsmith("--json", "run", *here, "--set", "features.set=minimal", "--set", "splits.embargo_bars=80")
    assert ran.code == 0, ran.out
    assert (ran.json["bars"]["rolls"], ran.json["bars"]["guessed_rolls"]) == (1, 0)
    report = (tmp_path / "results" / f"{ran.json['run_id']}.md").read_text()
    assert "| 2025-11-25 23:00 UTC | MGCZ5 | MGCG6 | 4,127.100 | 4,165.100 | 38.000 |" in report
    trained = barsmith("--json", "train", *here, "--model", "xgboost", "--horizon", "5", "--set", "training.n_estimators=5")
    assert trained.code == 0, trained.out
    run_dir = next((tmp_path / "experiments/runs").iterdir())
    assert barsmith("--json", "bundle", "create", "--run", run_dir, "--name", "mgc", *here).code == 0
    compared = barsmith("--json", "parity", "--bundle", tmp_path / "bundles/mgc", "--bars", raw, *here)
    assert (compared.code, compared.json["mismatches"]) == (0, 0)
