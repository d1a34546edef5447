"""Everything between a raw bar and a signal, in one folder: history, feature plan, scaler, model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import orjson
import polars as pl
from pydantic import ValidationError

from barsmith.artifacts import read_parquet, read_verified
from barsmith.bars.base_bars import base_name
from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import Minutes, as_minutes, problem_of
from barsmith.bars.reading import Rules, validate_frame
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.config import Settings
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import DataError, IntegrityError, UsageError
from barsmith.features.events import Events, with_events
from barsmith.features.learned import LearnedParams, learned_features
from barsmith.features.past import PRICES
from barsmith.features.plan import Plan, Reading
from barsmith.features.registry import Feature, catalogue
from barsmith.instruments import instrument
from barsmith.models import load_model
from barsmith.models.discovery import load_file
from barsmith.models.fitting import reads
from barsmith.serving.bundle_record import BundleRecord, CodeEntry, bad, notes_on, read_record
from barsmith.serving.scoring import Scorer
from barsmith.serving.session import LiveSession
from barsmith.serving.trial import is_known, remember, try_in_child


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that takes raw minutes. `Bundle.load(folder)`, then `.predict(bars)` for a file or `.live()` for a feed."""

    folder: Path
    record: BundleRecord
    settings: Settings
    sessions: Sessions
    plan: Plan
    scorer: Scorer
    history: Minutes
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        seen = f"{len(self.plan.names)} features" if self.plan.names else f"prices of {', '.join(self.plan.rungs)}"
        what = f"{self.record.model} on {self.symbol}, horizon {self.record.horizon}, {seen}"
        return f"<Bundle {ascii(self.record.name)[1:-1]}: {what}, {len(self.history):,} minutes of history>"

    @property
    def symbol(self) -> str:
        return self.record.symbol

    @cached_property
    def rolls(self) -> tuple[int, ...]:
        return self.settings.roll_minutes(self.symbol)

    @cached_property
    def price_limits(self) -> tuple[float, float]:
        return instrument(self.symbol, self.settings).price_limits

    @property
    def reading_rules(self) -> Rules:
        """How bars to predict on are read."""
        return Rules(self.symbol, price_limits=self.price_limits, roll_sessions=self.sessions, history=False)

    @classmethod
    def load(
        cls, folder: Path | str, *, workspace: Path | str | None = None, modules: Iterable[Path | str] = (), trusted: bool = False
    ) -> Self:
        """Verify a bundle's folder and make it ready.

        workspace: where the user's own feature and model files are looked for (default: the current folder). modules: such files by path.
        trusted: open it here at once. Else a bundle that this user has neither made nor opened before is first opened in a process
        of its own, for two or three seconds: what crashes or hangs it does not reach this one.
        Code is never run from the bundle: a file must be the user's own, and the one that the bundle was trained with.
        Raises UsageError `bundle/not-found`, IntegrityError `bundle/...` or `integrity/...`.
        """
        folder, record = Path(folder), read_record(Path(folder))
        home, code = Path(workspace or "."), [Path(module) for module in modules]
        if not (trusted or is_known(record.digest)):
            try_in_child(folder, home, code)
            remember(record.digest)
        try:
            return cls.opened(folder, record, home, code)
        except (UsageError, DataError) as error:  # the bundle's content is at fault, not what was typed
            raise IntegrityError(
                error.code, expected=error.expected, came=error.came, do=error.do, where=error.where or str(folder)
            ) from error

    @classmethod
    def opened(cls, folder: Path, record: BundleRecord, workspace: Path, given: list[Path]) -> Self:
        """The parts of a bundle whose record has been checked."""
        settings = trained_settings(record)
        contract = instrument(record.symbol, settings)
        base, sessions = base_name(settings, contract), load_sessions(contract.calendar, settings.sessions.hours)
        feature_code = [own_file(entry, workspace, given) for entry in record.feature_code]
        for entry in record.model_code:
            load_file(own_file(entry, workspace, given))
        defined = with_events(catalogue(feature_code, settings.features.params, settings.timeframes, base), Events(record.events))
        known = chosen(record, defined)
        learned = {key: LearnedParams.from_dict(entry.model_dump()) for key, entry in record.learned.items()}
        features = list(learned_features({each.name: each for each in known}, learned, base).values())
        window = record.window.window()
        plan = Plan({each.name: each.expr for each in features}, base=base, sessions=sessions, rungs=window.timeframes)
        check_features(record, plan, features, base)
        scaler = RobustScaler.from_json(read_verified(folder / "scaler.json", record.files["scaler.json"].model_dump()))
        if tuple(scaler.names) != plan.names:
            raise bad(
                "bundle/shape",
                "a scaler of the bundle's features in their order",
                f"{len(scaler.names)} others",
                "create the bundle again",
                "scaler.json",
            )
        model = load_model(folder / "model", feature_names=plan.names or PRICES, input_shape=window.shape(len(plan.names)))
        if (model.info.name, reads(model)) != (record.model, window.reads):
            came = f"{model.info.name}, which reads {reads(model)}"
            raise bad(
                "bundle/model", f"the model {record.model}, which reads {window.reads}", came, "create the bundle again", "model/model.json"
            )
        frame, told = read_parquet(folder / "history.parquet", record.files["history.parquet"].model_dump(), symbol=record.symbol)
        if told["about"].get("names") != record.contracts:
            raise bad("bundle/manifest", "the contracts that the history names", ascii(record.contracts)[:80], "create the bundle again")
        history = checked_history(frame, tuple(record.contracts), sessions)
        return cls(
            folder, record, settings, sessions, plan, Scorer(scaler, model, window), history, tuple(notes_on(record, settings.labels))
        )

    def read(self, raw: pl.DataFrame) -> tuple[Reading, np.ndarray, Minutes]:
        """The features of every finished base bar with a minute of `raw` in it: the reading, their rows in it, the older history."""
        raw = validate_frame(raw, self.reading_rules).frame
        first = int(as_minutes(raw["datetime"])[0])
        older = self.history[: int(np.searchsorted(self.history.time, first))]
        minutes, _ = clean(raw, self.sessions, rolls=self.rolls, after=older, rules=self.settings.clean)
        reading = self.plan.read(minutes)
        return reading, np.flatnonzero(reading.base.last >= np.searchsorted(minutes.time, first)), older

    def answers(self, reading: Reading, rows: np.ndarray) -> pl.DataFrame:
        """The signals of these rows of a reading, as `predict` returns them."""
        return self.scorer.frame(reading, rows, self.symbol)

    def predict(self, bars: pl.DataFrame) -> pl.DataFrame:
        """A signal for each finished base bar of `bars`, raw one-minute bars as `read_bars` gives them.

        Returns datetime (the bar's open, UTC), symbol, signal, confidence, prob_short, prob_neutral, prob_long; null while warming up.
        """
        reading, rows, _ = self.read(bars)
        return self.answers(reading, rows)

    def live(self, history: pl.DataFrame | None = None) -> LiveSession:
        """A session that stands after the bundle's history, and after those of `history` that are later."""
        minutes = self.history
        if history is not None and len(history):
            raw = validate_frame(history, self.reading_rules).frame
            minutes, _ = clean(raw, self.sessions, rolls=self.rolls, after=self.history, rules=self.settings.clean)
        return LiveSession(self, minutes)


