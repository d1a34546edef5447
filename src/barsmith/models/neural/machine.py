"""Where a network is trained, and PyTorch's process-wide switches, each set for a while and put back."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any, cast

import torch

from barsmith.errors import UsageError
from barsmith.models.params import Device

COMPILERS = ("c++", "g++", "clang++", "cl")
#: PyTorch draws dropout from one generator of the process: two trainings at once would take each other's numbers.
_ONE_TRAINING = threading.RLock()


def device_for(wish: Device) -> str:
    """`cuda` or `cpu`. Raises UsageError `config/device` where a GPU is asked for and cannot be used."""
    if wish.use_gpu is False or (wish.deterministic and wish.use_gpu != True):  # noqa: E712 - "auto" is true as well
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wish.use_gpu == "auto":
        return "cpu"
    came, do = "no NVIDIA GPU on this machine", "set device.use_gpu to auto or false"
    if not torch.backends.cuda.is_built():
        came, do = f"PyTorch {torch.__version__}, built without CUDA", "install PyTorch's CUDA build, or set device.use_gpu to auto"
    raise UsageError("config/device", expected="a GPU that PyTorch can use", came=came, do=do, where="device.use_gpu")


def check_compiler() -> None:
    """Raise UsageError `config/compile` where torch.compile would find no C++ compiler."""
    if not any(map(shutil.which, filter(None, (os.environ.get("CXX"), *COMPILERS)))):
        do = "install g++ or clang, or leave training.compile out"
        raise UsageError("config/compile", expected="a C++ compiler for torch.compile", came="none", do=do, where="training.compile")


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """This thread computes with `count` cores; sums are split by it, so the last bits depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def reproducible(device: str, count: int) -> Iterator[None]:
    """One training at a time in this process, with `count` cores, and the process's random numbers as they were afterwards."""
    is_cpu, filling = device == "cpu", cast(Any, torch.utils.deterministic)
    before, was_filling = torch.get_deterministic_debug_mode(), filling.fill_uninitialized_memory
    with _ONE_TRAINING, threads(count), torch.random.fork_rng(devices=[] if is_cpu else [torch.cuda.current_device()]):
        torch.set_deterministic_debug_mode("error" if is_cpu else "default")  # as use_deterministic_algorithms, without the compiler
        filling.fill_uninitialized_memory = False  # we read nothing that nobody wrote
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            filling.fill_uninitialized_memory = was_filling


def seed_torch(device: str, seed: int) -> None:
    """Inside `reproducible` only."""
    torch.random.default_generator.manual_seed(seed)
    if device != "cpu":
        torch.cuda.manual_seed(seed)
