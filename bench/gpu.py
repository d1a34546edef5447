"""Every network on this machine's GPU: windows learned a second, memory, and how many times the CPU's pace; nothing is claimed without a GPU.

One epoch over the same windows on both, in bfloat16 on the GPU and in full precision on the CPU, after a short epoch that is not counted.
The CPU sees fewer windows, since its pace does not depend on their number.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from neural import FEATURES, LENGTH, drawn, names, params_of

from barsmith.models import ModelRegistry, fit_model
from barsmith.parallel import cores

BATCH, ON_GPU, ON_CPU = 256, 65_536, 4096


def pace(name: str, rows: int, *, use_gpu: bool) -> float:
    """Windows learned a second."""
    view, y = drawn(rows)
    for count in (4 * BATCH, rows):
        model = ModelRegistry.create(name, max_epochs=1, batch_size=BATCH, device={"use_gpu": use_gpu}, **params_of(name))
        told = fit_model(model, view.take(np.arange(count)), y[:count]).as_dict()
    return float(told["rows_per_second"])


def on_both(name: str) -> dict:
    """One network's figures."""
    torch.cuda.reset_peak_memory_stats()
    gpu = pace(name, ON_GPU, use_gpu=True)
    memory = torch.cuda.max_memory_allocated() / 2**20
    cpu = pace(name, ON_CPU, use_gpu=False)
    return {"GPU windows/s": round(gpu), "GPU peak MiB": round(memory), "CPU windows/s": round(cpu), "GPU / CPU": round(gpu / cpu, 1)}


def measure() -> dict:
    """Figures by network, with the card's name."""
    if not torch.cuda.is_available():
        return {"claim": "Networks on a GPU", "card": "none here: nothing is claimed"}
    card = torch.cuda.get_device_name()
    about = {"card": card, "PyTorch": torch.__version__, "CPU cores": cores(), "windows": f"{LENGTH} x {FEATURES}, batch {BATCH}"}
    return {"claim": "Networks on a GPU", **about, **{name: on_both(name) for name in names()}}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
