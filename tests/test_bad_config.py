"""The configuration cases of the list of bad inputs, each written by hand and tried.

The list lies beside the real bars; what is expected stands here as well, so that the cases are tried without it too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from barsmith.config import Settings, safe_name
from barsmith.config_reading import load_settings
from barsmith.errors import UsageError
from barsmith.instruments import instrument

LATER = {
    "C32": "windows longer than a split are refused where they are cut: tests/datasets/test_bar_windows.py",
    "C40": "output paths belong to the command line's tests",
    "C41": "--workspace belongs to the command line's tests",
    "C46": "Optuna searches barriers in memory: there is no storage to name",
    "C51": "void: a session is chosen by its name (ETH, RTH, all), not by two times",
    "C65": "no ensemble exists yet",
    "C66": "no drift monitor exists yet",
}


@dataclass(frozen=True)
class Case:
    """One way to meet a row of the list. `tried` is handed a folder; it raises, or checks that all is well."""

    id: str
    code: str
    tried: Callable[[Path], object]
    says: str = ""


CASES: list[Case] = []


def settings_of(folder: Path, text: str | bytes, *sets: str, **environment: str) -> Settings:
    path = folder / "config" / "pipeline.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(folder, overrides=sets, environment=environment).settings


def text_case(id: str, code: str, *texts: str | bytes, says: str = "") -> None:
    """Each text is a whole config/pipeline.yaml."""
    CASES.extend(Case(id, code, lambda folder, text=text: settings_of(folder, text), says) for text in texts)  # type: ignore[misc]


def case(id: str, code: str = "-", says: str = "") -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    def enter(tried: Callable[[Path], object]) -> Callable[[Path], object]:
        CASES.append(Case(id, code, tried, says))
        return tried

    return enter


def file_case(id: str, code: str, make: Callable[[Path], object]) -> None:
    """A path for --config that `make` has made something of."""

    def tried(folder: Path) -> object:
        path = folder / "settings.yaml"
        make(path)
        return load_settings(folder, config=path, environment={})

    CASES.append(Case(id, code, tried))


def model_case(id: str, code: str, *lines: str, model: str = "xgboost", says: str = "") -> None:
    """Each line is a `--set` of `train --model`, and of the model's own YAML."""

    def of(line: str) -> Callable[[Path], object]:
        def tried(folder: Path) -> object:
            from barsmith.models import load_params

            cls, params = load_params(model, folder, [line])
            return cls(params).check_machine()

        return tried

    CASES.extend(Case(id, code, of(line), says) for line in lines)


# the file

file_case("C01", "config/not-found", lambda path: None)
file_case("C01", "config/not-found", lambda path: path.mkdir())
file_case("C01", "config/not-found", lambda path: path.symlink_to(path))
text_case("C03", "config/syntax", "a: [1,\n", "splits:\n  - {", says="line 2")
text_case("C03", "config/syntax", "random_seed: 1\nsplits:\n\tpurge_bars: 60\n", says="line 3, column 1")
text_case("C04", "config/type", "- symbol: MES\n", "hello", "7", "[]")
text_case("C05", "config/duplicate-key", "purge_bars: 60\nrandom_seed: 1\npurge_bars: 90\n", says="on line 1 and on line 3")
text_case("C06", "config/unknown-key", "purge_bar: 60", "splits: {purge_bar: 60}", "splits: {purges: 60}", says="did you mean purge")
text_case("C08", "config/too-large", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "[" + "1, " * 10_000 + "1]")
text_case("C09", "config/too-large", b"#" * (5 << 20))
text_case("C10", "config/too-deep", "[" * 10_000, "a: " + "[" * 9_999 + "]" * 9_999, "\n".join(" " * i + "a:" for i in range(1000)))


@case("C63")
def _windows(folder: Path) -> None:
    assert settings_of(folder, b"\xef\xbb\xbfpurge_bars: 90\r\nsplits:\r\n  embargo_bars: 7\r\n").purge_bars == 90


# values

text_case("C11", "config/type", "symbol: NO", "symbol: no", "symbol: Off", says="in quotes")
text_case("C12", "config/type", "purge_bars: 12:30:00", "scaling: {clip: 1:30}", says="no 12:30")
text_case("C13", "config/type", "purge_bars: 1_000", "purge_bars: 0x10", "purge_bars: 0o20", "purge_bars: 0b1", says="plain decimal")
text_case("C14", "config/type", "purge_bars: 1e3", says="without a point or exponent")


@case("C14")
def _exponent(folder: Path) -> None:
    assert settings_of(folder, "scaling: {clip: 1e1}").scaling.clip == 10.0


