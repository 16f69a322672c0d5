"""Which NVIDIA GPU is here, asked of the driver itself: the default installation has no package that knows."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

_DRIVER = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CUdevice_attribute: compute capability


@dataclass(frozen=True)
class NvidiaGpu:
    """The first GPU that the driver shows to this process (CUDA_VISIBLE_DEVICES decides)."""

    name: str
    compute_capability: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name}, sm_{self.compute_capability[0]}{self.compute_capability[1]}"


def find_gpu() -> NvidiaGpu | None:
    """Return the GPU, or None if there is no driver or no device."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    device, name, numbers = ctypes.c_int(), ctypes.create_string_buffer(256), (ctypes.c_int(), ctypes.c_int())
    failed = (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or any(
            driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
            for number, attribute in zip(numbers, (_MAJOR, _MINOR), strict=True)
        )
    )
    return None if failed else NvidiaGpu(name.value.decode(), (numbers[0].value, numbers[1].value))
