"""A stage is a function: its name is what it makes, its parameters are what it needs.

A parameter is one of four things, told by its name and type:

    sessions: SessionBars         the value of the stage of that name
    settings: LabelSettings       a section of the settings, told by its type; or, by a base class of it, that part of the section
    timeframes: tuple[str, ...]   a setting outside the sections
    instrument: Instrument        given to the run from outside, such as the raw file

Nothing else reaches a stage, so that the hash of these is the hash of its result.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from barsmith.config import Section, Settings


@dataclass(frozen=True)
class Given:
    """A value that comes from outside the graph; equal keys are equal values."""

    value: Any
    key: str


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline. unlisted: part of the graph, but no line in `status`."""

    name: str
    function: Callable[..., Any]
    parameters: Mapping[str, type] = field(repr=False)
    makes: type = field(repr=False)
    unlisted: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def stage(function: Callable[..., Any] | None = None, *, unlisted: bool = False) -> Any:
    """Make a function of values to values a stage of the pipeline."""

    def mark(function: Callable[..., Any]) -> Stage:
        hints = get_type_hints(function)
        parameters = {name: hints[name] for name in inspect.signature(function).parameters}
        return Stage(function.__name__, function, parameters, hints["return"], unlisted)

    return mark if function is None else mark(function)


@dataclass(frozen=True)
class Needs:
    """What one stage's parameters are: each parameter's name stands in one of the four."""

    inputs: tuple[str, ...]
    sections: Mapping[str, tuple[str, type[Section]]]  # parameter -> section of the settings, and the part of it that the stage sees
    values: tuple[str, ...]  # settings outside the sections
    given: tuple[str, ...]

    def settings(self, settings: Settings) -> dict[str, Any]:
        """The part of the settings that the stage sees, by parameter."""
        return {
            **{parameter: part_of(getattr(settings, name), kind) for parameter, (name, kind) in self.sections.items()},
            **{n: getattr(settings, n) for n in self.values},
        }


def part_of(section: Section, kind: type[Section]) -> Section:
    """The section, or where `kind` is a base class of its type, what that has of it: a stage that does not see a setting does not depend on it."""
    return section if type(section) is kind else kind.model_validate({name: getattr(section, name) for name in kind.model_fields})


def needs(stage: Stage, names: Iterable[str], given: Iterable[str]) -> Needs:
    """Tell a stage's parameters apart; a ValueError names one that nobody makes."""
    names, given = set(names), set(given)
    of_type = {info.annotation: name for name, info in Settings.model_fields.items() if inspect.isclass(info.annotation)}
    of_type |= {
        base: name for kind, name in of_type.items() for base in kind.__mro__[1:] if issubclass(base, Section) and base is not Section
    }
    inputs, sections, values, outside = [], {}, [], []
    for parameter, kind in stage.parameters.items():
        if inspect.isclass(kind) and issubclass(kind, Section):
            sections[parameter] = (of_type[kind], kind)
        elif parameter in names:
            inputs.append(parameter)
        elif parameter in given:
            outside.append(parameter)
        elif parameter in Settings.model_fields:
            values.append(parameter)
        else:
            raise ValueError(f"stage {stage.name} needs {parameter}, which no stage makes, no setting holds and nobody gives")
    return Needs(tuple(inputs), sections, tuple(values), tuple(outside))


def in_order(stages: Iterable[Stage]) -> list[Stage]:
    """The stages so that each stands after what it needs, otherwise in the order given; a ValueError names a circle."""
    waiting = {stage.name: stage for stage in stages}
    names, done, out = set(waiting), set[str](), list[Stage]()
    while waiting:
        ready = next((s for s in waiting.values() if all(p in done for p in s.parameters if p in names)), None)
        if ready is None:
            raise ValueError(f"stages that need each other: {', '.join(waiting)}")
        out.append(waiting.pop(ready.name))
        done.add(ready.name)
    return out
