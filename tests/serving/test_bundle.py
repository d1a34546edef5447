"""Bundles: made from a training, whole or not there, the same signals from every door, and not one byte that is not checked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forging import forge, record_in

import barsmith
from barsmith.artifacts import read_parquet
from barsmith.bars.reading import read_bars
from barsmith.errors import BarsmithError, IntegrityError, UsageError
from barsmith.pipeline.api import run, train
from barsmith.serving.bundle import Bundle
from barsmith.serving.bundle_making import create_bundle, list_bundles
from barsmith.serving.bundle_record import FILE, digest_of, read_record
from small_market import SmallMarket, later_bars

FILES = {FILE, "history.parquet", "scaler.json", "model/booster.json", "model/model.json"}
PROBABILITIES = ("prob_short", "prob_neutral", "prob_long")


def refusal(call: Callable[[], object]) -> BarsmithError:
    with pytest.raises(BarsmithError) as refused:
        call()
    return refused.value


@pytest.fixture
def _no_hang() -> Iterator[None]:
    """What waits for a pipe is interrupted, and fails."""
    handler = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waited"))
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)


# made


def test_a_bundle_is_everything_between_a_bar_and_a_signal(market: SmallMarket, bundle: Bundle) -> None:
    assert {str(path.relative_to(market.bundle)) for path in market.bundle.rglob("*") if path.is_file()} == FILES
    record = record_in(market.bundle)
    assert record["digest"] == digest_of(record)
    assert (record["symbol"], record["horizon"], record["model"], record["classes"]) == ("MES", 20, "xgboost", [-1, 0, 1])
    assert [entry["name"] for entry in record["features"]] == list(market.training.container.feature_names) == list(bundle.plan.names)
    assert (market.bundle / "history.parquet").read_bytes() == (market.workspace / "data/processed/MES/1m.parquet").read_bytes()
    assert bundle.notes == ()


def test_its_signals_are_those_of_the_training(market: SmallMarket, bundle: Bundle) -> None:
    """From the raw file through bars, features, scaler and model: the probabilities of validation, to the last bit."""
    signals = bundle.predict(read_bars(market.raw, symbol="MES"))
    judged, _ = read_parquet(market.training.run_dir / "predictions/val_predictions.parquet")
    mine = signals.join(judged.select("datetime"), on="datetime", how="semi")
    assert len(mine) == len(judged) == 337
    assert mine.select(PROBABILITIES).to_numpy().tobytes() == judged.select(PROBABILITIES).to_numpy().tobytes()
    assert mine["signal"].to_list() == judged["signal"].to_list()


def test_there_is_a_row_for_every_finished_base_bar_and_nothing_while_warming_up(market: SmallMarket, bundle: Bundle) -> None:
    signals = bundle.predict(read_bars(market.raw, symbol="MES"))
    base = pl.read_parquet(market.workspace / "data/processed/MES/5m.parquet")
    assert signals["datetime"].equals(base["datetime"])
    assert signals.columns == ["datetime", "symbol", "signal", "confidence", *PROBABILITIES]
    known = signals.drop_nulls()
    table = pl.read_parquet(market.workspace / "data/features/MES/features.parquet").filter("is_settled")
    assert known["datetime"].to_list()[-len(table) :] == table["datetime"].to_list()
    warming = signals.filter(pl.col("signal").is_null())
    assert warming.select("confidence", *PROBABILITIES).null_count().row(0) == (len(signals) - len(known),) * 4
    assert known.select(pl.sum_horizontal(PROBABILITIES)).to_series().is_between(1 - 1e-6, 1 + 1e-6).all()
    assert known["confidence"].equals(known.select(pl.max_horizontal(PROBABILITIES)).to_series().rename("confidence"))


def test_the_history_before_a_file_is_put_before_it(market: SmallMarket, bundle: Bundle) -> None:
    """A file that begins where the history ends, in its middle, or not at all later: the same signals for the same bars."""
    bars = later_bars()
    known = len(read_bars(market.raw, symbol="MES"))
    whole = bundle.predict(bars)
    for first in (known, known - 3000):
        part = bundle.predict(bars[first:])
        assert part.equals(whole.tail(len(part)))
        assert part["signal"].null_count() == 0


def test_the_same_minutes_live_are_the_same_signals(market: SmallMarket, bundle: Bundle) -> None:
    bars = later_bars()[len(read_bars(market.raw, symbol="MES")) :][:1500]
    session, answers = bundle.live(), []
    for row in bars.iter_rows(named=True):
        answers += [signal.as_dict() for signal in session.update(row)]
    batch = bundle.predict(bars).with_columns(pl.col("datetime").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert len(answers) > 290
    assert answers == batch.to_dicts()


def test_the_public_names_lead_there(market: SmallMarket) -> None:
    bars = barsmith.read_bars(market.raw)
    assert barsmith.Bundle.load(market.bundle).predict(bars).equals(Bundle.load(str(market.bundle)).predict(bars))


def test_making_it_again_replaces_it_as_a_whole(copied: Path, market: SmallMarket) -> None:
    before = record_in(copied / "bundles/small")
    (copied / "bundles/small/scaler.json").write_text("{}")
    other = train(copied, model="logistic", horizon=5)
    create_bundle(other.run_dir, "small", copied)
    after = record_in(copied / "bundles/small")
    assert (before["model"], after["model"], after["horizon"]) == ("xgboost", "logistic", 5)
    assert [path.name for path in (copied / "bundles").iterdir()] == ["small"]
    Bundle.load(copied / "bundles/small")


def test_a_bundle_that_cannot_be_made_leaves_the_earlier_one(copied: Path, market: SmallMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in (copied / "bundles").rglob("*") if path.is_file()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run_dir = copied / "experiments/runs" / market.training.run_dir.name
    assert refusal(lambda: create_bundle(run_dir, "small", copied)).code == "io/no-space"
    assert {path: path.read_bytes() for path in (copied / "bundles").rglob("*") if path.is_file()} == before


def test_what_is_no_training_run_makes_no_bundle(copied: Path, market: SmallMarket) -> None:
    run_dir = copied / "experiments/runs" / market.training.run_dir.name
    (copied / "bundles/notes").mkdir()
    cases: dict[str, tuple[Path, str]] = {
        "bundle/run": (copied / "data", "a"),
        "config/name": (run_dir, "../a"),
        "cli/exists": (run_dir, "notes"),
    }
    for code, (folder, name) in cases.items():
        error = refusal(lambda folder=folder, name=name: create_bundle(folder, name, copied))  # type: ignore[misc]
        assert (error.code, error.exit_code) == (code, 2)
    for file in ("manifest.json", "checkpoints/best_model/booster.json", "config/features.json"):
        whole = (run_dir / file).read_bytes()
        (run_dir / file).write_bytes(whole.replace(b"5", b"6", 1))
        assert refusal(lambda: create_bundle(run_dir, "a", copied)).exit_code == 6
        (run_dir / file).write_bytes(whole)
    assert sorted(path.name for path in (copied / "bundles").iterdir()) == ["notes", "small"]


def test_minutes_that_were_built_anew_since_the_training_are_not_its_history(copied: Path, market: SmallMarket) -> None:
    path = copied / "data/raw/MES_1m.parquet"
    pl.read_parquet(path)[:-5].write_parquet(path)
    run(copied, symbol="MES")
    error = refusal(lambda: create_bundle(copied / "experiments/runs" / market.training.run_dir.name, "late", copied))
    assert (error.code, error.exit_code) == ("bundle/history-changed", 6)
    assert not (copied / "bundles/late").exists()


def test_the_list_says_what_is_wrong_with_a_bundle(copied: Path) -> None:
    shutil.copytree(copied / "bundles/small", copied / "bundles/torn")
    (copied / "bundles/torn/scaler.json").unlink()
    (copied / "bundles/empty").mkdir()
    assert [(row["name"], row["model"], row["state"]) for row in list_bundles(copied)] == [
        ("empty", None, "bundle/not-found"),
        ("small", "xgboost", "ok"),
        ("torn", None, "bundle/missing-file"),
    ]


# tampered with


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_flipped_bit_at_many_places_of_any_file_is_found(file: str, folder: Path) -> None:
    path = folder / file
    whole = path.read_bytes()
    places = sorted({*range(16), *range(len(whole) - 16, len(whole)), *range(0, len(whole), max(1, len(whole) // 150))})
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        error = refusal(lambda: read_record(folder))
        assert error.exit_code == 6, (at, error)
        assert file == FILE or error.code == "integrity/mismatch"
    path.write_bytes(whole)
    Bundle.load(folder)


@pytest.mark.parametrize("file", sorted(FILES - {FILE}))
def test_a_file_of_another_length_is_found_by_its_size(file: str, folder: Path) -> None:
    path = folder / file
    whole = path.read_bytes()
    for data in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1], whole + b"\n", whole * 2):
        path.write_bytes(data)
        error = refusal(lambda: Bundle.load(folder))
        assert (error.code, error.came) == ("integrity/mismatch", f"{len(data)} bytes")
    path.unlink()
    assert refusal(lambda: Bundle.load(folder)).code == "bundle/missing-file"


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b"{}", b'{"schema_version": 1}'])
def test_a_record_that_is_none_is_told_as_such(data: bytes, folder: Path) -> None:
    (folder / FILE).write_bytes(data)
    error = refusal(lambda: Bundle.load(folder))
    assert (error.code.split("/")[0], error.exit_code) == ("bundle", 6)


def test_two_files_in_each_others_place_are_found(folder: Path) -> None:
    one, two = folder / "model/model.json", folder / "scaler.json"
    pair = one.read_bytes(), two.read_bytes()
    one.write_bytes(pair[1])
    two.write_bytes(pair[0])
    assert refusal(lambda: Bundle.load(folder)).code == "integrity/mismatch"


@pytest.mark.usefixtures("_no_hang")
@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (lambda folder: (folder / "extra.txt").write_text("x"), "bundle/unlisted-file"),
        (lambda folder: (folder / "model" / "extra.py").write_text("x"), "bundle/unlisted-file"),
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "bundle/special-file"),
        (lambda folder: (folder / "link").symlink_to("/etc"), "bundle/special-file"),
        (lambda folder: (folder / "link").symlink_to(folder), "bundle/special-file"),
        (lambda folder: replaced_by_link(folder / "scaler.json"), "bundle/special-file"),
        (lambda folder: replaced_by_link(folder / FILE), "bundle/special-file"),
        (lambda folder: replaced_by_link(folder / "model"), "bundle/special-file"),
        (lambda folder: os.link(folder / "scaler.json", folder.parent / "outside"), "bundle/hardlink"),
        (lambda folder: os.link(folder / FILE, folder.parent / "outside"), "bundle/hardlink"),
        (lambda folder: os.mkfifo(folder / "pipe"), "bundle/special-file"),
        (lambda folder: ((folder / "scaler.json").unlink(), os.mkfifo(folder / "scaler.json")), "bundle/special-file"),
        (lambda folder: ((folder / FILE).unlink(), os.mkfifo(folder / FILE)), "bundle/special-file"),
        (lambda folder: listening(folder / "s"), "bundle/special-file"),
        (lambda folder: shutil.rmtree(folder / "model"), "bundle/missing-file"),
        (lambda folder: (folder / FILE).unlink(), "bundle/not-found"),
    ],
)
def test_what_does_not_belong_into_a_bundle_is_refused(plant: Callable[[Path], object], code: str, folder: Path) -> None:
    plant(folder)
    error = refusal(lambda: Bundle.load(folder))
    assert (error.code, type(error)) == (code, IntegrityError)


def replaced_by_link(path: Path) -> None:
    moved = path.rename(path.parent.parent / "moved")
    path.symlink_to(moved)


def listening(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    "place", ["nowhere", "file", "runs:/abc", "models:/x/1", "s3://bucket/x", "https://example.com/x", "\0", "a" * 300]
)
def test_a_place_without_a_folder_is_a_wrong_command(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    error = refusal(lambda: Bundle.load(place if ":" in place else tmp_path / place))
    assert (error.code, error.exit_code, isinstance(error, UsageError)) == ("bundle/not-found", 2, True)


# made for another place


def test_a_bundle_from_the_future_or_another_machine_says_so(folder: Path) -> None:
    forge(
        folder,
        lambda record: record.update(created="2199-01-01T00:00:00Z", maths="0" * 16, versions={**record["versions"], "numpy": "0.1"}),
    )
    bundle = Bundle.load(folder)
    assert [note.split(":")[0] for note in bundle.notes] == ["bundle/clock", "bundle/maths", "bundle/versions"]


def test_names_with_control_characters_are_data(folder: Path) -> None:
    forge(folder, lambda record: record.update(name="a\x1b[31m\n", trained={"run": "\x00\u202e"}))
    assert repr(Bundle.load(folder)).isprintable()


def test_the_users_own_feature_is_looked_for_in_the_workspace_and_never_run_from_the_bundle(copied: Path, tmp_path: Path) -> None:
    code = "from barsmith.features import feature, high, lag, log, low\n\n@feature\ndef my_return():\n    '''Mine. Unit: log return.'''\n    return log(high / lag(low, 3))\n"
    (copied / "mine.py").write_text(code)
    run(copied, symbol="MES", overrides=["features.modules=[mine.py]", "validation.max_correlation=1.0"])
    told = train(copied, model="logistic")
    made = create_bundle(told.run_dir, "own", copied)
    assert "my_return" in made.plan.names
    assert [entry["path"] for entry in record_in(made.folder)["feature_code"]] == ["mine.py"]
    assert refusal(lambda: Bundle.load(made.folder, workspace=tmp_path)).code == "bundle/code"
    Bundle.load(made.folder, workspace=tmp_path, modules=[copied / "mine.py"])
    (copied / "mine.py").write_text(code.replace("3))", "4))"))
    assert refusal(lambda: Bundle.load(made.folder, workspace=copied)).code == "bundle/code"
    ran = tmp_path / "ran"
    (made.folder / "mine.py").write_text(f"open({str(ran)!r}, 'w')")
    forge(made.folder)
    assert refusal(lambda: Bundle.load(made.folder, workspace=made.folder)).exit_code == 6
    assert not ran.exists()


def test_the_digest_is_bound_to_every_field(market: SmallMarket) -> None:
    record = record_in(market.bundle)
    for key in record.keys() - {"digest"}:
        assert digest_of({**record, key: None}) != record["digest"], key
    assert digest_of(json.loads(json.dumps(dict(reversed(record.items()))))) == record["digest"]
    assert np.isfinite(float.fromhex("0x" + record["maths"][:4]))
