"""`barsmith train --model all` and `--model a,b`: each model in a process of its own, one after the other; a failure stops no other."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from barsmith.cli.printing import Report, say
from barsmith.cli.signals import Stopped
from barsmith.cli.train_table import table_of
from barsmith.errors import BarsmithError, UsageError, did_you_mean

ALL = "all"
SOME_FAILED = 1
LAST_WORDS = 300.0  # seconds that a model which is told to stop may take to write down what it has
LAUNCH = (sys.executable, "-P", "-c", "from barsmith.cli.train_all import alone; alone()")


@dataclass(frozen=True)
class Asked:
    """What is the same for all models of one command. options: words for each model's own command line."""

    workspace: Path
    symbol: str
    horizon: int
    options: tuple[str, ...]
    overrides: tuple[str, ...]


def train_all(names: Sequence[str], asked: Asked, *, everything: bool) -> Report:
    """Train the models by name. everything: they stand for all there are, so that one whose library is missing is no failure.

    Raises UsageError before anything is trained where a setting is known to none of the models.
    """
    own = {name: overrides_for(name, asked.overrides) for name in names}
    check_all_used(names, own, asked.overrides)
    records: list[dict[str, Any]] = []
    stopped: Stopped | None = None
    for number, name in enumerate(names, 1):
        say(f"[{number}/{len(names)}] {name}")
        record, stopped = trained(name, asked, own[name], everything=everything)
        if record is not None:
            records.append(record)
            say(outcome(record))
        if stopped is not None:
            break
    found = {status: [each["model"] for each in records if each["status"] == status] for status in ("trained", "failed", "not-installed")}
    left = [name for name in names if name not in {each["model"] for each in records}]
    head = {"symbol": asked.symbol, "horizon": asked.horizon, "models": records}
    data = head | {status.replace("-", "_"): those for status, those in found.items()} | {"not_begun": left}
    if stopped is None:
        return Report(data, table_of(data), SOME_FAILED if found["failed"] else 0)
    says = (
        f"stopped by {stopped}; not trained: {', '.join(left) or 'none'}. What was finished is kept and trained anew if it is named again"
    )
    return Report(data, [*table_of(data), says], stopped.exit_code)


def trained(name: str, asked: Asked, overrides: Sequence[str], *, everything: bool) -> tuple[dict[str, Any] | None, Stopped | None]:
    """One model: its name, status, seconds, and what `barsmith --json train` said of it, or its error; and the signal that ended it.

    Without a record where a signal came before there was anything to keep.
    """
    from barsmith.models import ModelRegistry

    info = ModelRegistry.info(name)
    words = ["--json", "train", "--model", name, "--symbol", asked.symbol, "--horizon", str(asked.horizon), *asked.options]
    words += ["--workspace", str(asked.workspace.absolute()), *(word for text in overrides for word in ("--set", text))]
    began = time.monotonic()
    answer, code, stopped = answer_of(words)
    if stopped is not None and (not answer or "error" in answer):
        return None, stopped
    error = answer.get("error") or (None if code == 0 or stopped is not None else died(code).as_dict())
    is_missing = everything and error is not None and error["code"].startswith("models/missing-")
    record = {
        "model": name,
        "family": info.family,
        "status": "trained" if error is None else "not-installed" if is_missing else "failed",
        "seconds": round(time.monotonic() - began, 3),
        "overrides": list(overrides),
        "result": answer if error is None else None,
        "error": error,
    }
    return record, stopped


