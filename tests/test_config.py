"""Settings: their defaults, where they come from, who wins, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from barsmith.config import SHIPPED_SYMBOLS, SPLIT_KEYS, AlarmLevels, LabelSettings, Settings, SplitSettings, canonical, safe_name, shown
from barsmith.config_reading import Loaded, load_settings, settings_from
from barsmith.errors import UsageError
from barsmith.instruments import SHIPPED
from barsmith.yaml_file import read_yaml

DEFAULTS = Path(__file__).parents[1] / "src" / "barsmith" / "defaults" / "pipeline.yaml"


def workspace(folder: Path, text: str) -> Path:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "pipeline.yaml").write_text(text)
    return folder


def load(folder: Path, text: str = "", *sets: str, **environment: str) -> Loaded:
    return load_settings(workspace(folder, text), overrides=sets, environment=environment)


def refused(folder: Path, text: str = "", *sets: str, **environment: str) -> UsageError:
    with pytest.raises(UsageError) as error:
        load(folder, text, *sets, **environment)
    return error.value


def keys_of(value: Any, at: str = "") -> set[str]:
    if not isinstance(value, dict) or not value:
        return {at}
    return set().union(*(keys_of(inner, f"{at}.{key}".lstrip(".")) for key, inner in value.items()))


def test_the_shipped_file_says_the_defaults_and_leaves_no_key_out() -> None:
    told = read_yaml(DEFAULTS.read_bytes(), "pipeline.yaml").value
    assert settings_from(**told) == Settings()
    assert keys_of(told) == keys_of(Settings().model_dump(mode="json"))


def test_the_defaults_are_those_of_the_specification() -> None:
    settings = Settings()
    assert settings.label_horizons == (5, 10, 15, 20)
    assert [getattr(settings, key) for key in SPLIT_KEYS] == [0.70, 0.15, 0.15, 60, 1440]
    assert settings.timeframes == ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h", "4h", "1d")
    assert (settings.base_timeframe, settings.random_seed, settings.allow_batch_symbols) == ("5m", 42, False)
    assert (settings.sessions.hours, settings.scaling.clip, settings.validation.max_correlation) == ("ETH", 5.0, 0.95)


def test_a_set_is_one_name_or_a_list_of_names_and_patterns(tmp_path: Path) -> None:
    assert load(tmp_path, "features: {set: minimal}").settings.features.set == ("minimal",)
    assert load(tmp_path, "features: {set: [minimal, 'rsi_*']}").settings.features.set == ("minimal", "rsi_*")
    assert load(tmp_path, "", "features.set=sequence").settings.features.set == ("sequence",)
    assert load(tmp_path, "", BARSMITH__FEATURES__SET="[rsi_*, macd_*]").settings.features.set == ("rsi_*", "macd_*")
    assert settings_from(features={"set": "minimal"}).fingerprint() == settings_from(features={"set": ["minimal"]}).fingerprint()


def test_what_is_dropped_is_one_pattern_or_a_list_of_them(tmp_path: Path) -> None:
    assert load(tmp_path, "features: {drop: ichimoku_*}").settings.features.drop == ("ichimoku_*",)
    assert load(tmp_path, "", "features.drop=ichimoku_*").settings.features.drop == ("ichimoku_*",)
    assert load(tmp_path, "features: {drop: [ichimoku_*, rsi_7]}").settings.features.drop == ("ichimoku_*", "rsi_7")


def test_a_workspace_without_a_file_and_an_empty_file_have_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path, environment={}).settings == Settings()
    assert load(tmp_path, "# nothing\n").settings == Settings()


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    text = "purge_bars: 70\nembargo_bars: 100\nrandom_seed: 1\n"
    loaded = load(
        tmp_path, text, "splits.purge_bars=90", BARSMITH__SPLITS__PURGE_BARS="80", BARSMITH__RANDOM_SEED="2", OTHER="x", BARSMITH="y"
    )
    assert (loaded.settings.purge_bars, loaded.settings.random_seed, loaded.settings.embargo_bars) == (90, 2, 100)
    assert loaded.winners["splits.purge_bars"] == "--set"
    assert loaded.winners["random_seed"] == "environment BARSMITH__RANDOM_SEED"
    assert loaded.winners["splits.embargo_bars"] == "config/pipeline.yaml"
    assert loaded.winners["splits.train_pct"] == "default"
    assert set(loaded.winners) == keys_of(Settings().model_dump(mode="json"))


def test_mappings_are_merged_key_by_key_and_lists_are_replaced(tmp_path: Path) -> None:
    text = "barriers: {MES: {k_up: 1.2, k_down: 1.1}, MGC: {k_up: 3, k_down: 3}}\nlabel_horizons: [5, 10]\n"
    settings = load(tmp_path, text, "barriers.MES.k_up=2.5", "label_horizons=[20]").settings
    assert settings.barriers["MES"].model_dump() == {"k_up": 2.5, "k_down": 1.1, "unit": "atr"}
    assert settings.barriers["MGC"].k_up == 3.0
    assert settings.label_horizons == (20,)


def test_the_environment_names_symbols_in_capitals(tmp_path: Path) -> None:
    settings = load(tmp_path, BARSMITH__BARRIERS__MES="{k_up: 2, k_down: 1}", BARSMITH__INSTRUMENTS__MES__FEE_PER_SIDE_USD="0.5").settings
    assert settings.barriers["MES"].k_up == 2.0
    assert settings.instruments["MES"].fee_per_side_usd == 0.5


@pytest.mark.parametrize("text", ["purge_bars: 90", "splits: {purge_bars: 90}", "splits: {purge: 90}"])
def test_split_keys_may_stand_flat_or_in_their_section(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text).settings.splits == SplitSettings(purge_bars=90)
    assert Settings(purge_bars=90).splits == SplitSettings(purge_bars=90)


@pytest.mark.parametrize("text", ["purge_bars: 90\nsplits: {purge_bars: 90}", "splits: {purge: 90, purge_bars: 91}"])
def test_but_not_in_two_places_at_once(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text).code == "config/duplicate-key"


def test_a_timeframe_may_be_written_with_min(tmp_path: Path) -> None:
    settings = load(tmp_path, "base_timeframe: 15min\ntimeframes: [1min, 15m, 1h]").settings
    assert (settings.base_timeframe, settings.timeframes) == ("15m", ("1m", "15m", "1h"))


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("random_seed: 1\npurge_bars: 19", "config/leakage", "config/pipeline.yaml line 2, splits.purge_bars"),
        ("splits:\n  purge_bars: 19", "config/leakage", "config/pipeline.yaml line 2, splits.purge_bars"),
        ("\nbarriers:\n  MES:\n    k_up: 0\n    k_down: 1", "config/out-of-range", "config/pipeline.yaml line 4, barriers.MES.k_up"),
        ("label_horizons:\n  - 5\n  - -1", "config/out-of-range", "config/pipeline.yaml line 3, label_horizons.1"),
        ("features: {params: {rsi: {n: [14, {}]}}}", "config/type", "config/pipeline.yaml line 1, features.params.rsi.n.1"),
        ("features:\n  set: 3", "config/type", "config/pipeline.yaml line 2, features.set"),
        ("features:\n  set: [minimal, 3]", "config/type", "config/pipeline.yaml line 2, features.set.1"),
        ("features:\n  sets: minimal", "config/unknown-key", "config/pipeline.yaml line 2, features.sets"),
        ("events: [a.csv]", "config/type", "config/pipeline.yaml line 1, events"),
        ("rolls:\n  MES: [tomorrow]", "config/dates", "config/pipeline.yaml line 2, rolls.MES.0"),
        ("splits:\n  val_start: 2025-02-30", "config/dates", "config/pipeline.yaml line 2, splits.val_start"),
        ("splits:\n  val_start: 2025-09-01T00:00Z", "config/dates", "config/pipeline.yaml line 2, splits.val_start"),
        ("splits: {val_start: 2025-09-01}", "config/splits", "config/pipeline.yaml line 1, splits"),
        ("splits: {val_start: 2025-09-02, test_start: 2025-09-02}", "config/splits", "config/pipeline.yaml line 1, splits"),
        ("scaling: {pass_through: [bound]}", "config/unknown-name", "config/pipeline.yaml line 1, scaling.pass_through.0"),
        ("scaling: {pass_through: [flags], clip: 0.5}", "config/inconsistent", "config/pipeline.yaml line 1, scaling"),
        ("datasets:\n  sequence_length: 0", "config/out-of-range", "config/pipeline.yaml line 2, datasets.sequence_length"),
        ("datasets: {multires_timeframes: [5m, 1m]}", "config/timeframe", "config/pipeline.yaml line 1, datasets"),
        ("datasets: {multires_timeframes: []}", "config/timeframe", "config/pipeline.yaml line 1, datasets"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_key(text: str, code: str, where: str, tmp_path: Path) -> None:
    error = refused(tmp_path, text)
    assert (error.code, error.where) == (code, where)


def test_days_of_the_splits_are_read_from_file_and_command_line_and_kept(tmp_path: Path) -> None:
    text = "splits: {val_start: 2025-09-01, test_start: 2025-11-03}"
    found = load(tmp_path, text).settings
    assert (found.splits.val_start, found.splits.test_start) == (date(2025, 9, 1), date(2025, 11, 3))
    assert Settings(**found.model_dump(mode="json")) == found
    assert load(tmp_path, text, "splits.test_start=2025-10-01").settings.splits.test_start == date(2025, 10, 1)
    assert found.splits.fingerprint() != SplitSettings().fingerprint()


def test_an_error_names_the_override_or_the_variable(tmp_path: Path) -> None:
    assert refused(tmp_path, "", "random_seed=-1").where == "--set random_seed"
    error = refused(tmp_path, "random_seed: 3", BARSMITH__RANDOM_SEED="-1")
    assert (error.code, error.where) == ("config/env", "environment BARSMITH__RANDOM_SEED")
    assert refused(tmp_path, "", BARSMITH__SPLITS__TRAIN="abc").where == "environment BARSMITH__SPLITS__TRAIN"
    assert refused(tmp_path, "", BARSMITH__PURGE_BAR="1").where == "environment BARSMITH__PURGE_BAR"


@pytest.mark.parametrize("text", ["purge_bars", "=1", ".=1", "a..b=1", "a.=1"])
def test_an_override_that_is_none_is_a_wrong_command(text: str, tmp_path: Path) -> None:
    assert refused(tmp_path, "", text).code == "cli/usage"


def test_a_purge_of_the_longest_horizon_is_enough_and_one_bar_less_is_not() -> None:
    assert settings_from(purge_bars=20).purge_bars == 20
    for values in ({"purge_bars": 19}, {"purge_bars": 20, "labels": {"max_bars": 21}}, {"purge_bars": 24, "label_horizons": [5, 25]}):
        with pytest.raises(UsageError) as error:
            settings_from(**values)
        assert error.value.code == "config/leakage"


def test_rolls_are_whole_minutes_of_any_zone_for_the_one_symbol_or_for_each(tmp_path: Path) -> None:
    minute = 29554920  # 1,773,295,200 seconds
    for text in ("[2026-03-12T06:00Z]", "['2026-03-12 07:00+01:00']", "{MES: [2026-03-12T06:00Z]}"):
        assert load(tmp_path, f"rolls: {text}").settings.roll_minutes("MES") == (minute,)
    assert load(tmp_path, "rolls: {MGC: [2026-03-12T06:00Z]}").settings.roll_minutes("MES") == ()
    for text in ("[2026-03-12T06:00]", "[2026-03-12T06:00:30Z]", "[2026-03-12T06:00Z, 2026-03-12T07:00+01:00]"):
        assert refused(tmp_path, f"rolls: {text}").code == "config/dates"


def test_equal_settings_have_equal_fingerprints_and_others_do_not(tmp_path: Path) -> None:
    one = load(tmp_path, "labels: {k_up: 2.0}\nrandom_seed: 7").settings
    other = load(tmp_path, "random_seed: 7\nlabels: {k_up: 2}").settings
    assert one.fingerprint() == other.fingerprint() != Settings().fingerprint()
    assert one.labels.fingerprint() != Settings().labels.fingerprint()
    assert one.splits.fingerprint() == Settings().splits.fingerprint()
    assert canonical({"b": (1, 2.5), "a": "ü"}) == '{"a":"\\u00fc","b":[1,2.5]}'


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().random_seed = 3  # type: ignore[misc]
    assert Settings().for_symbol("MES").symbol == "MES"


def test_alarm_levels_hold_where_they_are_given_and_else_the_default(tmp_path: Path) -> None:
    verdict = load(tmp_path, "verdict: {levels: {1h_h5: {auc_macro: 0.8}}}").settings.verdict
    assert verdict.at("1h", 5).auc_macro == 0.8
    assert verdict.at("5m", 20) == AlarmLevels() == AlarmLevels(auc_macro=0.68, auc_direction=0.56, accuracy_over_majority=0.05)


@pytest.mark.parametrize("key", ["5m", "20", "5m_20", "2h_h5", "5m_h0", "5m_h05", "5m_h1001", "5m_h-1", "5m_h20 ", "_h20", "default"])
def test_an_alarm_level_of_no_timeframe_and_horizon_is_refused(key: str, tmp_path: Path) -> None:
    error = refused(tmp_path, f"verdict: {{levels: {{'{key}': {{auc_macro: 0.8}}}}}}")
    assert error.code == "config/unknown-key"
    assert error.where.startswith("config/pipeline.yaml line 1, verdict.levels")


def test_an_alarm_levels_timeframe_may_be_written_with_min(tmp_path: Path) -> None:
    assert load(tmp_path, "verdict: {levels: {5min_h20: {auc_macro: 0.8}}}").settings.verdict.at("5m", 20).auc_macro == 0.8


def test_barriers_and_rolls_of_a_contract_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    assert tuple(SHIPPED) == SHIPPED_SYMBOLS
    contract = "instruments: {ZB: {tick: 0.03125, usd_per_point: 1000, fee_per_side_usd: 1, calendar: always}}\n"
    for section, text in (("barriers", "\nbarriers: {ZB: {k_up: 1, k_down: 1}}"), ("rolls", "\nrolls: {ZB: [2026-03-12T06:00Z]}")):
        error = refused(tmp_path, text)
        assert (error.code, error.where) == ("config/symbol", f"config/pipeline.yaml line 2, {section}.ZB")
        assert load(tmp_path, contract + text).settings.instruments["ZB"].tick == 0.03125
    assert "did you mean MES" in refused(tmp_path, "barriers: {MESS: {k_up: 1, k_down: 1}}").do


@pytest.mark.parametrize("moment", ["9999-12-31T23:59-23:59", "0001-01-01T00:00+23:59", "0001-01-01T00:00", "9999-12-31T23:59"])
def test_a_moment_outside_the_calendar_of_utc_is_refused(moment: str, tmp_path: Path) -> None:
    assert refused(tmp_path, "", f"rolls=[{moment}]").code == "config/dates"


def test_settings_on_standard_input_take_the_place_of_the_file(tmp_path: Path) -> None:
    workspace(tmp_path, "random_seed: 1\npurge_bars: 70")
    settings = load_settings(tmp_path, stdin=b"random_seed: 5", environment={}).settings
    assert (settings.random_seed, settings.purge_bars) == (5, 60)
    with pytest.raises(UsageError, match="<stdin> line 1"):
        load_settings(tmp_path, stdin=b"random_seed: x", environment={})


@pytest.mark.parametrize("name", ["a", "A1.b-c_d", "20251231-235959-MES", "a" * 64, "console", "com", "v1..2"])
def test_a_safe_name_is_kept(name: str) -> None:
    assert safe_name(name, "name") == name


FORBIDDEN = ["", ".", "..", ".a", "-a", "_a", "a/b", "a\\b", "a b", "a\x00", "a\n", "é", "ａ", "a" * 65, "a" * 300, "a:b", "a*"]
DEVICES = ["con", "NUL", "aux.txt", "com1", "Lpt9.x"]
TEMPLATES = ["{{7*7}}", "${jndi:ldap://x}", "%(asctime)s"]


@pytest.mark.parametrize("name", [*FORBIDDEN, *DEVICES, *TEMPLATES])
def test_a_name_that_could_be_a_path_or_a_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as error:
        safe_name(name, "run id")
    assert error.value.code == "config/name"
    assert error.value.came.isprintable()
    assert len(error.value.came) <= 80


def test_values_are_shown_on_one_short_line() -> None:
    assert shown("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert len(shown("x" * 500)) == 80
    assert shown({"a": [1, 2]}) == '{"a": [1, 2]}'


@given(
    st.text(max_size=30), st.sampled_from(["RANDOM_SEED", "SPLITS", "LABELS__K_UP", "ROLLS", "TIMEFRAMES", "INSTRUMENTS__ZB", "X__Y__Z"])
)
def test_any_value_of_the_environment_is_read_or_refused_under_its_name(value: str, key: str) -> None:
    name = f"BARSMITH__{key}"
    try:
        load_settings(Path("/nowhere"), environment={name: value})
    except UsageError as error:
        told = error
    else:
        return
    assert (told.code, told.where) == ("config/env", f"environment {name}")


@pytest.mark.parametrize(
    ("given", "bars"),
    [
        ({}, 1440),
        ({"base_timeframe": "15m"}, 480),
        ({"base_timeframe": "15min"}, 480),
        ({"base_timeframe": "1h"}, 120),
        ({"base_timeframe": "1d"}, 5),
        ({"clock": {"kind": "dollar"}}, 390),
        ({"clock": {"kind": "volume", "bars_per_session": 100}}, 500),
        ({"clock": {"kind": "volume", "bars_per_session": 1e-300}}, 5),  # a session has a bar at least
        ({"clock": {"kind": "volume", "threshold": 5000}}, 1440),
        ({"clock": {"kind": "volume", "threshold": 5000}, "base_timeframe": "1h"}, 1440),
        ({"base_timeframe": "1h", "splits": {"embargo_bars": 7}}, 7),
        ({"base_timeframe": "1h", "embargo_bars": 7}, 7),
        ({"base_timeframe": "1h", "splits": {"embargo_bars": None, "train_pct": 0.7}}, 120),
    ],
)
def test_an_embargo_that_nobody_gave_is_five_days_of_base_bars(given, bars):
    settings = Settings.model_validate(given)
    assert settings.embargo_bars == settings.splits.embargo_bars == bars
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("labels: {unit: ticks}", "labels"),
        ("labels: {unit: fraction, k_up: 0.01}", "labels"),
        ("labels: {primary_signal: cross.csv, method: fixed_horizon}", "labels"),
        ("labels: {method: trend_scanning, trend_min_bars: 6}", "trend_min_bars"),
        ("labels: {method: trend_scanning, k_down: 2.0}", "labels"),
        ("labels: {method: trend_scanning, trend_min_bars: 4, max_bars: 3}", "trend_min_bars"),
    ],
)
def test_label_settings_that_do_not_go_together_are_refused(tmp_path: Path, text: str, where: str) -> None:
    error = refused(tmp_path, text)
    assert error.code == "config/inconsistent"
    assert where in error.where


def test_a_method_a_rule_and_a_unit_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    for text in ("method: triple_barier", "session: holds", "unit: points", "events: cusums", "cusum_unit: ticks", "uniqueness: 2"):
        assert refused(tmp_path, f"labels: {{{text}}}").code.startswith("config/")


def test_the_classes_that_there_should_be_follow_from_the_method() -> None:
    assert LabelSettings().classes == {-1: "short", 0: "neutral", 1: "long"}
    assert LabelSettings(primary_signal="cross.csv").classes == {0: "unpaid", 1: "paid"}
    assert list(LabelSettings(method="trend_scanning").classes) == [-1, 1]
    assert list(LabelSettings(method="trend_scanning", trend_min_t=3.0).classes) == [-1, 0, 1]
