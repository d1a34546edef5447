"""What can be set on the training of any network."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator

from barsmith.config import shown, wrong
from barsmith.models.params import Device, EarlyStopping, ModelParams

MOST_WINDOWS = 65_536


def _batch_size(given: Any) -> int | str:
    if given == "auto" or (type(given) is int and 1 <= given <= MOST_WINDOWS):
        return given
    expected = f"auto, or a number >= 1 and <= {MOST_WINDOWS}"
    raise wrong("config/out-of-range", expected, shown(given), "choose a value in the range", "training.batch_size")


class NetworkParams(ModelParams):
    """Stands before WindowParams or RungParams: `class Params(NetworkParams, WindowParams)`."""

    max_epochs: int = Field(default=100, ge=1, le=100_000, description="passes over the training windows at most")
    batch_size: Annotated[int | Literal["auto"], PlainValidator(_batch_size)] = Field(
        default="auto", description="windows in a step; auto: 256, fewer where rows or memory are few"
    )
    learning_rate: float = Field(default=0.001, gt=0.0, le=1.0, description="at its peak: it warms up, then falls along a cosine")
    weight_decay: float = Field(default=0.01, ge=0.0, le=10.0, description="how fast matrices shrink (AdamW)")
    warmup: float = Field(default=0.05, ge=0.0, le=0.5, description="share of all steps in which the learning rate rises")
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0, description="share of the activations that a training step leaves out")
    class_weights: Literal["none", "balanced"] = Field(default="none", description="balanced: rare classes weigh as much as frequent ones")
    n_jobs: int | None = Field(
        default=None, ge=1, le=512, description="threads; null: all that this process may use. The last bits of a training depend on it"
    )
    compile: bool = Field(
        default=False,
        description="torch.compile: a minute to begin with; on a CPU steps then took 0.7 (patchtst) to 1.1 of the time. Needs a C++ compiler",
    )
    device: Device = Device(mixed_precision=True)
    early_stopping: EarlyStopping = EarlyStopping(patience=20)

    gpu: ClassVar[bool] = True
    half_precision: ClassVar[bool] = True
