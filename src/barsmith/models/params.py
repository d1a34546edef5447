"""What can be set on a model: pydantic parameters, one object for YAML, `--set` and the saved record; faults are UsageErrors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_origin

import annotated_types
from pydantic import BaseModel as Pydantic
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from barsmith.config import MULTIRES_TIMEFRAMES, TIMEFRAMES, shown, wrong
from barsmith.config.values import Listed, Timeframe
from barsmith.errors import UsageError, did_you_mean

CLASSES = 3
#: The sections of a model's YAML beside `model`; all fields but these are written under `training`.
SECTIONS = ("device", "early_stopping")
_CLASS_COUNTS = ("num_class", "num_classes", "n_classes")
#: The keys that lead to a value: ("training", "max_depth").
Keys = tuple[str | int, ...]


class Device(Pydantic):
    """Where a model is trained. `use_gpu: auto` takes a GPU that the model's library can use, else the CPU."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    use_gpu: Literal[True, False, "auto"] = "auto"
    mixed_precision: bool = False
    deterministic: bool = False


class EarlyStopping(Pydantic):
    """When training stops before its last round: after `patience` rounds without a gain of `min_delta` on the stopping rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    enabled: bool = True
    patience: int = Field(default=30, ge=1, le=100_000)
    min_delta: float = Field(default=0.0, ge=0.0, le=1.0)


class ModelParams(Pydantic):
    """A model's parameters; a model declares its own as fields of a nested `class Params(ModelParams)`.

    Unknown names, wrong types, values out of range and settings that contradict each other are UsageErrors `config/...`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())

    device: Device = Device()
    early_stopping: EarlyStopping = EarlyStopping()

    #: Can its library train on a GPU, and in mixed precision; is it trained in rounds that can be stopped early.
    gpu: ClassVar[bool] = False
    half_precision: ClassVar[bool] = False
    rounds: ClassVar[bool] = True

    @classmethod
    def of(cls, values: Mapping[str, Any], place: Callable[[Keys], str] | None = None) -> Self:
        """The parameters that `values` (flat, the sections nested) describe.

        place: where the value of some keys stands, for messages. Raises UsageError `config/...`.
        """
        place = place or dotted
        values = {name: value for name, value in values.items() if not (name in _CLASS_COUNTS and value == CLASSES)}
        for name in _CLASS_COUNTS:
            if name in values and name not in cls.model_fields:
                expected = f"{CLASSES} classes, since labels are -1, 0 and +1"
                where = place(("training", name))
                raise UsageError("config/inconsistent", expected=expected, came=shown(values[name]), do=f"remove {name}", where=where)
        try:
            return cls(**values)
        except ValidationError as error:
            raise usage_error(cls, error.errors()[0], place) from None

    @classmethod
    def names(cls) -> list[str]:
        """The names that may stand under `training`."""
        return [name for name in cls.model_fields if name not in SECTIONS]

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, values: Any) -> Any:
        """YAML and JSON have lists only, and what a section does not name keeps the model's own default."""
        if not isinstance(values, dict):
            return values
        tuples = {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is tuple}
        values = {k: tuple(v) if k in tuples and isinstance(v, list) else v for k, v in values.items()}
        for name in SECTIONS:
            if isinstance(values.get(name), Mapping):
                values[name] = cls.model_fields[name].get_default().model_dump() | dict(values[name])
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        device = self.device
        if device.use_gpu is True and not self.gpu:
            do = "leave it out: this model runs on the CPU alone"
            raise wrong("config/device", "use_gpu: false or auto", "use_gpu: true", do, "device.use_gpu")
        if device.use_gpu is True and device.deterministic:
            do = "choose one: a GPU adds in an order that changes from run to run, so losses and the trained model cannot be bit-identical"
            raise wrong(
                "config/determinism", "deterministic: true on the CPU", "deterministic: true and use_gpu: true", do, "device.deterministic"
            )
        if device.mixed_precision and not self.half_precision:
            do = "leave it out: this model has one precision"
            raise wrong("config/inconsistent", "mixed_precision: false", "mixed_precision: true", do, "device.mixed_precision")
        if self.early_stopping.enabled and not self.rounds:
            do = "leave it out: this model is not trained in rounds"
            raise wrong("config/inconsistent", "enabled: false", "enabled: true", do, "early_stopping.enabled")
        return self

    def training(self) -> dict[str, Any]:
        """The values that stand under `training`, ready for JSON."""
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in SECTIONS}

    def sections(self) -> dict[str, dict[str, Any]]:
        """All values in the sections of a model's YAML: training, device, early_stopping."""
        return {"training": self.training(), "device": self.device.model_dump(), "early_stopping": self.early_stopping.model_dump()}


