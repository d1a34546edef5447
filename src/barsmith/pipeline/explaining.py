"""Why a stage is made again: what it was made of, held against what it would be made of now.

The runner and `--dry-run` ask the same question here, so that what is said and what is done cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barsmith.config import shown
from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.pipeline.runner import Step
    from barsmith.pipeline.store import Entry, Store

MOST_FILES = 5


@dataclass(frozen=True)
class Decision:
    """What happens to a stage. why: the reasons for which it is made again, none where it is cached. unlisted: no line in `status`."""

    name: str
    why: tuple[str, ...]
    unlisted: bool = False

    @property
    def action(self) -> str:
        return "run" if self.why else "cached"

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "action": self.action, "why": list(self.why)}


def decisions(steps: Sequence[Step], store: Store, *, redo_from: str | None = None, only: str | None = None) -> list[Decision]:
    """Every stage that is looked at, in order. Nothing is written and nothing is locked.

    redo_from: this stage and later ones are made in any case. only: this stage is made in any case, and of the others what it needs is looked at.
    """
    entries = store.entries()
    chosen = steps if only is None else [*needed(steps, only), next(step for step in steps if step.stage.name == only)]
    names = [step.stage.name for step in steps]
    forced = {only: f"asked for: --only {only}"} if only is not None else {}
    if redo_from is not None:
        forced = dict.fromkeys(names[names.index(redo_from) :], f"asked for: --from {redo_from}")
    found = []
    for step in chosen:
        name = step.stage.name
        why = [forced[name]] if name in forced else reasons(step, entries.get(name), store)
        found.append(Decision(name, tuple(why), step.stage.unlisted))
    return found


def needed(steps: Sequence[Step], only: str) -> list[Step]:
    """The stages that one stage needs, however far away, in order."""
    by_name = {step.stage.name: step for step in steps}
    wanted: set[str] = set()
    waiting = set(by_name[only].inputs)
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting |= set(by_name[name].inputs) - wanted
    return [step for step in steps if step.stage.name in wanted]


def refuse_stale(found: Sequence[Decision], only: str) -> None:
    """UsageError `run/stale` where a stage that `only` needs would have to be made again."""
    stale = [one for one in found if one.why and one.name != only]
    if stale:
        raise UsageError(
            "run/stale",
            expected=f"every stage that {only} needs up to date",
            came="; ".join(f"{one.name} ({one.why[0]})" for one in stale)[:300],
            do=f"leave --only out, or make {stale[0].name} first",
            where="--only",
        )


def reasons(step: Step, entry: Entry | None, store: Store) -> list[str]:
    """Why this stage must be made, nothing where what is there can be taken."""
    if entry is None:
        return ["it was never finished here"]
    if entry.key == step.key:
        return [f"{path} was changed after it was written" for path in store.changed_files(entry)][:MOST_FILES]
    before = store.made_of(step.stage.name, entry)
    if before is None:
        return ["it was made of something else; the record of what it was made of is missing or changed"]
    return list(differences(before, step.made_of)) or ["it is made by another recipe"]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each thing that differs: settings, what comes from outside, versions, code, inputs."""
    yield from changed(before["settings"], now["settings"])
    for name in sorted({*before["given"], *now["given"]}):
        yield from given_difference(name, before["given"].get(name), now["given"].get(name))
    yield from changed(before["versions"], now["versions"])
    files = changed_files(before["code"], now["code"])
    if files:
        more = f" and {len(files) - MOST_FILES} more files" if len(files) > MOST_FILES else ""
        yield f"code: {', '.join(files[:MOST_FILES])}{more}"
    for name in sorted({*before["inputs"], *now["inputs"]}):
        if before["inputs"].get(name) != now["inputs"].get(name):
            yield f"its input {name} is another"


def changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Modules whose source differs, is new or is gone."""
    return [
        f"{name} {'changed' if name in before and name in now else 'is new' if name in now else 'is gone'}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def given_difference(name: str, before: str | None, now: str | None) -> Iterator[str]:
    """What came from outside: a file by its hash, a record by its parts, anything else by its text."""
    if before == now:
        return
    old, new = _record(before), _record(now)
    if old is not None and new is not None:
        yield from (f"{name}.{line}" for line in changed(old, new))
    else:
        yield f"{name} {_short(before)} -> {_short(now)}"


def _record(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _short(text: str | None) -> str:
    """A hash is known by its first digits."""
    if text is None:
        return "none"
    return f"SHA-256 {text[:12]}..." if len(text) == 64 and " " not in text else shown(text)


def leaves(values: Mapping[str, Any], at: Sequence[str] = ()) -> dict[str, Any]:
    """Dotted key -> value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= leaves(value, [*at, key]) if isinstance(value, dict) and value else {".".join([*at, key]): value}
    return found


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """`labels.k_up 1.5 -> 2.0` for each leaf that differs."""
    old, new = leaves(before), leaves(after)
    return [f"{key} {shown(old.get(key))} -> {shown(new.get(key))}" for key in sorted(old | new) if old.get(key) != new.get(key)]
