"""A dry run refuses what the run would refuse, and asks for no more than the settings feed."""

from __future__ import annotations

from pathlib import Path

import pytest

from barsmith.cli.status import status
from barsmith.errors import BarsmithError
from barsmith.pipeline.api import dry_run, rerun
from small_market import SmallMarket


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("features.drop=[rsi_144x]", "config/unknown-name"),
        ("ingest.timezone=America/Chigaco", "config/timezone"),
        ("labels.primary_signal=nosuch.csv", "signals/not-found"),
        ("labels.primary_signal=config/pipeline.yaml", "signals/"),
        ("events=nosuch.csv", "events/not-found"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would_refuse_without_a_look_at_the_minutes(word: str, code: str, market: SmallMarket) -> None:
    with pytest.raises(BarsmithError) as refused:
        dry_run(market.workspace, symbol="MES", overrides=[word])
    assert refused.value.code.startswith(code)


def test_settings_of_the_search_remake_nothing_before_it(market: SmallMarket) -> None:
    """Labels with the given barriers do not know how others will be searched."""
    words = ["labels.tune=true", "labels.trials=7", "labels.search=nsga2"]
    made = [one["name"] for one in dry_run(market.workspace, symbol="MES", overrides=words)["stages"] if one["action"] == "run"]
    assert made == ["ga_optimize", "final_labels", "splits", "scaling", "datasets", "validation", "reporting"]


def test_status_of_a_stage_alone_points_to_the_whole_run(copied: Path, market: SmallMarket) -> None:
    alone = rerun(copied, market.run["run_id"], only="ingest")
    told = status(workspace=copied)
    assert (told.data["run_id"], told.data["whole_run"]) == (alone["run_id"], market.run["run_id"])
    assert f"ingest alone was made; all stages: barsmith status {market.run['run_id']}" in told.says
    assert status(market.run["run_id"], workspace=copied).data["whole_run"] is None
