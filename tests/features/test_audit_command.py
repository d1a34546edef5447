"""`barsmith features audit`: what it prints, how it ends, and that the shipped catalogue passes it."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from audited import small_history, training_of

from barsmith.bars.simulated_files import write_simulated
from barsmith.cli import main
from barsmith.cli.features_audit import sentences
from barsmith.cli.printing import Table
from barsmith.features.audit import own
from barsmith.features.audit.findings import AuditReport, Findings, Leak
from barsmith.features.audit.worker import Patience
from barsmith.features.registry import catalogue
from barsmith.pipeline.auditing import audit

MINE = """
import numpy as np
from barsmith.features import close, feature, lag

@feature
def honest():
    return close / lag(close, 1)

@feature(lookback=9)
def centred(bars):
    return np.convolve(bars.close, np.ones(9) / 9, mode="same") / bars.close
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    write_simulated(folder, "MES", days=4, seed=3, edge=0.1, paths=0, start=date(2025, 3, 5))  # over a clock change
    (folder / "mine.py").write_text(MINE)
    return folder


def test_a_leak_is_told_as_json_and_ends_with_3(workspace, capsys):
    code = main(["--json", "features", "audit", "--module", str(workspace / "mine.py"), "--symbol", "MES", "--workspace", str(workspace)])
    told = json.loads(capsys.readouterr().out)
    assert code == 3
    assert list(told)[:3] == ["features", "checked_bars", "leaks"]
    assert told["features"] == 2
    assert told["checked_bars"] == 4 * 276
    assert told["unchecked"] == []
    (leak,) = told["leaks"]
    assert list(leak) == ["feature", "kind", "first_bar", "difference"]
    assert (leak["feature"], leak["kind"], leak["first_bar"][:10]) == ("centred", "future", "2025-03-04")
    assert leak["difference"] > 1e-6
    assert told["settling"]["honest"] == {"measured": 1, "declared": 2, "starts": 8}  # and a bar that a start fell into


@pytest.mark.parametrize("name", ["none.py", "data", "mine.txt"])
def test_a_file_that_is_not_there_is_a_mistake_in_the_command(name, workspace, capsys):
    assert main(["--json", "features", "audit", "--module", str(workspace / name), "--workspace", str(workspace)]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "features/module"


def test_a_workspace_without_bars_is_one_too(tmp_path, workspace, capsys):
    assert main(["--json", "features", "audit", "--module", str(workspace / "mine.py"), "--workspace", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cli/symbol"


def test_a_reader_is_told_what_was_checked_found_and_what_to_do():
    leaks = (Leak("centred", "future", "2025-03-04T23:20:00Z", 0.5), Leak("slow_one", "slow", None, None, "9 ms a bar"))
    settling = {name: {"measured": n, "declared": 1, "starts": 8} for name, n in (("honest", 1), ("late", 3))}
    report = AuditReport(3, 1104, ("slow_one",), leaks, {"summed": 1e-14}, settling, "mine.py, on MES", ("3 features",), 12.0)
    says = [each for each in sentences(report) if isinstance(each, str)]
    assert says[0] == "2 leaks in 2 features: mine.py, on MES, 3 features at 1,104 base bars in 12 s"
    assert says[2] == "  within rounding, which is no leak: 1 features, summed most with 1e-14"
    assert [each.partition(":")[0] for each in says[-4:]] == [
        "future",
        "slow",
        "not checked to the end, or without a value in these bars, which is no pass",
        "2 leaks in 2 features",
    ]
    assert rows_told(report) == ["late"]
    assert rows_told(report, all_settling=True) == ["honest", "late"]
    clean = sentences(AuditReport(3, 1104, (), (), {}, {}, "mine.py, on MES", (), 12.0))
    assert (clean[0][:13], clean[-1]) == ("no leak found", "no leak found")


def rows_told(report: AuditReport, **more: bool) -> list[str]:
    return [
        row["feature"] for part in sentences(report, **more) if isinstance(part, Table) and "Settling" in part.title for row in part.rows
    ]


def test_what_was_not_checked_is_not_counted(workspace):
    file = workspace / "waits.py"
    file.write_text("import time\nfrom barsmith.features import feature\n@feature(lookback=3)\ndef waits(bars):\n    time.sleep(9)\n")
    report = audit(workspace, modules=[file], patience=Patience(load=4.0, bar=1.0, feature=1.0))
    assert (report.features, report.checked_bars, report.unchecked) == (1, 0, ("waits",))
    assert [leak.kind for leak in report.leaks] == ["hang"]


TOLD_APART = """
import os, sys
from barsmith.features import close, feature, lag, log

HERE = {
    "by_arguments": "--workspace" in sys.argv,
    "by_main": getattr(sys.modules["__main__"], "__file__", "").endswith("barsmith"),
    "by_folder": os.path.basename(os.getcwd()).startswith("bars-") is False,
}

@feature
def by_arguments():
    return log(close / lag(close, 2 if HERE["by_arguments"] else 1))

@feature
def by_main():
    return log(close / lag(close, 2 if HERE["by_main"] else 1))

@feature
def by_folder():
    return log(close / lag(close, 2 if HERE["by_folder"] else 1))

@feature
def honest():
    return log(close / lag(close, 1))
"""


def test_who_finds_out_that_it_is_audited_gives_another_value_in_a_run(workspace, capsys):
    file = workspace / "told_apart.py"
    file.write_text(TOLD_APART)
    assert main(["--json", "features", "audit", "--module", str(file), "--workspace", str(workspace)]) == 3
    told = json.loads(capsys.readouterr().out)["leaks"]
    assert {(leak["feature"], leak["kind"]) for leak in told} == {(name, "run") for name in ("by_arguments", "by_main", "by_folder")}


def test_the_shipped_catalogue_passes_on_a_small_market(monkeypatch):
    monkeypatch.setattr(own, "VALUES", 10_000_000)
    monkeypatch.setattr(own, "FED", 30)
    history, findings = small_history(22), Findings()
    known = {name: one.expr for name, one in catalogue().items()}
    assert own.audit_own(known, history, training_of(history), findings, lambda what, share: None) == len(known)
    assert findings.leaks == {}
    assert set(findings.settling) == set(known)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["MES", "MGC"])
def test_the_shipped_catalogue_passes_on_real_bars(symbol, real_data, tmp_path, capsys):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    shutil.copy(real_data / f"{symbol}_1m.parquet", tmp_path / "data" / "raw")
    assert main(["--json", "features", "audit", "--symbol", symbol, "--workspace", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leaks"] == []
    assert told["features"] > 220
    assert all(bars["measured"] <= bars["declared"] for bars in told["settling"].values() if bars["measured"] is not None)
