"""The journal of a stream: every minute comes back with its bits, torn ends are cut, damage is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.bars.minutes import Minutes
from barsmith.errors import IntegrityError
from barsmith.serving.journal import Journal
from barsmith.serving.messages import MinuteMessage

HISTORY = Minutes.of(np.array([29554900, 29554901]), np.ones((2, 5)))
ONE = MinuteMessage(29554920, (10.0, 12.5, 9.1, 11.0, 3.0))
TWO = MinuteMessage(29554921, (10.1, 12.5, 9.0, 11.0, 0.0), "MESM6", 1.0007)


def kept(folder, *messages):
    with Journal(folder, "MES", HISTORY) as journal:
        for message in messages:
            journal.append(message)
    with Journal(folder, "MES", HISTORY) as journal:
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
            Journal(tmp_path, "MES", HISTORY)


def test_a_journal_of_another_symbol_is_refused(tmp_path):
    kept(tmp_path, ONE)
    with pytest.raises(IntegrityError) as refused:
        Journal(tmp_path, "MGC", HISTORY)
    assert refused.value.code == "stream/snapshot"


def test_a_journal_goes_on_only_after_the_history_it_was_begun_after_or_a_longer_one(tmp_path):
    kept(tmp_path, ONE)
    with pytest.raises(IntegrityError) as refused:
        Journal(tmp_path, "MES", HISTORY[:1])
    assert refused.value.code == "stream/snapshot"
    longer = Minutes.of(np.array([29554900, 29554901, 29554902]), np.ones((3, 5)))
    with Journal(tmp_path, "MES", longer) as journal:
        assert journal.messages == [ONE]


def test_a_journal_of_another_shape_is_refused(tmp_path):
    kept(tmp_path)
    with Journal(tmp_path, "MES", HISTORY) as journal:
        journal.write({"time": 1})
    with pytest.raises(IntegrityError) as refused:
        Journal(tmp_path, "MES", HISTORY)
    assert refused.value.code == "stream/snapshot"
