"""What is asked of the future of each bar, and how far its barriers stand."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from barsmith.config.section import Section, wrong
from barsmith.config.values import MAX_HORIZON, Horizon

Unit = Literal["atr", "fraction", "ticks"]
FURTHEST = {"atr": 100.0, "fraction": 1.0, "ticks": 100_000.0}
"""The distance that a barrier must not exceed, in its unit; a fraction stays below."""
Distance = Annotated[float, Field(gt=0, le=FURTHEST["ticks"])]


def _check_distances(unit: Unit, **distances: float | None) -> None:
    for name, distance in distances.items():
        limit = FURTHEST[unit]
        if distance is not None and (distance > limit or (unit == "fraction" and distance == limit)):
            expected = "a fraction of the price below 1" if unit == "fraction" else f"at most {limit:g}, in {unit}"
            raise wrong("config/out-of-range", expected, f"{name} {distance:g}", f"correct {name}, or the unit")


class BarrierSettings(Section):
    """Distances of the barriers in their unit: ATR(14), fractions of the entry's price, or ticks."""

    k_up: Distance
    k_down: Distance
    unit: Unit = "atr"

    @model_validator(mode="after")
    def _distances_fit_their_unit(self) -> BarrierSettings:
        _check_distances(self.unit, k_up=self.k_up, k_down=self.k_down)
        return self


class OutcomeSettings(Section):
    """What is asked of the future of each bar, whatever is searched. k_up, k_down and unit override the contract's barriers."""

    method: Literal["triple_barrier", "fixed_horizon", "trend_scanning"] = "triple_barrier"
    k_up: Distance | None = None
    k_down: Distance | None = None
    unit: Unit = "atr"
    max_bars: Horizon | None = None  # patience in base bars; None: the horizon itself
    session: Literal["hold", "close"] = "hold"  # what a trade does at the session's close
    trend_min_bars: Annotated[int, Field(ge=2, le=MAX_HORIZON)] = 3  # the shortest window
    trend_min_t: Annotated[float, Field(ge=0, le=1e6)] = 0.0  # below it a trend is none
    events: Literal["every_bar", "cusum"] = "every_bar"
    cusum_threshold: Annotated[float, Field(gt=0, le=1000)] = 4.0
    cusum_unit: Literal["volatility", "fraction"] = "volatility"
    primary_signal: str | None = None  # a file of the user's, relative to the workspace
    uniqueness: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_distances(self.unit, k_up=self.k_up, k_down=self.k_down)
        if self.unit != "atr" and (self.k_up is None or self.k_down is None):
            came = f"unit {self.unit} and {'neither' if self.k_up is self.k_down else 'one of the two'}"
            raise wrong("config/inconsistent", "k_up and k_down in that unit", came, "set both", "labels.unit")
        if self.method == "trend_scanning" and (self.k_up, self.k_down) != (None, None):
            raise wrong(
                "config/inconsistent", "no barriers, which trend_scanning has not", "k_up or k_down", "leave both out", "labels.method"
            )
        if self.events == "cusum" and self.cusum_unit == "fraction" and self.cusum_threshold >= 1:
            came = f"{self.cusum_threshold:g}"
            raise wrong("config/out-of-range", "a fraction below 1, as 0.002", came, "set labels.cusum_threshold", "labels.cusum_threshold")
        if self.primary_signal is not None and self.method != "triple_barrier":
            do = "write method: triple_barrier, or leave primary_signal out"
            raise wrong("config/inconsistent", "triple barriers for meta-labels", self.method, do, "labels.primary_signal")
        return self

    @property
    def answers(self) -> dict[int, str]:
        """What a model of these labels can say, and what that is called."""
        return self.classes if self.primary_signal is not None else {-1: "short", 0: "neutral", 1: "long"}

    @property
    def classes(self) -> dict[int, str]:
        """The labels that there should be, and what they are called. A trend is 0 only where closes do not move at all, or below trend_min_t."""
        if self.primary_signal is not None:
            return {0: "unpaid", 1: "paid"}
        if self.method == "trend_scanning" and self.trend_min_t == 0:
            return {-1: "short", 1: "long"}
        return {-1: "short", 0: "neutral", 1: "long"}


class LabelSettings(OutcomeSettings):
    """What is asked of the future of each bar, and how barriers are searched for it."""

    tune: bool = True  # search other barriers on the training slice; false: the given ones are used
    trials: Annotated[int, Field(ge=1, le=10_000)] = 100  # of the search, for each horizon
    search: Literal["tpe", "nsga2"] = "tpe"  # Optuna's sampler
