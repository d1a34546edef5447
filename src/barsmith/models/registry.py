"""Names for models: the shipped table, the `register` decorator, and look-up with "did you mean"; listing imports no model."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, wraps
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from barsmith.errors import BarsmithError, UsageError, did_you_mean
from barsmith.models.base import BaseModel
from barsmith.models.libraries import missing, missing_library
from barsmith.models.params import ModelParams, dotted

ENTRY_POINTS = "barsmith.models"
#: What a family reads where `register` does not say: 2D rows, 3D windows, 4D windows of several timeframes, or other models' predictions.
FAMILIES = {
    "boosting": "tabular",
    "classical": "tabular",
    "neural": "sequence",
    "foundation": "sequence",
    "ensemble": "predictions",
    "meta": "predictions",
    "adaptive": "predictions",
}
READS = ("tabular", "sequence", "multires", "predictions")
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ModelInfo:
    """A model's entry in the register. `family` and `reads` are empty for another package's model that nobody has loaded yet.

    module: where its class stands. needs: the modules that must be importable to train it. origin: `barsmith`, a package's name
    or a file. summary: the first line of the class's docstring.
    """

    name: str
    family: str
    reads: str
    module: str
    needs: tuple[str, ...] = ()
    needs_scaling: bool = True
    deterministic_on_cpu: bool = True
    origin: str = "barsmith"
    summary: str = ""

    @property
    def is_installed(self) -> bool:
        return not missing(self.needs)


#: The models that ship with barsmith: name -> (module, what it needs). What the class registers stands in the file itself.
SHIPPED: dict[str, tuple[str, tuple[str, ...]]] = {
    "xgboost": ("barsmith.models.boosting.xgboost", ("xgboost",)),
    "lightgbm": ("barsmith.models.boosting.lightgbm", ("lightgbm",)),
    "catboost": ("barsmith.models.boosting.catboost", ("catboost",)),
    "logistic": ("barsmith.models.classical.logistic", ("sklearn",)),
    "random_forest": ("barsmith.models.classical.random_forest", ("sklearn",)),
    "ridge": ("barsmith.models.classical.ridge", ("sklearn",)),
    "svm": ("barsmith.models.classical.svm", ("sklearn",)),
    "lstm": ("barsmith.models.neural.lstm", ("torch", "safetensors")),
    "gru": ("barsmith.models.neural.gru", ("torch", "safetensors")),
    "tcn": ("barsmith.models.neural.tcn", ("torch", "safetensors")),
    "transformer": ("barsmith.models.neural.transformer", ("torch", "safetensors")),
    "inceptiontime": ("barsmith.models.neural.inceptiontime", ("torch", "safetensors")),
    "resnet1d": ("barsmith.models.neural.resnet1d", ("torch", "safetensors")),
    "nbeats": ("barsmith.models.neural.nbeats", ("torch", "safetensors")),
    "nhits": ("barsmith.models.neural.nhits", ("torch", "safetensors")),
    "patchtst": ("barsmith.models.neural.patchtst", ("torch", "safetensors")),
    "itransformer": ("barsmith.models.neural.itransformer", ("torch", "safetensors")),
    "tft": ("barsmith.models.neural.tft", ("torch", "safetensors")),
    "timesfm": ("barsmith.models.foundation.timesfm", ("timesfm", "torch")),
}
registered: dict[str, type[BaseModel]] = {}


def register(
    *, name: str, family: str, reads: str | None = None, needs_scaling: bool | None = None, deterministic_on_cpu: bool = True
) -> Callable[[type[Model]], type[Model]]:
    """Enter a model class under a name.

    family: boosting, classical, neural, foundation, ensemble, meta or adaptive. reads: tabular, sequence, multires or predictions,
    by default what the family reads. needs_scaling: by default all but boosting.
    Raises UsageError `config/name`, `config/unknown-name`, `config/duplicate-name` or `models/class`.
    """

    def enter(cls: type[Model]) -> type[Model]:
        info = info_of(name, family, reads, needs_scaling, deterministic_on_cpu)
        check_class(cls, info)
        known = registered.get(name)
        here = (cls.__module__, cls.__qualname__)
        if known is not None and (known.__module__, known.__qualname__) != here:
            raise duplicate(name, known.__module__, cls.__module__)
        if name in SHIPPED and cls.__module__ != SHIPPED[name][0]:
            raise duplicate(name, SHIPPED[name][0], cls.__module__)
        if name in plugins() and package_of(cls.__module__) != package_of(plugins()[name].value):
            raise duplicate(name, plugins()[name].value, cls.__module__)
        needs = SHIPPED[name][1] if name in SHIPPED else ()
        cls.info = replace(info, module=cls.__module__, needs=needs, origin=origin_of(cls), summary=first_line(cls.__doc__))
        take_params(cls)
        registered[name] = cls
        return cls

    return enter


def info_of(
    name: str, family: str, reads: str | None = None, needs_scaling: bool | None = None, deterministic_on_cpu: bool = True
) -> ModelInfo:
    """What a decorator says, checked."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(
            "config/name",
            expected="a model name of lower-case letters, digits and _, at most 41",
            came=repr(name)[:60],
            do="rename the model",
        )
    if family not in FAMILIES:
        raise UsageError(
            "config/unknown-name",
            expected="a model family",
            came=repr(family),
            do=did_you_mean(str(family), FAMILIES),
            where=f"model {name}",
        )
    reads = FAMILIES[family] if reads is None else reads
    if reads not in READS:
        raise UsageError(
            "config/unknown-name",
            expected="what a model can read",
            came=repr(reads),
            do=did_you_mean(str(reads), READS),
            where=f"model {name}",
        )
    scaling = family != "boosting" if needs_scaling is None else needs_scaling
    return ModelInfo(name, family, reads, "", needs_scaling=scaling, deterministic_on_cpu=deterministic_on_cpu)


