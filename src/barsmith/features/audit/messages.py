"""What two processes say to each other: a JSON head and plain arrays, nothing that could carry code."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

import numpy as np

KINDS = ("<f8", "<i8", "|u1", "|b1")
LARGEST = 1 << 32


def send(stream: BinaryIO, head: dict[str, Any], *arrays: np.ndarray) -> None:
    """One message. Arrays are float64, int64, bytes or booleans."""
    plain = [np.ascontiguousarray(array) for array in arrays]
    text = json.dumps({**head, "arrays": [[array.dtype.str, array.shape] for array in plain]}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in plain:
        stream.write(array.reshape(-1).view(np.uint8).data if array.size else b"")
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The next message. Raises EOFError where the other side is gone, ValueError where what it says makes no sense."""
    (size,) = struct.unpack("<I", exactly(stream, 4))
    head = json.loads(exactly(stream, size))
    if not isinstance(head, dict):
        raise ValueError("a message without a head")
    return head, [array_of(stream, kind, shape) for kind, shape in head.pop("arrays")]


def array_of(stream: BinaryIO, kind: str, shape: list[int]) -> np.ndarray:
    if kind not in KINDS or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"an array of {kind!r}, {shape!r}")
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if size > LARGEST:
        raise ValueError(f"an array of {size} bytes")
    return np.frombuffer(exactly(stream, size), kind).reshape(shape)


def exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
