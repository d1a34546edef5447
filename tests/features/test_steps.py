"""Compiled steps: a column and its continuation have the same bits, whatever the numbers; zeros, NaN and infinities by hand."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.compiled import njit
from barsmith.features.pointwise import BEFORE, POINTWISE, QUOTIENT
from barsmith.features.steps import CompiledStep, Running

NAN, INF = math.nan, math.inf
ANY = st.one_of(st.floats(width=64), st.sampled_from([0.0, -0.0, NAN, INF, -INF, 5e-324, 1e308]))
compiled_on_first_use = settings(deadline=None, max_examples=60)
NONE = np.empty(0)


def same_bits(a, b) -> bool:
    """Every NaN is as good as another."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return bool(((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all())


def one(name: str, *values: float) -> float:
    return Running(POINTWISE[name], NONE)(*values)


@pytest.mark.parametrize("name", POINTWISE)
@compiled_on_first_use
@given(rows=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=70))
def test_a_column_and_its_values_one_by_one_have_the_same_bits(name, rows):
    running = Running(POINTWISE[name], NONE)
    columns = np.array(rows).T[: POINTWISE[name].inputs]
    assert same_bits(running.over(*columns), [running(*row) for row in columns.T.tolist()])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "negative", "absolute", "sqrt"])
@compiled_on_first_use
@given(rows=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=70))
def test_what_ieee_754_defines_has_numpys_bits(name, rows):
    columns = np.array(rows).T[: POINTWISE[name].inputs]
    with np.errstate(all="ignore"):
        assert same_bits(Running(POINTWISE[name], NONE).over(*columns), getattr(np, name)(*columns))


@pytest.mark.parametrize("name", ["log", "tanh", "sin", "cos"])
def test_a_transcendental_is_numpys_but_for_its_last_digit(name):
    x = np.linspace(0.001, 40.0, 5000)
    np.testing.assert_allclose(Running(POINTWISE[name], NONE).over(x), getattr(np, name)(x), rtol=4e-16, atol=4e-16)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("maximum", (0.0, -0.0), 0.0), ("maximum", (-0.0, 0.0), -0.0), ("minimum", (0.0, -0.0), 0.0), ("minimum", (-0.0, 0.0), -0.0),
        ("maximum", (1.0, NAN), NAN), ("maximum", (NAN, 1.0), NAN), ("minimum", (1.0, NAN), NAN), ("minimum", (NAN, 1.0), NAN),
        ("maximum", (2.0, 3.0), 3.0), ("maximum", (3.0, 2.0), 3.0), ("minimum", (2.0, 3.0), 2.0), ("minimum", (3.0, 2.0), 2.0),
        ("maximum", (-INF, INF), INF), ("minimum", (-INF, INF), -INF),
        ("sign", (-0.0,), 0.0), ("sign", (0.0,), 0.0), ("sign", (NAN,), NAN), ("sign", (-INF,), -1.0), ("sign", (5e-324,), 1.0),
        ("divide", (1.0, -0.0), -INF), ("divide", (0.0, 0.0), NAN), ("sqrt", (-1.0,), NAN), ("sqrt", (-0.0,), -0.0),
        ("log", (0.0,), -INF), ("log", (-0.0,), -INF), ("log", (-1.0,), NAN), ("log", (1.0,), 0.0),
        ("negative", (0.0,), -0.0), ("absolute", (-0.0,), 0.0), ("add", (-0.0, 0.0), 0.0), ("tanh", (-0.0,), -0.0), ("sin", (INF,), NAN),
    ],
)  # fmt: skip
def test_zeros_nan_and_infinities(name, values, expected):
    assert same_bits(one(name, *values), expected)
    many = Running(POINTWISE[name], NONE).over(*(np.full(33, v) for v in values))
    assert same_bits(many, np.full(33, expected))


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        (1.0, 0.0, 7.0),
        (1.0, -0.0, 7.0),
        (1.0, 0.5, 7.0),
        (1.0, -0.5, 7.0),
        (1.0, 0.75, 1 / 0.75),
        (1.0, NAN, NAN),
        (NAN, 0.0, 7.0),
        (1.0, INF, 0.0),
    ],
)
def test_a_quotient_is_flat_where_the_divisor_is_not_larger_than_the_least(above, below, expected):
    assert same_bits(Running(QUOTIENT, NONE, (7.0, 0.5))(above, below), expected)


@compiled_on_first_use
@given(st.lists(ANY, max_size=40), st.integers(1, 9), st.integers(0, 40))
def test_the_value_bars_ago_from_any_bar_on(x, bars, split):
    running = Running(BEFORE, np.array([NAN] * bars + [0.0]))
    head = running.over(np.array(x[:split])).tolist()
    assert same_bits(head + [running(v) for v in x[split:]], ([NAN] * bars + x)[: len(x)])


@njit(cache=False)
def weight(params):
    out = 0.0
    for each in params:
        out += each
    return out


def total(state, params, x):
    """A sum that remembers, refuses 13, and weighs by its params."""
    if x == 13.0:
        raise ValueError("thirteen")
    state[0] += x * weight(params)
    return state[0], state[0] / 2.0


TOTAL = CompiledStep(total, 2, is_cached=False)


def test_a_step_goes_on_from_where_its_columns_end():
    running = Running(TOTAL, np.zeros(1), (1.0, 2.0))
    whole, half = running.over(np.array([1.0, 2.0]))
    assert (whole.tolist(), half.tolist()) == ([3.0, 9.0], [1.5, 4.5])
    assert running(1.0) == (12.0, 6.0)


def test_a_step_is_compiled_for_each_number_of_params():
    assert [Running(TOTAL, np.zeros(1), params)(1.0)[0] for params in [(5.0,), (1.0, 2.0), (1.0, 2.0, 3.0)]] == [5.0, 3.0, 6.0]


def test_an_operand_that_is_a_number_is_a_column_of_it():
    assert Running(POINTWISE["divide"], NONE).over(np.array([1.0, 4.0]), np.float64(2.0)).tolist() == [0.5, 2.0]


def test_operands_are_read_in_their_order_whatever_their_layout():
    x = np.arange(20.0).reshape(10, 2)
    assert Running(POINTWISE["subtract"], NONE).over(x[:, 1], x[::-1, 0]).tolist() == (x[:, 1] - x[::-1, 0]).tolist()


def test_what_a_step_raises_is_raised_in_both_readings():
    running = Running(TOTAL, np.zeros(1), (1.0,))
    with pytest.raises(ValueError, match="thirteen"):
        running.over(np.array([1.0, 13.0]))
    with pytest.raises(ValueError, match="thirteen"):
        running(13.0)
    assert running(1.0) == (2.0, 1.0)


@pytest.mark.parametrize(
    "wrong", [(), (1.0,), (1.0, 2.0), (np.ones(3),), (np.ones(3), np.ones(4)), (np.ones(3), np.ones((3, 2))), (np.ones(2),) * 3]
)
def test_operands_that_are_not_columns_of_one_length_are_refused(wrong):
    with pytest.raises(ValueError, match="add takes 2 columns"):
        Running(POINTWISE["add"], NONE).over(*wrong)


def test_no_bars_give_columns_of_none():
    assert Running(POINTWISE["add"], NONE).over(NONE, NONE).shape == (0,)


def test_garbage_is_collected_again_after_compiling():
    CompiledStep(total, 2, is_cached=False).address(1)
    assert gc.isenabled()