def answer_of(words: Sequence[str]) -> tuple[dict[str, Any], int, Stopped | None]:
    """The JSON object and the exit code of one command; a signal to this process reaches that one, which may finish what it writes."""
    child = subprocess.Popen([*LAUNCH, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
    stopped = None
    try:
        said = said_by(child)
    except Stopped as signalled:
        stopped, said = signalled, last_words(child, signalled.number)
    except BaseException:
        last_words(child, signal.SIGINT)
        raise
    with contextlib.suppress(ValueError):
        answer = json.loads(said)
        if isinstance(answer, dict):
            return answer, child.returncode, stopped
    return {}, child.returncode or 1, stopped


def said_by(child: subprocess.Popen[bytes]) -> bytes:
    """All that it prints. It is waited for in short stretches: a signal that a native thread takes would not wake one long wait."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.communicate(timeout=0.2)[0]


def last_words(child: subprocess.Popen[bytes], number: int) -> bytes:
    """What it prints when it is told to stop; it is killed where it does not."""
    child.send_signal(number)
    said = b""
    with contextlib.suppress(subprocess.TimeoutExpired):
        said = child.communicate(timeout=LAST_WORDS)[0]
    child.kill()
    child.wait()
    return said


def alone() -> NoReturn:
    """The process of one model: it ends with the one that started it."""
    from barsmith.cli import leave, main
    from barsmith.parallel import end_with_parent

    end_with_parent()
    leave(main(sys.argv[1:]))


def died(code: int) -> BarsmithError:
    came = signal.Signals(-code).name if code < 0 else f"exit code {code} without a word"
    do = "look for memory that ran out (SIGKILL), or train this model alone to see more"
    return BarsmithError("models/died", expected="its process to end by itself", came=came, do=do)


def names_asked(model: str) -> list[str] | None:
    """The models that `--model` names: all that can be trained alone, or several; None where it names one."""
    from barsmith.models import ModelRegistry

    known = ModelRegistry.list_all()
    if model == ALL:
        return [name for name in known if is_trained_alone(name)]
    if "," not in model:
        return None
    names = model.split(",")
    for name in names:
        if name not in known:
            do = did_you_mean(name, known)
            raise UsageError(
                "config/unknown-name", expected="names of models between commas", came=ascii(name)[:80], do=do, where="--model"
            )
    if len(set(names)) < len(names):
        raise UsageError("cli/usage", expected="each model once", came=ascii(model)[:80], do="take the second one out", where="--model")
    return names


def is_trained_alone(name: str) -> bool:
    """Not one that is made of other models' predictions, nor one whose weights the user must bring. A package's model that cannot be loaded counts: it fails when its turn comes."""
    from barsmith.models import ModelRegistry

    try:
        info = ModelRegistry.info(name)
        info = info if info.family else ModelRegistry.get(name).info  # another package's, not loaded yet
        return info.reads != "predictions" and info.family != "foundation"
    except BarsmithError:
        return True


def overrides_for(name: str, overrides: Sequence[str]) -> list[str]:
    """Of the settings that several models are given those that this one has. A GPU is wished for only where the model can use one."""
    from barsmith.models import ModelRegistry

    try:
        params = ModelRegistry.get(name).Params
    except BarsmithError:  # told when its turn comes
        return list(overrides)
    takes_any = params.model_config.get("extra") == "allow"
    kept = []
    for text in overrides:
        section, _, rest = text.partition("=")[0].partition(".")
        value = text.partition("=")[2].strip()
        is_own = {
            "training": takes_any or rest.strip() in params.names(),
            "model_params": takes_any or rest.strip() in params.names(),
            "device": not ((rest == "use_gpu" and value == "true" and not params.gpu) or (value == "true" and is_half(rest, params))),
            "early_stopping": params.rounds,
        }.get(section.strip(), True)
        kept += [text] if is_own else []
    return kept


def is_half(key: str, params: Any) -> bool:
    return key == "mixed_precision" and not params.half_precision


def check_all_used(names: Sequence[str], own: dict[str, list[str]], overrides: Sequence[str]) -> None:
    """Refuse a setting that no model has, as one that a single model has not."""
    from barsmith.models import ModelRegistry

    for text in overrides:
        if any(text in kept for kept in own.values()):
            continue
        key = text.partition("=")[0].strip()
        known = {
            f"training.{each}" for name in names if ModelRegistry.info(name).is_installed for each in ModelRegistry.get(name).Params.names()
        }
        do = did_you_mean(key, known)
        raise UsageError("config/unknown-param", expected="a parameter of one of these models", came=ascii(key)[:80], do=do, where="--set")


def outcome(record: dict[str, Any]) -> str:
    """One line on a model that has ended."""
    if record["error"] is not None:
        error = record["error"]
        return f"{record['model']}: {record['status']}: expected {error['expected']}, came {error['came']} [{error['code']}]"
    return f"{record['model']}: trained in {record['seconds']:.1f} s, run in {record['result']['run_dir']}"
