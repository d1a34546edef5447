"""Scheduled events on their way: read once, kept by the data run, carried by the bundle, the same bits live."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forging import Record, forge, record_in

from barsmith.cli.known_features import known_features
from barsmith.config import LabelSettings
from barsmith.config_reading import load_settings
from barsmith.errors import BarsmithError, DataError, IntegrityError, UsageError
from barsmith.pipeline.api import rerun, run, train
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.bundle_record import notes_on
from barsmith.serving.parity import parity
from small_market import SmallMarket, later_bars, settings_text

CPI, FOMC = ("2025-03-04T13:30Z", "2025-03-12T12:30Z", "2025-03-18T12:30Z"), ("2025-03-06T19:00Z", "2025-03-19T18:00Z")
LINES = [*(f"{time},cpi" for time in CPI), *(f"{time},fomc" for time in FOMC)]
NAMES = ["event_hours_to_next", "event_hours_since_last"]
NAMES += [f"event_{kind}_hours_{way}" for kind in ("cpi", "fomc") for way in ("to", "since")]
CONFIG = settings_text(
    events="calendar/events.csv", features="{set: [hour_*, rsi_14, rsi_on_15m, event_*]}", validation="{max_correlation: 1.0}"
)


def write_events(workspace: Path, lines: list[str] = LINES) -> Path:
    path = workspace / "calendar" / "events.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("datetime,event\n" + "".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def walked(market: SmallMarket, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(workspace, bundle) with five events; the events file is gone since the data run."""
    workspace = shutil.copytree(market.workspace, tmp_path_factory.mktemp("events") / "workspace")
    (workspace / "config" / "pipeline.yaml").write_text(CONFIG)
    path = write_events(workspace)
    run(workspace, symbol="MES")
    path.unlink()
    made = create_bundle(train(workspace, model="logistic").run_dir, "events", workspace)
    return workspace, made.folder


@pytest.fixture
def folder(walked: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return shutil.copytree(walked[1], tmp_path / "events")


def test_a_data_run_computes_two_features_of_all_events_and_two_of_each_kind(walked: tuple[Path, Path]) -> None:
    table = pl.read_parquet(walked[0] / "data/features/MES/features.parquet")
    assert set(NAMES) <= set(table.columns)
    at = {f"{row['decision']:%Y-%m-%dT%H:%M}Z": row for row in table.iter_rows(named=True)}
    assert (at[CPI[1]]["event_cpi_hours_since"], at["2025-03-12T11:00Z"]["event_cpi_hours_to"]) == (0.0, 1.5)
    assert at["2025-03-12T11:00Z"]["event_fomc_hours_to"] == 24.0
    assert at["2025-03-06T19:30Z"]["event_hours_since_last"] == 0.5


def test_the_bundle_carries_them_and_live_equals_batch(walked: tuple[Path, Path], market: SmallMarket) -> None:
    bundle = Bundle.load(walked[1], workspace=walked[0])
    assert set(NAMES) <= set(bundle.plan.names)
    assert {kind: len(times) for kind, times in bundle.record.events.items()} == {"cpi": 3, "fomc": 2}
    found = parity(bundle, later_bars()[-5000:])
    assert (found.mismatches, found.features) == (0, len(bundle.plan.names))
    assert found.bars >= 990
    plain = Bundle.load(market.bundle, workspace=market.workspace)
    assert plain.record.events == {}


def test_a_bundle_whose_events_are_over_says_so(walked: tuple[Path, Path]) -> None:
    assert any(note.startswith("bundle/events: the last event that it knows was on 2025-03-19") for note in Bundle.load(walked[1]).notes)


def test_events_to_come_need_no_note(walked: tuple[Path, Path]) -> None:
    record = Bundle.load(walked[1]).record
    later = record.model_copy(update={"events": {**record.events, "cpi": [*record.events["cpi"], 67_850_000]}})  # in 2099
    assert [note for note in notes_on(record, LabelSettings()) if note.startswith("bundle/events")]
    assert not [note for note in notes_on(later, LabelSettings()) if note.startswith("bundle/events")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda events: events["cpi"].reverse(), "bundle/manifest"),
        (lambda events: events["cpi"].append(events["cpi"][-1]), "bundle/manifest"),
        (lambda events: events.update(empty=[]), "bundle/manifest"),
        (lambda events: events.update({"c p i": [30_000_000]}), "bundle/manifest"),
        (lambda events: events.update(far=[1 << 50]), "bundle/manifest"),
        (lambda events: events["cpi"].pop(), "bundle/features"),
        (lambda events: events["fomc"].append(40_000_000), "bundle/features"),
        (lambda events: events.pop("fomc"), "bundle/features"),
    ],
)
def test_a_bundle_with_other_events_is_refused(folder: Path, change: Any, code: str) -> None:
    def forged(record: Record) -> None:
        change(record["events"])

    forge(folder, forged)
    with pytest.raises(IntegrityError) as error:
        Bundle.load(folder)
    assert error.value.code == code
    assert record_in(folder)["events"] is not None


def computed(record: dict[str, Any]) -> set[str]:
    return {stage["name"] for stage in record["stages"] if stage["status"] == "done"}


def test_another_list_is_computed_anew_and_the_same_one_is_not(walked: tuple[Path, Path], tmp_path: Path) -> None:
    workspace = shutil.copytree(walked[0], tmp_path / "workspace")
    write_events(workspace)
    first = run(workspace, symbol="MES")
    assert computed(first) == set()
    assert computed(rerun(workspace, first["run_id"])) == set()
    write_events(workspace, LINES[:-1])
    again = computed(run(workspace, symbol="MES"))
    assert {"features", "mtf", "scaling", "validation"} <= again
    assert not {"ingest", "clean", "sessions", "labeling"} & again


@pytest.mark.parametrize(
    ("text", "code", "error"),
    [
        ("datetime,event\n2025-03-04T13:30,cpi\n", "events/no-timezone", DataError),
        ("datetime,event\n", "events/empty", DataError),
        (None, "events/not-found", UsageError),
    ],
)
def test_a_bad_events_file_stops_the_run_before_anything_is_read(
    copied: Path, text: str | None, code: str, error: type[BarsmithError]
) -> None:
    (copied / "config" / "pipeline.yaml").write_text(CONFIG)
    if text is not None:
        write_events(copied).write_text(text)
    with pytest.raises(error) as raised:
        run(copied, symbol="MES")
    assert raised.value.code == code
    state = json.loads(max((copied / "runs").glob("*/pipeline_state.json")).read_text())
    assert (state["status"], state["error"]["code"]) == ("failed", code)
    assert {stage["status"] for stage in state["stages"]} == {"pending"}


def test_an_events_file_outside_the_workspace_is_refused(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("datetime,event\n2025-03-04T13:30Z,cpi\n")
    with pytest.raises(DataError) as error:
        run(copied, symbol="MES", overrides=["events=../events.csv"])
    assert error.value.code == "events/outside-root"


def test_features_list_shows_the_chosen_set_with_the_events(copied: Path) -> None:
    (copied / "config" / "pipeline.yaml").write_text(CONFIG)
    write_events(copied)
    known = known_features(copied, load_settings(copied).settings, None)
    assert known.base == "5m"
    listed = {name: one.entry(known.base) for name, one in known.chosen.items()}
    assert set(listed) >= {"rsi_14", "rsi_on_15m", "hour_sin", "hour_cos", *NAMES}
    assert {name for name in listed if not name.startswith(("hour_", "rsi_", "event_"))} == set()
    assert (listed["event_cpi_hours_to"]["group"], listed["event_cpi_hours_to"]["unit"]) == ("events", "hours")
