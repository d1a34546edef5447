"""The journal of a stream: every minute comes back with its bits, torn ends are cut, damage is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import IntegrityError
from barsmith.serving.journal import Journal
from barsmith.serving.messages import MinuteMessage

ONE = MinuteMessage(29554920, (10.0, 12.5, 9.1, 11.0, 3.0))
TWO = MinuteMessage(29554921, (10.1, 12.5, 9.0, 11.0, 0.0), "MESM6", 1.0007)


def kept(folder, *messages):
    with Journal(folder, "MES") as journal:
        for message in messages:
            journal.append(message)
    with Journal(folder, "MES") as journal:
        return journal.messages


def test_minutes_come_back_as_they_were(tmp_path):
    assert kept(tmp_path, ONE, TWO) == [ONE, TWO]


@given(st.lists(st.floats(1e-300, 1e300), min_size=5, max_size=5))
def test_every_number_comes_back_with_its_bits(tmp_path_factory, bar):
    message = MinuteMessage(1, tuple(bar))  # type: ignore[arg-type]
    assert kept(tmp_path_factory.mktemp("journal"), message) == [message]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_cut_off_and_writing_goes_on(tmp_path, cut):
    kept(tmp_path, ONE, TWO)
    path = tmp_path / "minutes.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert kept(tmp_path) == [ONE]
    assert kept(tmp_path, TWO) == [ONE, TWO]


def test_a_flipped_byte_is_found(tmp_path):
    kept(tmp_path, ONE, TWO)
    path = tmp_path / "minutes.jsonl"
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        if whole[at : at + 1] == b"\n":
            continue
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(IntegrityError):
            Journal(tmp_path, "MES")


def test_a_journal_of_another_symbol_is_refused(tmp_path):
    kept(tmp_path, ONE)
    with pytest.raises(IntegrityError) as refused:
        Journal(tmp_path, "MGC")
    assert refused.value.code == "stream/symbol"
