"""Tensors in safetensors files: a file's header is read by our own eyes and held against what is expected before anything else looks at it."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from barsmith.artifacts import parse_json
from barsmith.errors import IntegrityError

MOST_HEADER = 1 << 22  # bytes
MOST_BUILT = 4  # times the file: a parametrised weight is registered twice
FREE = 1 << 24  # bytes of buffers that any network may have
_RESERVING: ContextVar[Callable[[int], None] | None] = ContextVar("reserving", default=None)
KINDS = {torch.float32: ("F32", 4), torch.int64: ("I64", 8), torch.bool: ("BOOL", 1), torch.float64: ("F64", 8)}


def tensor_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """A safetensors file; equal tensors, equal bytes."""
    from safetensors.torch import save

    return bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}))


def read_tensors(data: bytes, expected: Mapping[str, torch.Tensor], where: str) -> dict[str, torch.Tensor]:
    """The tensors of a file that has exactly those of `expected`, by name, kind and shape, all numbers finite.

    expected: may lie on the meta device. Raises IntegrityError `bundle/format` for what is no safetensors file, `bundle/structure` for
    another network's.
    """
    check_header(data, expected, where)
    from safetensors.torch import load

    tensors = load(data)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            refuse("bundle/structure", f"finite numbers in {name}", "NaN or infinity", where)
    return dict(tensors)


def check_header(data: bytes, expected: Mapping[str, torch.Tensor], where: str) -> None:
    """Every name, kind, shape and place in the header, and that the tensors fill the rest of the file without a gap."""
    size = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if not 2 <= size <= min(MOST_HEADER, len(data) - 8):
        refuse("bundle/format", "a safetensors file", f"{len(data)} bytes with a header of {size}", where)
    header = parse_json(data[8 : 8 + size], where, code="bundle/format")
    if not isinstance(header, dict):
        refuse("bundle/format", "a header of tensors by name", type(header).__name__, where)
    if set(header) != set(expected):
        odd = sorted(set(header) ^ set(expected))
        refuse("bundle/structure", f"the {len(expected)} tensors of this network", f"{len(odd)} more or fewer, as {odd[0][:80]!r}", where)
    places = []
    for name, tensor in expected.items():
        kind, width = KINDS[tensor.dtype]
        entry = header[name]
        wanted: dict[str, Any] = {"dtype": kind, "shape": list(tensor.shape)}
        if not isinstance(entry, dict) or set(entry) != {*wanted, "data_offsets"} or any(entry[key] != wanted[key] for key in wanted):
            refuse("bundle/structure", f"{name}: {kind} of shape {list(tensor.shape)}", str(entry)[:120], where)
        places.append((entry["data_offsets"], width * math.prod(tensor.shape), name))
    if not all(isinstance(place, list) and len(place) == 2 and all(type(edge) is int for edge in place) for place, _, _ in places):
        refuse("bundle/structure", "two whole numbers for each tensor's place", "others", where)
    end = 0
    for place, length, name in sorted(places):
        if place != [end, end + length]:
            refuse("bundle/structure", f"{name} at bytes {end} to {end + length}", str(place)[:60], where)
        end += length
    if end != len(data) - 8 - size:
        refuse("bundle/structure", f"{end} bytes of tensors", f"{len(data) - 8 - size}", where)


@contextlib.contextmanager
def no_larger_than(data: bytes, where: str) -> Iterator[None]:
    """Networks made within, by this thread, have no more parameters than the file could hold, and buffers of as much or 16 MiB: a tampered card
    reserves no memory. A parameter is counted while it is still untouched, a buffer before it is computed where `reserve` announces it.

    Raises IntegrityError `bundle/structure`.
    """
    left, mine = {"parameters": MOST_BUILT * len(data), "buffers": max(MOST_BUILT * len(data), FREE)}, threading.get_ident()

    def take(kind: str, nbytes: int) -> None:
        if threading.get_ident() == mine:
            left[kind] -= nbytes
            if left[kind] < 0:
                refuse("bundle/structure", f"the {kind} of this network", f"{len(data)} bytes for a larger one", where)

    handle = register_module_parameter_registration_hook(lambda module, name, one: take("parameters", 0 if one is None else one.nbytes))
    token = _RESERVING.set(lambda nbytes: take("buffers", nbytes))
    try:
        yield
    finally:
        handle.remove()
        _RESERVING.reset(token)


def reserve(*shape: int) -> None:
    """To be called before float64 numbers of this shape are computed for a buffer: within `no_larger_than` it may refuse."""
    if (take := _RESERVING.get()) is not None:
        take(8 * math.prod(shape))


def refuse(code: str, expected: str, came: str, where: str) -> NoReturn:
    do = "restore the file, or train and save the model again"
    raise IntegrityError(code, expected=expected, came=came, do=do, where=where)
