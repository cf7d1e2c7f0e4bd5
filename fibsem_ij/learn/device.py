"""Where networks run: the device, and the memory that goes with it.

On a CPU a forward pass takes and gives back arrays of many MB. By default glibc maps each of them afresh and the kernel clears
every page of it: 100,000 page faults a forward, a quarter of its time. `choose` tells glibc to keep what it has got (mallopt(3)),
which does what MALLOC_MMAP_MAX_=0, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ do when they are set before the start. The price:
until it ends, the process keeps the most memory that it has needed. Who sets any MALLOC_* himself is left alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import time
from functools import cache
from typing import Any

import torch

_MALLOPT = {-4: 0, -1: -1, -2: 1 << 28}  # M_MMAP_MAX: map nothing; M_TRIM_THRESHOLD: give nothing back; M_TOP_PAD: grow by 256 MiB


def available() -> tuple[str, ...]:
    """The names that `choose` takes on this machine, the best first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, there in found.items() if there)


def gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    said = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple(said[:count] if said else map(str, range(count)))


def choose(name: str = "auto") -> torch.device:
    """The device of that name, made ready; "auto" is the best there is."""
    here = available()
    if name not in ("auto", *here):
        raise ValueError(f"expected a device of auto, {', '.join(here)} (what torch finds here), got {name!r}; leave it out for auto")
    keep_memory()
    return torch.device(here[0] if name == "auto" else name)


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bfloat16 saves time there: on a GPU that has it, and on a CPU with tiles for it (AMX), where it halves a training."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = getattr(torch.cpu, "get_capabilities", dict[str, bool])  # NB: newer than the oldest torch we run on
    return device.type == "cpu" and bool(able().get("amx_bf16"))


@cache
def keep_memory() -> bool:
    """Tell glibc to keep the memory it has got; once a process. False where there is no glibc, or MALLOC_* is set."""
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(option, value) == 1 for option, value in _MALLOPT.items())


def out_of_memory(error: RuntimeError) -> bool:
    """Of the device or of the machine: only the first has a class of its own."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in ("out of memory", "can't allocate memory"))


def report() -> dict[str, Any]:
    """What this machine gives to networks, measured in under a second; flat, for `doctor`."""
    device = choose()
    found: dict[str, Any] = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": device.type}
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {"gpu": card.name, "gpu_gib": round(card.total_memory / 2**30), "gpus": len(gpus())}
    return {**found, "gflops": round(_gflops(device)), "keeps_memory": keep_memory()}


def _gflops(device: torch.device) -> float:
    """Of a float32 matrix product, the best within a quarter of a second: the rate that no network here can pass."""
    side = 1024 if device.type == "cpu" else 4096
    a = torch.ones(side, side, device=device)
    best, end = float("inf"), time.perf_counter() + 0.25
    while time.perf_counter() < end:
        began = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9
