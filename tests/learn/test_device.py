"""The device is one that is there; its memory is kept; what it gives is said."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fibsem_ij.learn import device

CPU = Path("/proc/cpuinfo")

def test_auto_is_the_best_there_is() -> None:
    assert device.choose().type == device.available()[0]
    assert device.choose("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", [n for n in ("cuda", "mps", "tpu", "") if n not in device.available()])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected a device of auto, .*cpu"):
        device.choose(name)


@pytest.mark.skipif(not CPU.exists(), reason="this system does not list what its CPU can do")
def test_a_cpu_computes_in_bf16_where_it_has_tiles_for_it() -> None:
    tiles = "amx_bf16" in CPU.read_text(encoding="utf-8").split()
    assert device.computes_in_bf16(torch.device("cpu")) == tiles
    assert not device.computes_in_bf16(torch.device("meta"))


def test_the_report_is_quick_and_flat() -> None:
    began = time.process_time()
    found = device.report()
    assert time.process_time() - began < 2 * torch.get_num_threads()
    assert found["device"] in device.available()
    assert found["threads"] == torch.get_num_threads()
    assert found["gflops"] > 0


FAULTS = """
import resource, torch
from fibsem_ij.learn import device
assert device.keep_memory()
for count in (20, 5):  # at first the heap grows, until a gap of that size is left
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count): torch.ones(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
def test_kept_memory_is_not_mapped_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    told = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert int(told.stdout) < 1000, "five times 64 MiB are 82,000 pages"
    monkeypatch.setenv("MALLOC_TOP_PAD_", "0")
    assert not device.keep_memory.__wrapped__(), "who sets it himself is left alone"
