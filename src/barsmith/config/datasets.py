"""What a data set holds: which features, how they are scaled and cut into windows, and what its checks refuse."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from barsmith.config.section import Section, shown, wrong
from barsmith.config.values import TIMEFRAMES, Listed, Names, Timeframe, Values

MULTIRES_TIMEFRAMES = ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h")
"""The rungs that a model of several resolutions reads."""


class FeatureSettings(Section):
    """Which features are computed."""

    set: Names = ("tabular",)  # tabular | sequence | multires | minimal, or the names and patterns of features
    modules: Annotated[tuple[str, ...], Listed] = ()  # the user's own files
    params: dict[str, dict[str, Values]] = Field(default_factory=dict)  # {rsi: {n: [14, 21]}}
    drop: Names = ()  # names and patterns


class ScalingSettings(Section):
    """Scaled features are clipped at plus and minus `clip` interquartile ranges."""

    clip: Annotated[float, Field(gt=0, le=1000)] = 5.0
    pass_through: Annotated[tuple[Literal["flags", "bounded"], ...], Listed] = ()  # kinds of columns that are not scaled

    @model_validator(mode="after")
    def _what_passes_is_not_clipped(self) -> ScalingSettings:
        if self.pass_through and self.clip < 1:
            expected, do = "a clip of 1 or more, since what passes through goes from -1 to 1", "raise clip, or scale every column"
            raise wrong("config/inconsistent", expected, f"{self.clip:g}", do, "scaling.clip")
        return self


class DatasetSettings(Section):
    """How windows are cut for models that read sequences or several resolutions; a model's own settings go first."""

    sequence_length: Annotated[int, Field(ge=1, le=10_000)] = 60  # base bars of a window
    within_session: bool = False  # a window never begins in an earlier session than it ends in
    multires_length: Annotated[int, Field(ge=1, le=10_000)] = 60  # finished bars of each rung
    multires_timeframes: Annotated[tuple[Timeframe, ...], Listed] = MULTIRES_TIMEFRAMES

    @model_validator(mode="after")
    def _rungs_in_order(self) -> DatasetSettings:
        rungs = self.multires_timeframes
        if not rungs or list(rungs) != sorted(set(rungs), key=TIMEFRAMES.__getitem__):
            expected, key = "one rung or more, from short to long, each once", "datasets.multires_timeframes"
            raise wrong("config/timeframe", expected, shown(rungs), "sort them", key)
        return self


class ValidationSettings(Section):
    """What the checks of the data set refuse."""

    max_correlation: Annotated[float, Field(gt=0, le=1)] = 0.95
