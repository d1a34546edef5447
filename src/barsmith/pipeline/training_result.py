"""A finished training: the fitted model, what it is worth on each split, and the table of scores that a reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.parts import Part
from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.params import ModelParams
from barsmith.pipeline.run_data import RunData
from barsmith.validation.verdict import Alarm, Verdict


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
    """A finished training: the fitted model, what it told, and its judged splits (`val`, and `test` where it was opened)."""

    data: RunData
    container: TimeSeriesDataContainer
    model: BaseModel
    params: ModelParams
    told: TrainingMetrics
    splits: dict[str, Judged]
    verdict: Verdict
    alarms: list[Alarm]
    test_openings: int
    seconds: float
    run_dir: Path

    def __repr__(self) -> str:
        name = f"{self.model.info.name} on {self.data.symbol}, horizon {self.container.horizon}"
        return f"<Training {name}: {self.verdict.sentence} run_dir={self.run_dir}>"

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
        }

    def parts(self) -> dict[str, Part]:
        opened = {"test": self.container.test} if self.container.test_is_open else {}
        return {"train": self.container.train, "val": self.container.val, **opened}


def summary_rows(training: Training) -> list[Mapping[str, Any]]:
    """The table of scores that a reader sees: the model, the baselines, and the best possible where it is known."""
    shown = ("accuracy", "f1_macro", "log_loss", "brier", "auc_timing", "auc_direction")
    val = training.splits["val"]
    rows: list[Mapping[str, Any]] = [{"validation": training.model.info.name, **{k: val.metrics[k] for k in shown}}]
    rows += [{"validation": "  95 % interval", **{k: val.intervals[k] for k in shown}}]
    rows += [{"validation": name.replace("_", " "), **{k: row[k] for k in shown}} for name, row in val.baselines.items()]
    if val.best_possible is not None:
        rows.append({"validation": "best possible", **{k: val.best_possible.get(k) for k in shown}})
    if "test" in training.splits:
        test = training.splits["test"]
        rows.append({"validation": f"TEST: {training.model.info.name}", **{k: test.metrics[k] for k in shown}})
        rows.append({"validation": "  95 % interval", **{k: test.intervals[k] for k in shown}})
    return rows
