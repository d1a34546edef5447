"""What can be set in a run: every key, its default, its limits.

The same keys stand in `config/pipeline.yaml`, in `--set section.key=value` and in `BARSMITH__SECTION__KEY`;
`config_reading.py` brings the three together. A section is a value: equal settings have equal fingerprints, which
is how a stage knows that nothing about it has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from barsmith.errors import UsageError, did_you_mean

SCHEMA_VERSION = 1
TIMEFRAMES = {"1m": 1, "5m": 5, "10m": 10, "15m": 15, "20m": 20, "25m": 25, "30m": 30, "45m": 45, "1h": 60, "4h": 240, "1d": 1440}
"""Minutes of each rung of the ladder. `1d` is the session's bar."""
MULTIRES_TIMEFRAMES = ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h")
"""The rungs that a model of several resolutions reads."""
SHIPPED_SYMBOLS = ("MES", "MNQ", "ES", "NQ", "MGC", "GC", "SI", "CL")
CALENDARS = ("equity_index", "metals", "energy", "always")
MAX_HORIZON = 1000
EMBARGO_MINUTES = 7200  # five days
SPLIT_KEYS = ("train_pct", "val_pct", "test_pct", "purge_bars", "embargo_bars")

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,11}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def shown(value: object) -> str:
    """A value for a message: on one line, control characters escaped, never long."""
    text = json.dumps(value, default=str) if not isinstance(value, str) else ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def wrong(code: str, expected: str, came: str, do: str, key: str = "") -> PydanticCustomError:
    """What a validator raises; `config_reading` turns it into a UsageError. key: the dotted key at fault where the location does not say."""
    words = {"expected": expected, "came": came, "do": do, "key": key}
    return PydanticCustomError(code, "expected {expected}, came {came}; {do}", words)


def safe_name(name: str, what: str, code: str = "config/name") -> str:
    """`name` where it can be a folder's name on every system; else UsageError: names never become paths."""
    if _SAFE_NAME.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    raise UsageError(
        code,
        expected=f"a {what} of 1 to 64 letters, digits, dots, dashes or underscores that starts with a letter or digit",
        came=shown(name),
        do="choose another name",
    )


def timeframe_name(text: object) -> Any:
    """`5min` is `5m`."""
    return text[:-2] if isinstance(text, str) and re.fullmatch(r"[0-9]+min", text) else text


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _names(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise wrong(
            "config/type",
            "a name, or a list of names and patterns",
            shown(value),
            "write one, as tabular or rsi_*, or a list: [rsi_14, macd_*]",
        )
    return (value,) if isinstance(value, str) else _listed(value)


def _timeframe(value: object) -> object:
    value = timeframe_name(value)
    if isinstance(value, str) and value not in TIMEFRAMES:
        raise wrong("config/timeframe", "one of " + ", ".join(TIMEFRAMES), shown(value), did_you_mean(value, TIMEFRAMES))
    return value


def _symbol(value: object) -> object:
    if isinstance(value, str) and not _SYMBOL.fullmatch(value):
        near = f"; did you mean {value.upper()}?" if _SYMBOL.fullmatch(value.upper()) else ""
        raise wrong("config/symbol", "a contract's symbol in capital letters and digits, as MES", shown(value), "correct the symbol" + near)
    return value


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar are in no year of UTC
        moment = None
    if moment is None or moment.tzinfo is None or moment.second or moment.microsecond or in_utc.second or in_utc.microsecond:
        raise wrong("config/dates", "a whole minute with its zone, as 2026-03-12T06:00Z", shown(value), "write it so")
    return in_utc


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    if isinstance(value, str | datetime):
        raise wrong("config/dates", "a day, as 2025-09-01", shown(str(value)), "write it so")
    return value


def _level(value: object) -> object:
    """`5m_h20`: a timeframe and a horizon."""
    if not isinstance(value, str):
        return value
    timeframe, _, horizon = value.rpartition("_h")
    timeframe = timeframe_name(timeframe)
    if timeframe not in TIMEFRAMES or not re.fullmatch(r"[1-9][0-9]{0,3}", horizon) or int(horizon) > MAX_HORIZON:
        do = did_you_mean(timeframe, TIMEFRAMES) if timeframe and timeframe not in TIMEFRAMES else "correct the key"
        expected = f"a timeframe and a horizon of 1 to {MAX_HORIZON}, as 5m_h20"
        raise wrong("config/unknown-key", expected, shown(value), do)
    return f"{timeframe}_h{horizon}"


Timeframe = Annotated[str, BeforeValidator(_timeframe)]
Symbol = Annotated[str, BeforeValidator(_symbol)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Level = Annotated[str, BeforeValidator(_level)]
Horizon = Annotated[int, Field(ge=1, le=MAX_HORIZON)]
Multiple = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]
Listed = BeforeValidator(_listed)
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Setting = int | float | str
Values = Annotated[tuple[Setting, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list | tuple) else (value,))]
Moments = Annotated[tuple[Moment, ...], Listed]
Rolls = Annotated[
    Annotated[Moments, Tag("times")] | Annotated[dict[Symbol, Moments], Tag("symbols")],
    Discriminator(lambda value: "symbols" if isinstance(value, dict) else "times"),
]
"""Times for the run's one symbol, or for each symbol its own."""


