"""A finished training: the fitted model, what it is worth on each split, and the table of scores that a reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.parts import Part
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.importance import FeatureImportance
from barsmith.models.params import ModelParams
from barsmith.pipeline.run_data import RunData
from barsmith.validation.verdict import SKILLS, Alarm, Verdict


@dataclass(frozen=True, eq=False)
class Judged:
    """One split's predictions and what they are worth. intervals: 95 %, by drawing whole sessions. best_possible: of a simulated market."""

    part: Part
    output: PredictionOutput
    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]
    baselines: dict[str, dict[str, float | None]]
    better_than: dict[str, dict[str, list[float] | None]]
    best_possible: dict[str, float | None] | None


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training: the fitted model, what it told, and its judged splits (`val`, and `test` where it was opened).

    tracking: where it was recorded beside its folder, or why not; None where that was not asked for.
    """

    data: RunData
    container: TimeSeriesDataContainer
    model: BaseModel
    params: ModelParams
    told: TrainingMetrics
    splits: dict[str, Judged]
    verdict: Verdict
    alarms: list[Alarm]
    importance: FeatureImportance
    test_openings: int
    seconds: float
    run_dir: Path
    tracking: dict[str, Any] | None = None

    def __repr__(self) -> str:
        name = f"{self.model.info.name} on {self.data.symbol}, horizon {self.container.horizon}"
        return f"<Training {name}: {self.verdict.sentence} run_dir={self.run_dir}>"

    @property
    def is_meta(self) -> bool:
        """The labels say whether a primary signal's trades paid."""
        return self.data.settings.labels.primary_signal is not None

    @property
    def skill_columns(self) -> dict[str, str]:
        """{score of skill: its column's title}."""
        return {"auc_timing": "auc_paid"} if self.is_meta else {score: score for score in SKILLS}

    def as_dict(self) -> dict[str, Any]:
        """What `barsmith --json train` prints."""
        return {
            "run_dir": str(self.run_dir),
            "model": self.model.info.name,
            "symbol": self.data.symbol,
            "horizon": self.container.horizon,
            "seconds": round(self.seconds, 3),
            "metrics": {name: judged.metrics for name, judged in self.splits.items()},
            "intervals": {name: judged.intervals for name, judged in self.splits.items()},
            "baselines": self.splits["val"].baselines,
            "better_than_baselines": self.splits["val"].better_than,
            "best_possible": self.splits["val"].best_possible,
            "verdict": self.verdict.as_dict(),
            "alarms": [alarm.as_dict() for alarm in self.alarms],
            "trials": self.verdict.trials,
            "test_openings": self.test_openings,
            "rows": {name: len(part) for name, part in self.parts().items()},
            "left_out": {name: dict(counts) for name, counts in self.container.left_out.items()},
            "training": self.told.as_dict(),
            **({} if self.tracking is None else {"tracking": self.tracking}),
        }

    def parts(self) -> dict[str, Part]:
        opened = {"test": self.container.test} if self.container.test_is_open else {}
        return {"train": self.container.train, "val": self.container.val, **opened}


def summary_rows(training: Training) -> list[Mapping[str, Any]]:
    """The table of scores that a reader sees: the model, the baselines, and the best possible where it is known."""
    val = training.splits["val"]
    rows: list[tuple[str, Mapping[str, Any]]] = [(training.model.info.name, val.metrics), ("  95 % interval", val.intervals)]
    rows += [(name.replace("_", " "), row) for name, row in val.baselines.items()]
    if val.best_possible is not None:
        rows.append(("best possible", val.best_possible))
    if "test" in training.splits:
        test = training.splits["test"]
        rows += [(f"TEST: {training.model.info.name}", test.metrics), ("  95 % interval", test.intervals)]
    shown = {name: name for name in ("accuracy", "f1_macro", "log_loss", "brier")} | training.skill_columns
    return [{"validation": name, **{title: row.get(score) for score, title in shown.items()}} for name, row in rows]