def trained_settings(record: BundleRecord) -> Settings:
    """The settings of the run that the bundle was trained on."""
    try:
        settings = Settings.model_validate_json(orjson.dumps(record.settings))
    except ValidationError as error:
        first = error.errors()[0]
        expected = f"the settings of a run ({'.'.join(map(str, first['loc']))}: {first['msg']})"[:300]
        raise bad("bundle/manifest", expected, ascii(first["input"])[:80], "create the bundle again") from None
    if settings.symbol != record.symbol or record.horizon not in settings.label_horizons:
        raise bad("bundle/manifest", f"settings of {record.symbol} with horizon {record.horizon}", "others", "create the bundle again")
    return settings


def checked_history(frame: pl.DataFrame, names: tuple[str, ...], sessions: Sessions) -> Minutes:
    """The bundle's minutes, as a clean data run leaves them, else IntegrityError `bundle/history`."""
    wanted = Minutes.empty().to_frame().schema
    if frame.schema != wanted:
        came = ", ".join(f"{name} {kind}" for name, kind in frame.schema.items())
        raise bad(
            "bundle/history",
            ", ".join(f"{name} {kind}" for name, kind in wanted.items()),
            came[:300],
            "create the bundle again",
            "history.parquet",
        )
    if not len(frame) or any(frame.null_count().row(0)):
        raise bad(
            "bundle/history",
            "minutes without a hole in them",
            f"{len(frame)} rows with nulls",
            "create the bundle again",
            "history.parquet",
        )
    history = Minutes.from_frame(frame, names)
    wrong = problem_of(history) or ("minutes outside the sessions" if (sessions.numbers(history.time) < 0).any() else None)
    if wrong:
        raise bad("bundle/history", "clean minutes in the order of time", wrong, "create the bundle again", "history.parquet")
    return history


def own_file(entry: CodeEntry, workspace: Path, given: list[Path]) -> Path:
    """The user's own copy of a file that the bundle was trained with: one that he names, or one in the workspace outside `bundles/`.

    Raises IntegrityError `bundle/code` where there is none, or where the record points anywhere else.
    """
    home = workspace.resolve()
    named = home / entry.path
    inside = (
        not Path(entry.path).is_absolute() and ".." not in Path(entry.path).parts and "\\" not in entry.path and entry.path.endswith(".py")
    )
    inside = inside and named.resolve() == named and not named.is_relative_to(home / "bundles")  # no link on the way
    for path in (*given, *([named] if inside else [])):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256:
            return path
    raise IntegrityError(
        "bundle/code",
        expected=f"the file {ascii(entry.path)[:120]} with SHA-256 {entry.sha256[:12]}..., with which the bundle was trained",
        came="a path outside the workspace" if not inside else "another one" if named.is_file() else "none",
        do="put that file into the workspace, or name it with --module; code is never run from a bundle",
        where="bundle.json",
    )


def chosen(record: BundleRecord, known: dict[str, Feature]) -> list[Feature]:
    names = [entry.name for entry in record.features]
    if len(set(names)) != len(names) or bool(names) == bool(record.window.timeframes):
        raise bad("bundle/features", "one or more features, each once", f"{len(names)} with repetitions", "create the bundle again")
    missing = [name for name in names if name not in known]
    if missing:
        raise bad(
            "bundle/features",
            "features that this barsmith and its modules define",
            ascii(missing[0])[:80],
            "use the barsmith that made the bundle",
        )
    return [known[name] for name in names]


def check_features(record: BundleRecord, plan: Plan, features: list[Feature], base: str) -> None:
    fingerprints = plan.fingerprints()
    for entry, feature in zip(record.features, features, strict=True):
        if entry.fingerprint != fingerprints[entry.name]:
            raise bad(
                "bundle/features",
                f"{entry.name} as it was defined in training",
                "another definition",
                "train again, or use the barsmith that made the bundle",
            )
        if (entry.warmup_bars, entry.timeframe) != feature.warmup(base):
            came = f"{entry.warmup_bars} bars of {entry.timeframe}"
            raise bad(
                "bundle/warmup",
                f"a warm-up of {' bars of '.join(map(str, feature.warmup(base)))} for {entry.name}",
                came,
                "create the bundle again",
            )