text_case("C15", "config/non-finite", "scaling: {clip: .nan}", "labels: {k_up: .inf}", "scaling: {clip: -.Inf}", "scaling: {clip: nan}")
text_case("C17", "config/out-of-range", "purge_bars: 1" + "0" * 400, "scaling: {clip: 1" + "0" * 400 + "}")
text_case("C19", "config/out-of-range", "label_horizons: [-5]", "label_horizons: [0]", says="at least 1 and at most 1000")
text_case("C20", "config/horizons", "label_horizons: []", says="name one at least")
text_case("C20", "config/horizons", "label_horizons: [20, 5, 5]", "label_horizons: [20, 5]", says="write label_horizons: [5, 20]")
text_case("C23", "config/leakage", "purge_bars: 19", "labels: {max_bars: 61}", "label_horizons: [100]")
text_case("C24", "config/out-of-range", "embargo_bars: -1", "embargo_bars: 10000001")
text_case("C25", "config/timeframe", "base_timeframe: 7min", "base_timeframe: banana", "timeframes: [5m, 7m]", says="1m, 5m, 10m")
text_case("C27", "config/timeframe", "timeframes: [30s, 5m]", "timeframes: [0m, 5m]")


@case("C26")
def _not_a_multiple(folder: Path) -> None:
    assert settings_of(folder, "base_timeframe: 15m\ntimeframes: [15m, 25m]").timeframes == ("15m", "25m")


text_case("C37", "config/seed", "random_seed: abc", "random_seed: -1", "random_seed: 4294967296", "random_seed: 1.5", "random_seed: true")


@case("C37")
def _missing_seed(folder: Path) -> None:
    assert settings_of(folder, "symbol: MES").random_seed == 42


text_case("C55", "config/out-of-range", "labels: {k_up: 0}", "labels: {k_down: -1}", "barriers: {MES: {k_up: 1, k_down: 0.0}}")
text_case(
    "C55",
    "config/out-of-range",
    "labels: {k_up: 101}",
    "labels: {unit: fraction, k_up: 1.0, k_down: 0.5}",
    says="correct k_up, or the unit",
)
text_case("C55", "config/out-of-range", "barriers: {MES: {k_up: 1, k_down: 0.5, unit: fraction}}", says="a fraction of the price below 1")
text_case("C55", "config/out-of-range", "labels: {unit: ticks, k_up: 100001, k_down: 1}", "labels: {events: cusum, cusum_threshold: 0}")
text_case("C55", "config/out-of-range", "labels: {events: cusum, cusum_unit: fraction, cusum_threshold: 1}", says="labels.cusum_threshold")
text_case("C55", "config/out-of-range", "labels: {max_bars: 0}", "labels: {trend_min_bars: 1}", "labels: {trend_min_t: -1}")
text_case("C53", "config/dates", "rolls: [2026-03-12T06:00Z, 2025-12-11T06:00Z]", "rolls: [2026-13-12T06:00Z]")
text_case("C56", "config/version", "version: 2", "version: 99", says="upgrade barsmith")
text_case("C50", "config/calendar", "instruments: {ZB: {calendar: nyse}}", "instruments: {MES: {calendar: ''}}", says="equity_index")

# names

text_case("C49", "config/symbol", "symbol: mes", "symbol: ../../etc", "symbol: ''", "barriers: {mes: {k_up: 1, k_down: 1}}")


@case("C49", "config/symbol", "did you mean MES")
def _unknown_symbol(folder: Path) -> None:
    instrument("MEX", settings_of(folder, "symbol: MEX"))


for bad in ("a/b", "..", "", "a" * 300, "con", ".hidden", "-dash", "a\x00b"):
    CASES.append(Case("C42", "config/name", lambda folder, name=bad: safe_name(name, "run id")))  # type: ignore[misc]


@case("C43")
def _templates(folder: Path) -> None:
    for template in ("{{7*7}}", "${jndi:ldap://x/a}", "%(asctime)s"):
        with pytest.raises(UsageError) as error:
            safe_name(template, "run id")
        assert template in error.value.came
        with pytest.raises(UsageError) as error:
            settings_of(folder, json.dumps({"symbol": template}))
        assert template in error.value.came


@case("C28", "config/unknown-name", "did you mean")
def _unknown_feature(folder: Path) -> None:
    from barsmith.pipeline.stages.features import chosen_features

    chosen_features(settings_of(folder, "features: {drop: [rsi_14o]}").features, [], ["5m"], "5m")


@case("C28", "config/unknown-name", "did you mean tabular")
def _unknown_set(folder: Path) -> None:
    from barsmith.pipeline.stages.features import chosen_features

    chosen_features(settings_of(folder, "features: {set: tabluar}").features, [], ["5m"], "5m")


@case("C28", "config/unknown-name", "did you mean")
def _unknown_family(folder: Path) -> None:
    from barsmith.pipeline.stages.features import chosen_features

    chosen_features(settings_of(folder, "features: {params: {rsj: {n: [3]}}}").features, [], ["5m"], "5m")


