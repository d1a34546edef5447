"""Which of a user's features opened a file: what is read from elsewhere may know the future, and no comparison of bars can show it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from barsmith.features.audit.findings import Leak
from barsmith.features.audit.watching import Folders
from barsmith.features.audit.worker import AnswerError

if TYPE_CHECKING:
    from barsmith.features.audit.modules import Module


def accuse_openers(module: Module, folders: Folders) -> None:
    """While the file is run every feature of it is accused; later the one that opens something when it is asked alone.

    What only the kernel saw counts where it is seen again: another program may have opened it.
    """
    for each in module.opens:
        for name in module.all_names or [module.file.name]:
            module.findings.add(Leak(name, "outside", None, None, f"while {module.file.name} is run it opens {each}"))
    late = {*module.opened, *folders.opened()}.difference(module.opens)
    refused = [name for name in module.all_names if name in module.findings.accused("outside") and name not in module.names]
    alone = {name: opened_alone(module, folders, name) for name in (*module.names, *refused)} if late else {}
    for name, file in alone.items():
        if file is not None:
            accuse(module, name, file)
    if not any(alone.values()) and (seen := sorted(set(module.opened).difference(module.opens))):
        accuse(module, module.file.name, seen[0])


def accuse(module: Module, name: str, file: str) -> None:
    known = module.findings.leaks.pop((name, "outside"), Leak(name, "outside"))
    module.findings.add(dataclasses.replace(known, told=f"it opens {file}"))  # says more than that it was refused a file


def opened_alone(module: Module, folders: Folders, name: str) -> str | None:
    """The first file that a process opens which is asked for this feature alone."""
    with contextlib.suppress(AnswerError), module.worker() as worker:
        folders.opened()
        worker.use([name], module.learned)
        worker.read(module.history.raw)
        return min({*worker.opened(), *folders.opened()}.difference(module.opens), default=None)
    return None
