"""What stages leave on the disk: the same value back, and nothing that was changed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from barsmith.artifacts import read_sealed, write_sealed
from barsmith.bars.minutes import Minutes
from barsmith.errors import BusyError, IntegrityError
from barsmith.pipeline.store import Entry, Store


@dataclass(frozen=True)
class Everything:
    minutes: Minutes
    table: pl.DataFrame
    rungs: dict[str, pl.DataFrame]
    record: dict[str, Any]
    roles: dict[str, str]


def everything() -> Everything:
    minutes = Minutes(
        np.array([10, 11, 15]), np.arange(15.0).reshape(3, 5), np.array([0, 0, 1], np.int32), np.array([1.0, 1.0, 1.01]), ("MESU5", "MESZ5")
    )
    table = pl.DataFrame({"x": [0.1, float("nan"), 3.0], "label_h5": pl.Series([1, None, -1], dtype=pl.Int8)})
    rungs = {"5m": table.head(2), "1h": table.head(1)}
    return Everything(minutes, table, rungs, {"b": {"c": "ü"}, "a": [1, 2.5, None]}, {"x": "feature", "label_h5": "label"})


def written(store: Store) -> Entry:
    store.begin("everything", store.files_of("everything", everything()))
    entry = Entry("k" * 64, 0.5, 3, store.write("everything", everything()))
    store.finish("everything", entry)
    return entry


def test_a_value_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    written(store)
    value, found = everything(), store.read("everything", Everything, store.entries()["everything"])
    assert found.minutes.names == ("MESU5", "MESZ5")
    assert [getattr(found.minutes, name).tolist() for name in ("time", "bars", "contract", "factor")] == [
        getattr(value.minutes, name).tolist() for name in ("time", "bars", "contract", "factor")
    ]
    assert found.table.equals(value.table)
    assert found.table.schema == value.table.schema
    assert sorted(found.rungs) == ["1h", "5m"]
    assert found.rungs["5m"].equals(value.rungs["5m"])
    assert (found.record, found.roles) == (value.record, value.roles)
    assert list(found.record) == ["b", "a"]  # in their order, as the stages after it saw them


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    one, other = (written(Store(tmp_path / name, "MES")) for name in ("one", "other"))
    assert one == other


def test_whose_a_table_is_and_what_its_columns_are_for_stand_in_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    written(store)
    told = pq.read_schema(tmp_path / store.path("everything", "table", "", "parquet")).metadata[b"barsmith"]
    assert b'"symbol": "MES"' in told
    assert b'"label_h5": "label"' in told


def test_one_changed_byte_anywhere_in_any_file_is_found_before_it_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    entry = written(store)
    files = [tmp_path / name for name in entry.files]
    assert len(files) == 6
    tried = 0
    for path in files:
        good = path.read_bytes()
        for at in range(0, len(good), 13):
            path.write_bytes(good[:at] + bytes([good[at] ^ 0x20]) + good[at + 1 :])
            assert not store.is_whole(entry)
            with pytest.raises(IntegrityError) as error:
                store.read("everything", Everything, entry)
            assert error.value.code == "integrity/mismatch"
            tried += 1
        path.write_bytes(good)
    assert tried > 400
    assert store.is_whole(entry)


def test_one_changed_byte_anywhere_in_the_state_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    written(store)
    good = store.state_file.read_bytes()
    for at in range(0, len(good), 3):
        store.state_file.write_bytes(good[:at] + bytes([good[at] ^ 0x01]) + good[at + 1 :])
        with pytest.raises(IntegrityError):
            store.entries()
    for cut in range(0, len(good), 11):
        store.state_file.write_bytes(good[:cut])
        with pytest.raises(IntegrityError):
            store.entries()


def test_a_sealed_record_is_written_the_same_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    one = write_sealed(tmp_path / "one.json", {"b": {5: 1, 10: 2}, "a": (1, 2)})
    other = write_sealed(tmp_path / "other.json", {"a": [1, 2], "b": {"10": 2, "5": 1}})
    assert one == other
    assert read_sealed(tmp_path / "one.json") == {"a": [1, 2], "b": {"10": 2, "5": 1}}


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    entry = written(store)
    (tmp_path / store.path("everything", "table", "", "parquet")).unlink()
    assert not store.is_whole(entry)
    with pytest.raises(IntegrityError) as error:
        store.read("everything", Everything, entry)
    assert error.value.code == "integrity/missing"


def test_what_only_an_earlier_result_had_is_removed_but_not_what_another_stage_has_by_now(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    entry = written(store)
    table, kept = list(entry.files)[:2]
    store.begin("other", [])
    store.finish("other", Entry("x", 0.0, None, {table: entry.files[table]}))
    store.begin("everything", ["data/stages/MES/never_written.json"])
    assert list(store.entries()) == ["other"]
    store.begin("everything", [kept])  # the one before was killed: what it may have left is remembered
    store.finish("everything", Entry("y", 0.0, None, {kept: entry.files[kept]}))
    assert [name for name in entry.files if (tmp_path / name).exists()] == [table, kept]


def test_temporary_files_of_a_killed_process_are_swept_away_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path, "MES")
    written(store)
    rests = [
        tmp_path / "data" / "splits" / "scaled" / "MES" / ".train_scaled.parquet.17.abcd.tmp",
        store.folder / "everything" / ".x.json.1.f.tmp",
    ]
    foreign = tmp_path / "data" / "splits" / "scaled" / "MGC" / ".train_scaled.parquet.17.abcd.tmp"
    for path in (*rests, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    with store.locked():
        assert not any(path.exists() for path in rests)
    assert foreign.exists()


def test_a_second_process_is_told_who_is_at_work(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom barsmith.errors import BusyError\nfrom barsmith.pipeline.store import Store\n"
        f"try:\n    with Store(Path({str(tmp_path)!r}), SYMBOL).locked(): print('free')\n"
        "except BusyError as busy: print(busy.exit_code, busy.code, busy.came)\n"
    )

    def other(symbol: str) -> str:
        done = subprocess.run([sys.executable, "-c", code.replace("SYMBOL", repr(symbol))], capture_output=True, text=True, check=True)
        return done.stdout

    with Store(tmp_path, "MES").locked():
        assert other("MES").startswith("4 lock/busy another process at work there (pid ")
        assert other("MGC") == "free\n"
        with pytest.raises(BusyError), Store(tmp_path, "MES").locked():
            pass
    assert other("MES") == "free\n"