def five_days_of(base: object, clock: object) -> int:
    """Base bars of five days; what is no timeframe or clock is refused elsewhere."""
    if isinstance(clock, dict) and clock.get("kind", "time") != "time":
        bars = clock.get("bars_per_session", 78)
        trails = clock.get("threshold") is None and isinstance(bars, int | float) and 0 < bars <= 1440
        return max(5, round(5 * bars)) if trails else EMBARGO_MINUTES // TIMEFRAMES["5m"]
    return max(1, EMBARGO_MINUTES // TIMEFRAMES.get(base if isinstance(base, str) else "", 5))


class Section(BaseModel):
    """Frozen, strict, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: equal settings, equal fingerprints, on every machine."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class IngestSettings(Section):
    """How the raw file is read."""

    timezone: str | None = None  # of naive stamps, as America/Chicago
    timestamps: Literal["open", "close"] = "open"  # what a stamp marks
    epoch_unit: Literal["s", "ms", "us", "ns"] | None = None  # of stamps that are whole numbers since 1970
    fixed_point: Annotated[int, Field(ge=1, le=12)] | None = None  # decimals of prices that are whole numbers, 9 in Databento's raw CSV
    on_bad_rows: Literal["refuse", "quarantine"] = "refuse"
    repair: bool = False  # widen a high or low that its own open or close crosses
    allow_outside: bool = False  # follow a link out of data/raw


def _gaps(value: object) -> object:
    if value == "interpolate":
        expected = (
            "keep, fill or drop_session: a gap that is interpolated between the prices around it tells its bars the price that comes after"
        )
        raise wrong("config/leakage", expected, "interpolate", "keep gaps, or fill them forward with the last close (gaps: fill)")
    return value


class CleanSettings(Section):
    """What is left out and what is filled; every rule looks back only, and holds live as in a file."""

    gaps: Annotated[Literal["keep", "fill", "drop_session"], BeforeValidator(_gaps)] = "keep"
    max_fill: Annotated[int, Field(ge=1, le=1440)] = 5  # minutes of a gap that are filled with the last close, for fill
    max_gap: Annotated[int, Field(ge=1, le=1440)] = 30  # minutes missing in a row that a session survives, for drop_session
    outliers: Literal["flag", "drop"] = "flag"
    outlier_ranges: Annotated[float, Field(gt=0, le=1e6)] = 30.0  # mean ranges of 60 minutes that a minute may reach from the close before
    min_volume: Annotated[float, Field(ge=0, le=1e12)] = (
        0.0  # contracts below which a minute is left out; 1 leaves out fillers without volume
    )


class SessionSettings(Section):
    """Which minutes of the day are kept."""

    hours: Literal["ETH", "RTH", "all"] = "ETH"


class ClockSettings(Section):
    """What closes a base bar: the time (then it is one of base_timeframe), or so many contracts, dollars or trades."""

    kind: Literal["time", "volume", "dollar", "tick"] = "time"
    threshold: Annotated[float, Field(gt=0, le=1e18)] | None = None  # contracts, dollars or trades; None: it trails, by the next two
    bars_per_session: Annotated[float, Field(gt=0, le=1440)] = 78.0
    sessions: Annotated[int, Field(ge=1, le=250)] = 20  # of the average total
    lots_per_trade: Annotated[float, Field(gt=0, le=1e9)] | None = None  # for tick: minutes do not count trades

    @model_validator(mode="after")
    def _trades_can_be_counted(self) -> ClockSettings:
        if self.kind == "tick" and self.lots_per_trade is None:
            expected = "clock.lots_per_trade, the contracts in an average trade, since minutes carry no count of trades"
            raise wrong("config/clock", expected, "none", "set it (an approximation), or choose volume or dollar", "clock.lots_per_trade")
        return self


class FeatureSettings(Section):
    """Which features are computed."""

    set: Names = ("tabular",)  # tabular | sequence | multires | minimal, or the names and patterns of features
    modules: Annotated[tuple[str, ...], Listed] = ()  # the user's own files
    params: dict[str, dict[str, Values]] = {}  # {rsi: {n: [14, 21]}}
    drop: Names = ()  # names and patterns


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


class SplitSettings(Section):
    """Shares of the rows in the order of time, or the days on which validation and test begin; and what is left out between, in base bars."""

    train_pct: Share = 0.70
    val_pct: Share = 0.15
    test_pct: Share = 0.15
    val_start: Day | None = None  # a trade date; with test_start, instead of the shares
    test_start: Day | None = None
    purge_bars: Annotated[int, Field(ge=0, le=1_000_000)] = 60
    embargo_bars: Annotated[int, Field(ge=0, le=10_000_000)] = 1440

    @model_validator(mode="after")
    def _shares_are_the_whole(self) -> SplitSettings:
        total = self.train_pct + self.val_pct + self.test_pct
        if abs(total - 1.0) > 1e-9:
            came = f"{self.train_pct:g} + {self.val_pct:g} + {self.test_pct:g} = {total:g}"
            raise wrong("config/splits", "train_pct + val_pct + test_pct = 1", came, "set all three")
        if (self.val_start is None) != (self.test_start is None):
            came = "val_start" if self.test_start is None else "test_start"
            raise wrong("config/splits", "val_start and test_start, or neither", f"{came} alone", "set both")
        if self.val_start is not None and self.test_start is not None and self.val_start >= self.test_start:
            raise wrong("config/splits", "val_start before test_start", f"{self.val_start} and {self.test_start}", "correct the two")
        return self


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


class AlarmLevels(Section):
    """Scores above these are too good to be true. Source: honest scores on real 5m bars at horizon 20."""

    auc_macro: Share = 0.68
    auc_direction: Share = 0.56
    accuracy_over_majority: Share = 0.05


class VerdictSettings(Section):
    """`default` holds everywhere except where `levels` names a timeframe and horizon, as `5m_h20`."""

    default: AlarmLevels = AlarmLevels()
    levels: dict[Level, AlarmLevels] = {}

    def at(self, timeframe: str, horizon: int) -> AlarmLevels:
        return self.levels.get(f"{timeframe}_h{horizon}", self.default)


class ModelSettings(Section):
    """Files with the user's own models, beside those under `models/`."""

    modules: Annotated[tuple[str, ...], Listed] = ()


class ContractSettings(Section):
    """A contract of the user's, or other numbers for a shipped one: what is left out there is the shipped number."""

    tick: Annotated[float, Field(gt=0, le=1e6)] | None = None
    usd_per_point: Annotated[float, Field(gt=0, le=1e9)] | None = None
    fee_per_side_usd: Annotated[float, Field(ge=0, le=1e6)] | None = None
    slippage_ticks: Annotated[float, Field(ge=0, le=1e4)] | None = None  # a round trip
    k_up: Multiple | None = None
    k_down: Multiple | None = None
    calendar: str | None = None
    min_price: Annotated[float, Field(gt=0, le=1e9)] | None = None
    max_price: Annotated[float, Field(gt=0, le=1e9)] | None = None

    @field_validator("calendar")
    @classmethod
    def _calendar_exists(cls, calendar: str | None) -> str | None:
        if calendar is not None and calendar not in CALENDARS:
            raise wrong("config/calendar", "one of " + ", ".join(CALENDARS), shown(calendar), did_you_mean(calendar, CALENDARS))
        return calendar


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
    barriers: dict[Symbol, BarrierSettings] = {}
    splits: SplitSettings = SplitSettings()
    scaling: ScalingSettings = ScalingSettings()
    datasets: DatasetSettings = DatasetSettings()
    validation: ValidationSettings = ValidationSettings()
    verdict: VerdictSettings = VerdictSettings()
    models: ModelSettings = ModelSettings()
    instruments: dict[Symbol, ContractSettings] = {}

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
            expected, do = "one horizon or more, from short to long, each once", "sort label_horizons"
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
