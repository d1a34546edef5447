"""How many windows a step learns from, so that what it keeps for the way back fits the memory there is."""

from __future__ import annotations

import contextlib
import copy
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

MOST, LEAST = 256, 16  # windows a step, where memory is no matter
STEPS = 16  # an epoch at least, of few rows
SHARE = 0.25  # of the memory, for what a step keeps
BESIDE = 2  # gradients and buffers beside what is kept, in its size


def chosen_batch_size(wish: int | str, network: nn.Module, shape: tuple[int, ...], rows: int, device: str) -> int:
    """The size asked for; for `auto` 256, or the power of two that gives 16 steps an epoch (16 at least), or that fits a quarter of the memory.

    shape: of one window. The same machine, network and number of rows give the same size: on the CPU its memory counts, not what is free of it.
    """
    if wish != "auto":
        return int(wish)
    by_rows = max(LEAST, power_of_two(rows // STEPS))
    by_memory = power_of_two(int(SHARE * memory(device)) // (BESIDE * window_bytes(network, shape)))
    return max(1, min(MOST, by_rows, by_memory))


def power_of_two(number: int) -> int:
    """The largest one that is not above `number`; 0 below one."""
    return 1 << (number.bit_length() - 1) if number > 0 else 0


def window_bytes(network: nn.Module, shape: tuple[int, ...]) -> int:
    """What a training keeps of one window for the way back, measured on two and on four windows of zeros."""
    trial = copy.deepcopy(network).cpu().train()
    return max(1, (kept_bytes(trial, 4, shape) - kept_bytes(trial, 2, shape)) // 2)


def kept_bytes(network: nn.Module, windows: int, shape: tuple[int, ...]) -> int:
    """Bytes of all memory that autograd holds on to after the forward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> Any:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = network(torch.zeros(windows, *shape))
    del held
    return sum(kept.values())


def memory(device: str) -> int:
    """Bytes: of a GPU what is free, of the CPU's what this process may have at most (the machine's, its cgroup's, its ulimit's)."""
    if device != "cpu":
        return int(torch.cuda.mem_get_info()[0])
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # no such cgroup, or "max"
            limits.append(int(Path(file).read_text()))
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        limits += [limit for limit in resource.getrlimit(resource.RLIMIT_AS)[:1] if limit > 0]
    return min(limits)
