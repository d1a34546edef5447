"""All settings of a run, and what must hold between its sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from barsmith.config.bars import CleanSettings, ClockSettings, IngestSettings, SessionSettings
from barsmith.config.contracts import SHIPPED_SYMBOLS, ContractSettings
from barsmith.config.datasets import DatasetSettings, FeatureSettings, ScalingSettings, ValidationSettings
from barsmith.config.labels import BarrierSettings, LabelSettings
from barsmith.config.section import Section, shown, wrong
from barsmith.config.splits import SPLIT_KEYS, SplitSettings, five_days_of
from barsmith.config.values import TIMEFRAMES, Horizon, Listed, Rolls, Symbol, Timeframe, timeframe_name
from barsmith.config.verdict import VerdictSettings
from barsmith.errors import did_you_mean

SCHEMA_VERSION = 1


class ModelSettings(Section):
    """Files with the user's own models, beside those under `models/`."""

    modules: Annotated[tuple[str, ...], Listed] = ()


class Settings(Section):
    """All settings of a run. Flat `train_pct val_pct test_pct purge_bars embargo_bars` mean those of `splits`."""

    version: int = SCHEMA_VERSION
    symbol: Symbol | None = None  # None: the one in data/raw
    random_seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 42
    allow_batch_symbols: bool = False
    base_timeframe: Timeframe = "5m"
    timeframes: Annotated[tuple[Timeframe, ...], Listed] = tuple(TIMEFRAMES)
    label_horizons: Annotated[tuple[Horizon, ...], Listed] = (5, 10, 15, 20)
    rolls: Rolls = ()
    events: str | None = None  # a CSV file of scheduled events, relative to the workspace
    ingest: IngestSettings = IngestSettings()
    clean: CleanSettings = CleanSettings()
    sessions: SessionSettings = SessionSettings()
    clock: ClockSettings = ClockSettings()
    features: FeatureSettings = FeatureSettings()
    labels: LabelSettings = LabelSettings()
    barriers: dict[Symbol, BarrierSettings] = Field(default_factory=dict)
    splits: SplitSettings = SplitSettings()
    scaling: ScalingSettings = ScalingSettings()
    datasets: DatasetSettings = DatasetSettings()
    validation: ValidationSettings = ValidationSettings()
    verdict: VerdictSettings = VerdictSettings()
    models: ModelSettings = ModelSettings()
    tracking: Literal["none", "mlflow"] = "none"  # where trainings are recorded, beside their own folders
    instruments: dict[Symbol, ContractSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _split_section(cls, values: Any) -> Any:
        """The flat keys put into their section; the embargo, where none is given, five days of base bars: 1440 of 5m, 120 of 1h, 390 of a trailing clock."""
        if not isinstance(values, dict) or not isinstance(values.get("splits") or {}, dict | SplitSettings):
            return values
        section = values.get("splits") or {}
        section = section.model_dump(exclude_unset=True) if isinstance(section, SplitSettings) else dict(section)
        for key in [key for key in SPLIT_KEYS if key in values]:
            if key in section and section[key] != values[key]:
                raise wrong("config/duplicate-key", f"{key} once", f"it flat and under splits ({key})", "keep one of the two")
            section[key] = values[key]
        if section.get("embargo_bars") is None:
            section["embargo_bars"] = five_days_of(timeframe_name(values.get("base_timeframe", "5m")), values.get("clock"))
        return {**{key: value for key, value in values.items() if key not in SPLIT_KEYS}, "splits": section}

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        if self.version != SCHEMA_VERSION:
            do = "upgrade barsmith" if self.version > SCHEMA_VERSION else f"write version: {SCHEMA_VERSION}"
            raise wrong("config/version", f"version {SCHEMA_VERSION} of the settings", str(self.version), do, "version")
        self._check_ladder()
        self._check_horizons()
        self._check_symbols()
        for times in self.rolls.values() if isinstance(self.rolls, dict) else [self.rolls]:
            if list(times) != sorted(set(times)):
                raise wrong("config/dates", "rolls in the order of time, each once", shown([str(t) for t in times]), "sort them", "rolls")
        return self

    def _check_ladder(self) -> None:
        if list(self.timeframes) != sorted(set(self.timeframes), key=TIMEFRAMES.__getitem__):
            raise wrong("config/timeframe", "timeframes from short to long, each once", shown(self.timeframes), "sort them", "timeframes")
        if self.base_timeframe not in self.timeframes:
            came = f"{self.base_timeframe}, and timeframes {', '.join(self.timeframes)}"
            raise wrong(
                "config/timeframe", "base_timeframe among timeframes", came, f"add {self.base_timeframe} to timeframes", "timeframes"
            )

    def _check_symbols(self) -> None:
        known = (*SHIPPED_SYMBOLS, *self.instruments)
        for section, given in (("barriers", self.barriers), ("rolls", self.rolls if isinstance(self.rolls, dict) else {})):
            for symbol in given:
                if symbol not in known:
                    do = f"{did_you_mean(symbol, known)} (or describe it under instruments)"
                    raise wrong("config/symbol", "a known contract", shown(symbol), do, f"{section}.{symbol}")

    def _check_horizons(self) -> None:
        horizons = self.label_horizons
        if not horizons or list(horizons) != sorted(set(horizons)):
            expected = "one horizon or more, from short to long, each once"
            do = f"write label_horizons: {sorted(set(horizons))}" if horizons else "name one at least, as label_horizons: [20]"
            raise wrong("config/horizons", expected, shown(list(horizons)), do, "label_horizons")
        shortest = self.labels.max_bars or horizons[0]
        if self.labels.method == "trend_scanning" and shortest < self.labels.trend_min_bars:
            came = f"{self.labels.trend_min_bars}, and windows of at most {shortest} bars"
            expected = "trend_min_bars no longer than the shortest horizon"
            raise wrong("config/inconsistent", expected, came, "lower trend_min_bars, or take that horizon out", "labels.trend_min_bars")
        longest = max(horizons[-1], self.labels.max_bars or 0)
        if self.splits.purge_bars < longest:
            raise wrong(
                "config/leakage",
                f"purge_bars of {longest} or more, since a label may look {longest} bars ahead",
                str(self.splits.purge_bars),
                f"set purge_bars to {3 * longest} (three times the longest horizon)",
                "splits.purge_bars",
            )

    @property
    def base_kind(self) -> str:
        """What base bars are: their timeframe, or the kind of clock that closes them."""
        return self.base_timeframe if self.clock.kind == "time" else self.clock.kind

    @property
    def train_pct(self) -> float:
        return self.splits.train_pct

    @property
    def val_pct(self) -> float:
        return self.splits.val_pct

    @property
    def test_pct(self) -> float:
        return self.splits.test_pct

    @property
    def purge_bars(self) -> int:
        return self.splits.purge_bars

    @property
    def embargo_bars(self) -> int:
        return self.splits.embargo_bars

    def for_symbol(self, symbol: str) -> Settings:
        """These settings for a run of one contract."""
        return self.model_copy(update={"symbol": symbol})

    def roll_minutes(self, symbol: str) -> tuple[int, ...]:
        """The given rolls of one contract, each the first minute of the new one, in minutes since 1970 UTC."""
        times = self.rolls.get(symbol, ()) if isinstance(self.rolls, dict) else self.rolls
        return tuple(int(time.timestamp()) // 60 for time in times)
