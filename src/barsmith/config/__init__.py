"""What can be set in a run: every key, its default, its limits.

The same keys stand in `config/pipeline.yaml`, in `--set section.key=value` and in `BARSMITH__SECTION__KEY`;
`config_reading.py` brings the three together. A section is a value: equal settings have equal fingerprints, which
is how a stage knows that nothing about it has changed.
"""

from barsmith.config.bars import CleanSettings, ClockSettings, IngestSettings, SessionSettings
from barsmith.config.contracts import CALENDARS, SHIPPED_SYMBOLS, ContractSettings
from barsmith.config.datasets import MULTIRES_TIMEFRAMES, DatasetSettings, FeatureSettings, ScalingSettings, ValidationSettings
from barsmith.config.labels import BarrierSettings, LabelSettings, OutcomeSettings, Unit
from barsmith.config.section import Section, canonical, safe_name, shown, wrong
from barsmith.config.settings import Settings
from barsmith.config.splits import SPLIT_KEYS, SplitSettings
from barsmith.config.values import TIMEFRAMES
from barsmith.config.verdict import AlarmLevels

__all__ = [
    "CALENDARS",
    "MULTIRES_TIMEFRAMES",
    "SHIPPED_SYMBOLS",
    "SPLIT_KEYS",
    "TIMEFRAMES",
    "AlarmLevels",
    "BarrierSettings",
    "CleanSettings",
    "ClockSettings",
    "ContractSettings",
    "DatasetSettings",
    "FeatureSettings",
    "IngestSettings",
    "LabelSettings",
    "OutcomeSettings",
    "ScalingSettings",
    "Section",
    "SessionSettings",
    "Settings",
    "SplitSettings",
    "Unit",
    "ValidationSettings",
    "canonical",
    "safe_name",
    "shown",
    "wrong",
]
