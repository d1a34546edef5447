"""One feature over the base bars of a contract, as the latest data run left it, else read from data/raw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from barsmith.artifacts import read_parquet
from barsmith.bars.base_bars import base_name
from barsmith.bars.sessions import load_sessions
from barsmith.config import Settings
from barsmith.errors import DataError, UsageError
from barsmith.features.graph import Expr
from barsmith.features.learned import LearnedParams, is_learned, taught, with_learned
from barsmith.features.plan import Plan
from barsmith.features.registry import Feature
from barsmith.instruments import Instrument, instrument
from barsmith.pipeline.run_data import RunData, load_run_data
from barsmith.pipeline.stages.calendar import Calendar, calendar
from barsmith.pipeline.stages.clean import CleanMinutes, clean
from barsmith.pipeline.stages.ingest import ingest
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.regime import RegimeColumns, training_time
from barsmith.pipeline.stages.sessions import SessionBars, sessions
from barsmith.pipeline.store import Store
from barsmith.pipeline.workspace import raw_file, symbols_of


@dataclass(frozen=True, eq=False)
class FeatureValues:
    """bars: the base bars, a row each, in the contract's own prices (see `bar_table`). values: (m,) of the feature.

    first_settled: the row from which it has settled (m: it never has). train: the rows of the training slice, None where there are too few
    bars for one. came_from: `run 20260105-...` or `data/raw`.
    """

    symbol: str
    base: str
    bars: pl.DataFrame
    values: np.ndarray
    first_settled: int
    train: range | None
    came_from: str

    @property
    def settled(self) -> np.ndarray:
        """(m,) bool."""
        return np.arange(len(self.values)) >= self.first_settled

    def parts(self) -> dict[str, np.ndarray]:
        """The settled values: of all rows, of the training slice, and of the rows after it."""
        row = np.arange(len(self.values))
        found = {"all": self.values[self.settled]}
        if self.train is not None:
            is_train = (row >= self.train.start) & (row < self.train.stop)
            found |= {"train": self.values[self.settled & is_train], "later": self.values[self.settled & (row >= self.train.stop)]}
        return found


def only_symbol(workspace: Path, settings: Settings) -> str | None:
    """The contract of the settings, else the only one in data/raw; None where there is none or a choice."""
    found = [settings.symbol] if settings.symbol else symbols_of(workspace)
    return found[0] if len(found) == 1 else None


def feature_values(
    workspace: Path, settings: Settings, symbol: str, one: Feature, tell: Callable[[str], None] = lambda what: None
) -> FeatureValues:
    """The feature over every base bar of a contract. tell: told where it must be computed.

    Raises BusyError where a run of the contract goes on, UsageError `bars/not-found`, DataError `bars/...`, IntegrityError.
    """
    found = of_run(workspace, settings.for_symbol(symbol), symbol, one)
    if found is None:
        tell(f"computing {one.name} from data/raw of {symbol}")
        found = of_raw(workspace, settings.for_symbol(symbol), one)
    return found


#: Settings that decide what base bars there are and what is learned from which of them: a run with others is not what was asked for.
DECIDING = ("base_timeframe", "clock", "sessions", "ingest", "clean", "rolls", "instruments", "splits", "random_seed")


def of_run(workspace: Path, settings: Settings, symbol: str, one: Feature) -> FeatureValues | None:
    """What the latest finished data run made of exactly this definition on such base bars; None where there is none."""
    store = Store(workspace, symbol)
    if not store.state_file.exists():
        return None
    with store.locked():
        try:
            data = load_run_data(workspace, symbol)
        except DataError:  # no run that finished
            return None
        base = base_name(data.settings, instrument(symbol, data.settings))
        if any(getattr(data.settings, name) != getattr(settings, name) for name in DECIDING) or not is_same(data, one, base):
            return None
        path = store.path("mtf", "features", "", "parquet")
        frame, _ = read_parquet(workspace / path, data.entries["mtf"].files[path], symbol=symbol, columns=[one.name])
        bars = next(iter(data.field("sessions", SessionBars, "base").values()))
        first = data.field("mtf", FeatureTable, "first_settled")[one.name]
        train = Calendar(data.field("calendar", Calendar, "split")).drawn().train
        return FeatureValues(symbol, base, bars, frame[one.name].to_numpy(), first, train, f"run {data.run_id}")


def is_same(data: RunData, one: Feature, base: str) -> bool:
    """Whether the run has computed this definition, with what it learned itself."""
    told = {entry["name"]: entry["fingerprint"] for entry in data.field("mtf", FeatureTable, "catalogue")}
    if one.name not in told:
        return False
    learned = {key: LearnedParams.from_dict(each) for key, each in data.field("regime", RegimeColumns, "learned").items()}
    try:
        e = with_learned(one.expr, learned, base)
    except UsageError:  # it learns something that the run did not
        return False
    return plan_of_one(one.name, e, base, instrument(data.symbol, data.settings), data.settings).fingerprints()[one.name] == told[one.name]


def plan_of_one(name: str, e: Expr, base: str, contract: Instrument, settings: Settings) -> Plan:
    return Plan({name: e}, base=base, sessions=load_sessions(contract.calendar, settings.sessions.hours))


def of_raw(workspace: Path, settings: Settings, one: Feature) -> FeatureValues:
    """Read, cleaned and made into bars as a data run does it; what learns learns on the training slice."""
    symbol = str(settings.symbol)
    contract = instrument(symbol, settings)
    base = base_name(settings, contract)
    raw = ingest(raw_file(workspace, symbol), contract, settings.ingest, settings.sessions)
    cleaned = clean(raw, contract, settings.sessions, settings.clean, settings.roll_minutes(symbol))
    made = sessions(cleaned, contract, settings.sessions, base)
    train = train_rows(made, settings, is_needed=is_learned(one.expr))
    e = learned_on(one, cleaned, made, train, base, contract, settings) if train is not None else one.expr
    reading = plan_of_one(one.name, e, base, contract, settings).read(cleaned.minutes)
    first = min(int(reading.first_settled[0]), len(reading.base))
    return FeatureValues(symbol, base, made.bars, np.ascontiguousarray(reading.matrix[:, 0]), first, train, "data/raw")


def train_rows(made: SessionBars, settings: Settings, *, is_needed: bool) -> range | None:
    """The training slice; None where there are too few bars for one, which a feature that learns cannot do without."""
    try:
        return calendar(made, settings.splits).drawn().train
    except DataError:
        if is_needed:
            raise
        return None


def learned_on(
    one: Feature, cleaned: CleanMinutes, made: SessionBars, train: range, base: str, contract: Instrument, settings: Settings
) -> Expr:
    return taught(
        {one.name: one.expr},
        cleaned.minutes,
        base=base,
        sessions=load_sessions(contract.calendar, settings.sessions.hours),
        slices=[training_time(made.bars, train)],
        seed=settings.random_seed,
    )[one.name]
