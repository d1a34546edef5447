"""Is there an NVIDIA GPU? Asked of the driver, so that no library needs to be imported."""

from __future__ import annotations

import ctypes


def has_gpu() -> bool:
    """True where the driver is installed and shows a device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
