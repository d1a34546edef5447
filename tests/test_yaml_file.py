"""Strict YAML: what is read as what, what is refused with its line, and that no text at all can do more than be refused."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import UsageError
from barsmith.yaml_file import MAX_DEPTH, MAX_NODES, read_scalar_yaml, read_yaml


def value_of(text: str) -> Any:
    return read_yaml(text.encode(), "a.yaml").value


def refused(text: str | bytes) -> UsageError:
    with pytest.raises(UsageError) as error:
        read_yaml(text.encode() if isinstance(text, str) else text, "a.yaml")
    return error.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('"yes"', "yes"),
        ("'7'", "7"),
        ("5m", "5m"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("017", "017"),
        ("00", "00"),
        ("2026-03-12", "2026-03-12"),
        ("2026-03-12T06:00Z", "2026-03-12T06:00Z"),
        ("infinity", "infinity"),
        ("y", "y"),
        ("=", "="),
    ],
)
def test_only_what_is_plainly_a_number_or_truth_is_one(text: str, value: object) -> None:
    found = value_of(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off"])
def test_a_word_that_other_readers_take_for_a_truth_is_refused(word: str) -> None:
    error = refused(f"a: 1\nsymbol: {word}")
    assert (error.code, error.where) == ("config/type", "a.yaml line 2, column 9")
    assert f'write "{word}" in quotes' in error.do


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("a: [1,\nb: 2", "config/syntax", "a.yaml line 2, column 5"),
        ("a:\n\tb: 1", "config/syntax", "a.yaml line 2, column 1"),
        ("a: 1\n---\nb: 2", "config/syntax", "a.yaml line 2, column 1"),
        ("a: b\x07", "config/syntax", "a.yaml line 1, column 5"),
        ("a: 'open", "config/syntax", "a.yaml line 1, column 9"),
        ("a: 1\nb: 2\na: 3", "config/duplicate-key", "a.yaml line 3"),
        ("x: {a: 1, a: 1}", "config/duplicate-key", "a.yaml line 1"),
        ("a: &x 1\nb: *x", "config/too-large", "a.yaml line 2"),
        ("a: !!python/object/apply:os.system [true]", "config/tag", "a.yaml line 1"),
        ("a: !!int 3", "config/tag", "a.yaml line 1"),
        ("a: .nan", "config/non-finite", "a.yaml line 1, column 4"),
        ("a: -.inf", "config/non-finite", "a.yaml line 1, column 4"),
        ("a: 1e999", "config/non-finite", "a.yaml line 1, column 4"),
        ("a: 1" + "0" * 400, "config/out-of-range", "a.yaml line 1, column 4"),
        ("[a]: 1", "config/type", "a.yaml line 1, column 1"),
        ("~: 1", "config/type", "a.yaml line 1, column 1"),
        (b"a: 1\nb: \xff", "config/encoding", "a.yaml line 2"),
    ],
)
def test_what_is_no_settings_file_is_refused_with_its_place(text: str | bytes, code: str, where: str) -> None:
    error = refused(text)
    assert (error.code, error.where) == (code, where)
    assert "\n" not in str(error)


def test_a_tab_is_named_as_what_it_is() -> None:
    assert "never with tabs" in refused("a:\n\tb: 1").came


def test_both_lines_of_a_repeated_key_are_told() -> None:
    assert refused("a: 1\nb: 2\n\na: 3").came == "it twice, on line 1 and on line 4"


def test_a_bomb_of_aliases_costs_nothing() -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    began = time.perf_counter()
    assert refused("\n".join(layers)).code == "config/too-large"
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "a: " + "[" * 9_999 + "]" * 9_999, "{a: " * 10_000, "\n".join(" " * i + "a:" for i in range(900))]
)
def test_ten_thousand_levels_are_refused_and_do_not_overflow(text: str) -> None:
    assert refused(text).code == "config/too-deep"


def test_the_limits_are_where_they_are_said_to_be() -> None:
    value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert refused("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).code == "config/too-deep"
    assert len(value_of("[" + "1," * (MAX_NODES - 1) + "]")) == MAX_NODES - 1
    assert refused("[" + "1," * MAX_NODES + "]").code == "config/too-large"
    assert refused("#" * ((1 << 20) + 1)).code == "config/too-large"
    assert value_of("#" * (1 << 20)) is None


def test_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    told = read_yaml(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: x\r\n", "a.yaml")
    assert told.value == {"a": 1, "b": {"c": "x"}}
    assert told.lines[("b", "c")] == 3


def test_every_value_knows_its_line() -> None:
    lines = read_yaml(b"a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "a.yaml").lines
    assert [lines[path] for path in (("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d"))] == [1, 2, 3, 4, 5]


def test_a_value_of_the_command_line_is_read_by_the_same_rules() -> None:
    assert read_scalar_yaml("[5, 10]", "--set x") == [5, 10]
    assert read_scalar_yaml("", "--set x") is None
    with pytest.raises(UsageError) as error:
        read_scalar_yaml("\udcff", "--set x")  # a byte of the shell that is no UTF-8
    assert error.value.code == "config/encoding"


WORDS = st.text(st.characters(categories=("L", "N", "P", "S"), max_codepoint=0xD7FF), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read_as_the_values_that_it_says(value: Any) -> None:
    assert value_of(json.dumps(value, ensure_ascii=False)) == value


@given(st.text() | st.text(alphabet="ab1.-:[]{},&*!|>'\"%@`#?\n\t ~"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        read_scalar_yaml(text, "a.yaml")


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        read_yaml(data, "a.yaml")