def check_class(cls: object, info: ModelInfo) -> None:
    """Refuse what cannot be a model: raises UsageError `models/class`."""
    params: object = getattr(cls, "Params", None)
    if not (isinstance(cls, type) and issubclass(cls, BaseModel)):
        came = "something else"
    elif cls.__abstractmethods__:
        came = f"one without {' and '.join(sorted(cls.__abstractmethods__))}"
    elif not (isinstance(params, type) and issubclass(params, ModelParams)):
        came = "one whose Params is not a ModelParams"
    else:
        return
    raise UsageError(
        "models/class",
        expected="a subclass of barsmith.models.BaseModel with fit and predict",
        came=came,
        do="write class MyModel(BaseModel) with fit and predict",
        where=f"model {info.name}",
    )


def take_params(cls: type[BaseModel]) -> None:
    """Let a class with an `__init__` of its own be made from its Params too: it gets `params`, or the values it names."""
    own: Any = cls.__init__
    if own is BaseModel.__init__ or hasattr(own, "__wrapped__"):
        return

    @wraps(own)
    def made(self: BaseModel, params: ModelParams | None = None, **values: Any) -> None:
        params = params if params is not None else cls.Params.of(values)
        own(self, **keywords_for(own, {"params": params, **params.training()}))
        self.params = params

    cls.__init__ = made  # type: ignore[method-assign]


def keywords_for(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords among `offered` that a function takes; all of them where it has `**kwargs`."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(offered)
    names = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    return {name: value for name, value in offered.items() if name in names}


def duplicate(name: str, first: str, second: str) -> UsageError:
    return UsageError(
        "config/duplicate-name",
        expected=f"one model named {name}",
        came=f"it twice, in {first} and in {second}",
        do="rename one of the two",
    )


def package_of(module: str) -> str:
    return re.split("[.:]", module)[0]


def origin_of(cls: type) -> str:
    package = package_of(cls.__module__)
    if package == "barsmith":
        return package
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):  # a class typed at a prompt has no file
        return package


def first_line(doc: str | None) -> str:
    return inspect.cleandoc(doc).partition("\n")[0] if doc else ""


@cache
def shipped_info(name: str) -> ModelInfo:
    """The entry of a shipped model, read from its source without running it."""
    module, needs = SHIPPED[name]
    node, said = shipped_class(name)
    return replace(info_of(**said), module=module, needs=needs, summary=first_line(ast.get_docstring(node)))