text_case("C28", "config/unknown-name", "scaling: {pass_through: [foo]}", says="expected one of flags, bounded, came 'foo'")
text_case("C28", "config/unknown-name", "ingest: {epoch_unit: h}", says="expected one of s, ms, us, ns, came 'h'")
model_case("C28", "config/unknown-name", "training.max_depth=3", model="xgbost", says="did you mean xgboost")


@case("C64", "config/duplicate-name")
def _two_models(folder: Path) -> None:
    from barsmith.models import discover

    (folder / "models").mkdir()
    for file in ("one.py", "two.py"):
        (folder / "models" / file).write_text(
            "from barsmith.models import BaseModel, register\n"
            "@register(name='twin', family='classical')\n"
            "class Twin(BaseModel):\n"
            "    def fit(self, X_train, y_train, X_val, y_val): ...\n"
            "    def predict(self, X): ...\n"
        )
    try:
        discover(folder)
    finally:
        (folder / "models" / "two.py").unlink()
        (folder / "models" / "one.py").unlink()
        discover(folder)


# models

model_case("C29", "config/unknown-param", "training.learning_rat=0.1", says="did you mean learning_rate")
model_case("C31", "config/inconsistent", "training.num_class=4")
model_case("C33", "config/out-of-range", "training.n_estimators=0", "training.max_bin=0")
model_case("C34", "config/device", "device.use_gpu=true", model="logistic")
model_case("C35", "config/out-of-range", "training.n_jobs=-100", "training.n_jobs=1000000")


@case("C38", "config/determinism", "cannot be bit-identical")
def _determinism(folder: Path) -> None:
    from barsmith.models import load_params

    load_params("xgboost", folder, ["device.use_gpu=true", "device.deterministic=true"])


# other places

text_case("C44", "config/secret", "api_key: hunter2", "models: {access_token: hunter2}", "db_password: hunter2", says="not shown here")
text_case("C58", "config/include", "include: b.yaml", "extends: b.yaml")
text_case("C59", "config/include", "include: /etc/passwd", "include: https://example.com/a.yaml", "extends: [../a.yaml]")
for name, value in (("BARSMITH__SPLITS__TRAIN", "abc"), ("BARSMITH__RANDOM_SEED", "NO"), ("BARSMITH__PURGE_BAR", "60")):
    CASES.append(Case("C60", "config/env", lambda folder, v={name: value}: settings_of(folder, "", **v), name))  # type: ignore[misc]


@case("C61", "config/changed", "labels.k_up null -> 2.0")
def _edited(folder: Path) -> None:
    from barsmith.pipeline.api import rerun
    from barsmith.pipeline.run_folder import RunFolder, RunState, Sources, StageState

    run = RunFolder(folder, "20260101-000000-MES")
    run.write_config(settings_of(folder, "random_seed: 1").for_symbol("MES"), Sources())
    run.write_state(RunState(run.run_id, "MES", stages=[StageState("ingest", "done"), StageState("labeling", "done")]))
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "MES_1m.csv").write_text("never read here")
    settings_of(folder, "random_seed: 1\nlabels: {k_up: 2}")
    rerun(folder, run.run_id)


@case("C62")
def _three_values(folder: Path) -> None:
    (folder / "config").mkdir()
    (folder / "config" / "pipeline.yaml").write_text("random_seed: 1")
    loaded = load_settings(folder, overrides=["random_seed=3"], environment={"BARSMITH__RANDOM_SEED": "2"})
    assert (loaded.settings.random_seed, loaded.winners["random_seed"]) == (3, "--set")
    loaded = load_settings(folder, environment={"BARSMITH__RANDOM_SEED": "2"})
    assert (loaded.settings.random_seed, loaded.winners["random_seed"]) == (2, "environment BARSMITH__RANDOM_SEED")


def _name(one: Case) -> str:
    return f"{one.id}-{[c for c in CASES if c.id == one.id].index(one)}"


@pytest.mark.parametrize("one", CASES, ids=_name)
def test_a_bad_setting_is_refused_or_handled_as_the_list_says(one: Case, tmp_path: Path) -> None:
    if one.code == "-":
        one.tried(tmp_path)
        return
    with pytest.raises(UsageError) as error:
        one.tried(tmp_path)
    told = error.value
    assert (told.code, told.exit_code) == (one.code, 2)
    assert all(told.as_dict()[part] for part in ("expected", "came", "do"))
    assert str(told).isprintable()
    assert one.says in str(told)
    assert "hunter2" not in str(told)


@pytest.mark.real
def test_every_configuration_case_of_the_list_is_tried_as_it_says(real_data: Path) -> None:
    lines = (real_data.parent / "reference" / "bad_inputs.jsonl").read_text().splitlines()
    listed = {row["id"]: row for row in map(json.loads, lines) if row["entry"] == "Config"}
    tried = {one.id: one.code for one in CASES if one.code != "-"} | {one.id: "-" for one in CASES if listed[one.id]["disposition"] == "OK"}
    assert tried == {id: row["code"] for id, row in listed.items() if id not in LATER}
    assert set(LATER) <= set(listed)
