"""Planted faults in a user's feature file and in features.params: each is refused by name, none vanishes or breaks inside."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_plan import SESSIONS, steady

from barsmith.errors import UsageError
from barsmith.features import close, ta
from barsmith.features.definitions import load_module
from barsmith.features.kernels import mean
from barsmith.features.plain import plain_function
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.features.windows import window_ratio

HEAD = "from barsmith.features import close, feature, high, kernel, lag, on, ta\n"


def refused(tried: Callable[..., Any], *args: Any, **kwargs: Any) -> UsageError:
    with pytest.raises(UsageError) as error:
        tried(*args, **kwargs)
    assert "\n" not in str(error.value)
    return error.value


def file_with(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(HEAD + text)
    return path


def own(body: str, decorator: str = "@feature") -> str:
    return f"{decorator}\ndef mine{'(n)' if '(' in decorator else '()'}:\n    return {body}\n"


@pytest.mark.parametrize(
    "text",
    [
        own("close ** 2"),
        own("unknown"),
        own("'close'"),
        own("ta.MACD(close)"),
        own("ta.RSI()"),
        own("ta.RSI(close, high)"),
        own("ta.RSI('close')"),
        own("close", "@feature(n=())"),
        "exec('@feature(lookback=3)\\ndef made(bars): return bars.close')",
        "exec('@kernel(size=lambda n: n, settling=lambda n: n)\\ndef made(state, params, x): return x')",
    ],
)
def test_a_mistake_in_a_feature_is_told_as_one(text, tmp_path):
    assert refused(catalogue, [file_with(tmp_path, text)]).code == "features/definition"


@pytest.mark.parametrize("value", [0, 1, -3, 2.5, 1e9, 10**12, "abc", float("nan"), True, None])
def test_a_period_that_talib_does_not_take_is_refused_where_the_node_is_made(value):
    assert refused(ta.RSI, close, timeperiod=value).code == "config/out-of-range"


def test_numbers_are_brought_to_the_kind_that_talib_wants():
    assert ta.RSI(close, timeperiod=14.0) == ta.RSI(close, timeperiod=14)
    assert ta.BBANDS(close, nbdevup=2).settling_bars == ta.BBANDS(close, nbdevup=2.0).settling_bars == 19


@pytest.mark.parametrize("value", [0, -3, 2.5, 10**9, float("nan"), float("inf")])
def test_a_kernel_without_a_whole_window_is_refused(value):
    for tried in (lambda: mean(close, n=value), lambda: window_ratio(close, close, n=value, flat=0.0)):
        assert refused(tried).code == "config/out-of-range"


@pytest.mark.parametrize("values", [[0], [1], [-3], ["abc"], [1e9], [10**9], [2.5], [14.0], [14, 0], []])
@pytest.mark.parametrize("family", ["rsi", "roll_spread", "corwin_schultz_spread", "session_opening_position"])
def test_a_chosen_period_is_refused_under_its_key(family, values):
    key = "length" if family.startswith("session") else "n"
    if values == [1] and family != "rsi":
        return  # one bar is a window
    error = refused(catalogue, params={family: {key: values}})
    assert error.code == "config/out-of-range"
    assert error.where.startswith(f"features.params.{family}")


@pytest.mark.parametrize(("family", "key", "value"), [("wavelet_trend", "wavelet", "none"), ("rsi_on", "timeframe", 60)])
def test_a_chosen_name_is_refused_under_its_key(family, key, value):
    error = refused(catalogue, params={family: {key: [value]}})
    assert error.code == "config/out-of-range"
    assert error.where.startswith(f"features.params.{family}")


def test_a_users_own_zero_is_kept_where_his_defaults_allow_it(tmp_path):
    path = file_with(tmp_path, own("lag(close, n)", "@feature(n=(0, 5))"))
    assert "mine_3" in catalogue([path], {"mine": {"n": [3, 0]}})
    assert refused(catalogue, [path], {"mine": {"n": [-1]}}).code == "config/out-of-range"


@pytest.mark.parametrize("fault", ["raise ValueError('no')", "return unknown_name", "return 'text'"])
def test_a_kernel_that_fails_while_it_is_read_names_the_feature(fault, tmp_path):
    lines = f"@kernel(size=lambda: 1, settling=lambda: 0)\ndef step(state, params, x):\n    {fault}\n" + own("step(close) + 1")
    plan = Plan({"fine": close, "wrong": catalogue([file_with(tmp_path, lines)])["mine"].expr}, base="5m", sessions=SESSIONS)
    error = refused(plan.read, steady(50))
    assert (error.code, error.where) == ("features/definition", "feature wrong")


def test_a_node_over_inputs_that_it_is_not_made_for_names_the_feature():
    for wrong in (ta.MACD(close) + 1, ta.SMA(ta.MACD(close)), ta.RSI(5.0)):
        error = refused(Plan({"fine": close, "wrong": wrong}, base="5m", sessions=SESSIONS).read, steady(300))
        assert (error.code, error.where) == ("features/definition", "feature wrong")


@pytest.mark.parametrize("name", ["passwd", "mine.txt", "none.py", "a\0b.py", "x" * 5000 + ".py", "."])
def test_a_path_that_is_no_python_file_is_refused(name, tmp_path):
    for there in ("passwd", "mine.txt"):
        (tmp_path / there).write_text("root:x:0:0")
    assert refused(load_module, tmp_path / name).code == "features/module"


def test_a_file_that_ends_the_program_is_refused(tmp_path):
    assert refused(catalogue, [file_with(tmp_path, "raise SystemExit(0)")]).code == "features/module"


def test_a_timeframe_that_is_no_rung_is_refused_and_one_that_is_not_wanted_is_left_out(tmp_path):
    path = file_with(tmp_path, own("on('2h', close)"))
    assert refused(catalogue, [path]).code == "config/timeframe"
    assert refused(catalogue, [path], timeframes=("5m",)).code == "config/timeframe"
    assert refused(catalogue, params={"rsi_on": {"timeframe": ["2h"]}}).where == "features.params.rsi_on"
    assert "mine" not in catalogue([file_with(tmp_path, own("on('45m', close + 1)"))], timeframes=("5m",))


def test_two_functions_of_a_name_in_one_file_are_refused_and_a_file_can_be_read_again(tmp_path):
    assert refused(catalogue, [file_with(tmp_path, own("close") + own("high"))]).code == "features/duplicate-name"
    path = file_with(tmp_path, own("close"))
    assert "mine" in catalogue([path])
    assert "mine" in catalogue([path])


TAKEN = ["close", "datetime", "roll_factor", "is_settled", "y_true", "label_x", "sample_weight_h5", "return_h20"]


@pytest.mark.parametrize("name", [*TAKEN, "_hidden", "größe", "a" * 65])
def test_a_name_that_cannot_be_a_features_column_is_refused(name, tmp_path):
    path = file_with(tmp_path, f"import barsmith.features as b\n@feature\ndef {name}():\n    return b.close + 1\n")
    assert refused(catalogue, [path]).code == "features/definition"


@pytest.mark.parametrize("name", ["MyFeature", "return_h", "closes", "a" * 64])
def test_and_others_are_kept(name, tmp_path):
    assert name in catalogue([file_with(tmp_path, f"@feature\ndef {name}():\n    return close + 1\n")])


def test_a_variant_is_part_of_the_name(tmp_path):
    assert refused(catalogue, [file_with(tmp_path, own("close + 1", "@feature(n=('a b',))"))]).code == "features/definition"


HELPED = """
@kernel(size=lambda n: n, settling=lambda n: n)
def step(state, params, x):
    return x * SHARE

@feature
def stepped():
    return step(close, n=2)

@feature(lookback=2)
def plain(bars):
    return bars.close * SHARE
"""


def test_a_changed_constant_changes_the_fingerprint_and_nothing_else_does(tmp_path):
    def prints(share: str) -> dict[str, str]:
        found = catalogue([file_with(tmp_path, f"SHARE = {share}\n{HELPED}")])
        mine = {name: each.expr for name, each in found.items() if each.group == "user"}
        return Plan(mine, base="5m", sessions=SESSIONS).fingerprints()

    one, same, other = prints("0.5"), prints("0.5"), prints("0.125")
    assert one == same
    assert set(one) == {"stepped", "plain"}
    assert all(one[name] != other[name] for name in one)


def test_a_shipped_kernel_is_its_own_text_alone():
    text = inspect.getsource(mean.compiled.python)
    assert mean.source_hash == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_functions_without_source_are_refused_by_the_node_and_the_kernel():
    scope: dict[str, Any] = {}
    exec("def made(bars): return bars", scope)
    assert refused(plain_function, scope["made"], 3).code == "features/definition"
    assert refused(plain_function, len, 3).code == "features/definition"