def shipped_class(name: str) -> tuple[ast.ClassDef, dict[str, Any]]:
    """A shipped model's class and what its decorator says, from its source."""
    source = source_file(name)
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for said in map(decorator_words, node.decorator_list):
                if said.get("name") == name:
                    return node, said
    raise AssertionError(f"{source} registers no {name}")  # the table is wrong: tests/models/test_registry.py


def source_file(name: str) -> Path:
    """Where a shipped model's class is written."""
    return Path(__file__).parent.joinpath(*SHIPPED[name][0].split(".")[2:]).with_suffix(".py")


def decorator_words(decorator: ast.expr) -> dict[str, Any]:
    """The keywords of `@register(...)` as they stand in the source; none for another decorator."""
    if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "register":
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in decorator.keywords if keyword.arg is not None}
    return {}


@cache
def plugins() -> dict[str, EntryPoint]:
    """Models of other installed packages by name, not loaded."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


class ModelRegistry:
    """All models by name: shipped, of other packages (entry point group `barsmith.models`), of the user's files."""

    register = staticmethod(register)

    @staticmethod
    def list_all() -> list[str]:
        """The names: shipped models first, then the others by name."""
        return [*SHIPPED, *sorted((set(registered) | set(plugins())) - set(SHIPPED))]

    @staticmethod
    def info(name: str) -> ModelInfo:
        """The entry of one model; imports neither the model nor its library. Raises UsageError `config/unknown-name`."""
        if name in registered:
            return registered[name].info
        if name in SHIPPED:
            return shipped_info(name)
        if name in plugins():
            point = plugins()[name]
            return ModelInfo(name, "", "", point.value.partition(":")[0], origin=point.dist.name if point.dist else "")
        raise unknown(name, ModelRegistry.list_all())

    @staticmethod
    def package(name: str) -> dict[str, str]:
        """{name: version} of the installed package whose entry point a model is; nothing for a shipped one and a user's file."""
        dist = plugins()[name].dist if name in plugins() and name not in SHIPPED else None
        return {} if dist is None else {dist.name: dist.version}

    @staticmethod
    def get(name: str) -> type[BaseModel]:
        """The class. Raises UsageError `config/unknown-name`, `models/missing-library`, or `models/module` where another package's model cannot be loaded."""
        if name not in registered:
            if name in SHIPPED:
                load_shipped(name)
            elif name in plugins():
                load_plugin(plugins()[name])
            else:
                raise unknown(name, ModelRegistry.list_all())
        return registered[name]

    @staticmethod
    def create(name: str, **params: Any) -> BaseModel:
        """A new model with parameters by name: `create("xgboost", max_depth=8)`. Raises UsageError `config/...`."""
        cls = ModelRegistry.get(name)
        return cls(cls.Params.of(params, lambda keys: f"model {name}: {dotted(keys)}"))


def unknown(name: str, known: Iterable[str]) -> UsageError:
    return UsageError("config/unknown-name", expected="a model's name", came=repr(name)[:80], do=did_you_mean(str(name)[:80], known))


def load_shipped(name: str) -> None:
    """Import a shipped model, which registers itself, and with it the library behind it."""
    module, needs = SHIPPED[name]
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in needs:
            raise
        raise missing_library(name, needs) from error


def load_plugin(point: EntryPoint) -> None:
    """Import another package's model, which registers itself."""
    where = f"entry point {point.name} of {point.dist.name if point.dist else 'an unknown package'}"
    try:
        point.load()
    except BarsmithError:
        raise
    except Exception as error:  # another package may raise anything
        raise UsageError(
            "models/module",
            expected=f"{point.value} to be importable",
            came=f"{type(error).__name__}: {error}",
            do="mend or uninstall that package",
            where=where,
        ) from error
    if point.name not in registered:
        raise UsageError(
            "models/module",
            expected=f"{point.value} to register a model named {point.name}",
            came="no such model",
            do="name the entry point as its class is registered",
            where=where,
        )
