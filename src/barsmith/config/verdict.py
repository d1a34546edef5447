"""Which scores are too good to be true."""

from __future__ import annotations

from pydantic import Field

from barsmith.config.section import Section
from barsmith.config.values import Level, Share


class AlarmLevels(Section):
    """Scores above these are too good to be true. Source: honest scores on real 5m bars at horizon 20."""

    auc_macro: Share = 0.68
    auc_direction: Share = 0.56
    accuracy_over_majority: Share = 0.05


class VerdictSettings(Section):
    """`default` holds everywhere except where `levels` names a timeframe and horizon, as `5m_h20`."""

    default: AlarmLevels = AlarmLevels()
    levels: dict[Level, AlarmLevels] = Field(default_factory=dict)

    def at(self, timeframe: str, horizon: int) -> AlarmLevels:
        return self.levels.get(f"{timeframe}_h{horizon}", self.default)