class RowParams(ModelParams):
    """Of models that choose among the feature columns.

    strategy: what they read of other timeframes; `single` nothing, `indicators` the columns made of them. features: the names, or
    patterns as `rsi_*`, of the columns to read, of those that validation kept; null: those of the family.
    """

    strategy: Literal["single", "indicators"] = "indicators"
    features: Annotated[tuple[str, ...], Listed] | None = None


class WindowParams(RowParams):
    """Of models that read the last `seq_len` base bars up to each decision."""

    strategy: Literal["single", "indicators"] = Field(
        default="single", description="single: features of the base timeframe; indicators: of the others too"
    )
    features: Annotated[tuple[str, ...], Listed] | None = Field(
        default=None, description="names or patterns as rsi_*; null: those of the family"
    )
    seq_len: int = Field(default=60, ge=1, le=10_000, description="bars of a window, the decision's own the last")


class RungParams(WindowParams):
    """Of models that can also read bars of several timeframes at once.

    strategy: `ingestion` reads the last `seq_len` finished bars (open, high, low, close) of each of `timeframes`; the others read base bars.
    """

    strategy: Literal["single", "indicators", "ingestion"] = Field(  # type: ignore[assignment]
        default="single",
        description="single: features of the base timeframe; indicators: of the others too; ingestion: bars of `timeframes`",
    )
    seq_len: int = Field(
        default=60, ge=1, le=10_000, description="bars of a window, the decision's own the last; of ingestion, of each timeframe"
    )
    timeframes: Annotated[tuple[Timeframe, ...], Listed] = Field(
        default=MULTIRES_TIMEFRAMES, description="rungs that ingestion reads, from short to long"
    )

    @model_validator(mode="after")
    def _rungs_in_order(self) -> Self:
        if not self.timeframes or list(self.timeframes) != sorted(set(self.timeframes), key=TIMEFRAMES.__getitem__):
            expected = "one rung or more, from short to long, each once"
            raise wrong("config/timeframe", expected, shown(self.timeframes), "sort them", "timeframes")
        return self


class AnyParams(ModelParams):
    """The parameters of a class that declares none: any name is taken, as an attribute; declare `Params` to have them checked."""

    model_config = ConfigDict(extra="allow")

    gpu: ClassVar[bool] = True
    half_precision: ClassVar[bool] = True


def dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


def usage_error(params: type[ModelParams], fault: ErrorDetails, place: Callable[[Keys], str]) -> UsageError:
    """One fault that pydantic found, as the house says it."""
    kind, given, context = fault["type"], fault.get("input"), fault.get("ctx", {})
    if "/" in kind:
        where = place(tuple(context["key"].split(".")))
        return UsageError(kind, expected=context["expected"], came=context["came"], do=context["do"], where=where)
    path = [str(part) for part in fault["loc"]]
    where = place(tuple(path if path[0] in SECTIONS else ["training", *path]))
    if kind == "extra_forbidden":
        known = list(holder_of(params, path).model_fields) if len(path) > 1 else params.names()
        do = did_you_mean(path[-1], known) if known else "remove it"
        return UsageError("config/unknown-param", expected="a parameter of this model", came=shown(path[-1]), do=do, where=where)
    is_too_long = kind == "float_type" and isinstance(given, int) and not isinstance(given, bool)
    if is_too_long or kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        do = "choose a value in the range"
        return UsageError("config/out-of-range", expected=bounds(params, path), came=shown(given), do=do, where=where)
    code = {"finite_number": "config/non-finite", "missing": "config/missing"}.get(kind, "config/type")
    expected = fault["msg"].removeprefix("Input should be ")
    return UsageError(code, expected=expected, came=shown(given), do="correct the value", where=where)


def holder_of(params: type[Pydantic], path: list[str]) -> type[Pydantic]:
    """The class of parameters whose field the last part of `path` names."""
    for part in path[:-1]:
        inner = params.model_fields[part].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, Pydantic)
        params = inner
    return params


def bounds(params: type[Pydantic], path: list[str]) -> str:
    """The bounds of the field at `path`, as a phrase: `a number >= 1 and <= 16`."""
    signs = (
        (annotated_types.Ge, "ge", ">="),
        (annotated_types.Gt, "gt", ">"),
        (annotated_types.Le, "le", "<="),
        (annotated_types.Lt, "lt", "<"),
    )
    rules = holder_of(params, path).model_fields[path[-1]].metadata
    found = [f"{sign} {getattr(rule, name)}" for rule in rules for kind, name, sign in signs if isinstance(rule, kind)]
    return "a number " + " and ".join(found)
