"""Models by name: the base class, the register, and the doors to fit, ask, save and load any of them."""

from barsmith.models.base import BaseModel, PredictionOutput, TrainingMetrics
from barsmith.models.discovery import discover
from barsmith.models.fitting import fit_model, predict_model
from barsmith.models.params import Device, EarlyStopping, ModelParams, RungParams, WindowParams
from barsmith.models.registry import ModelInfo, ModelRegistry, register
from barsmith.models.rows import check_rows_disjoint
from barsmith.models.storage import load_model, save_model
from barsmith.models.yaml_params import load_params

__all__ = [
    "BaseModel", "Device", "EarlyStopping", "ModelInfo", "ModelParams", "ModelRegistry", "PredictionOutput", "RungParams", "TrainingMetrics",
    "WindowParams", "check_rows_disjoint", "discover", "fit_model", "load_model", "load_params", "predict_model",
    "register", "save_model",
]  # fmt: skip
