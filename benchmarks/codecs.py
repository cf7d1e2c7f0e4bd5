"""What a checksum costs: the codec of our Zarr chunks beside Blosc, which has none, and gzip, which has one; one slice of each kind.

    python benchmarks/codecs.py [--side 2048]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numcodecs
import numpy as np

from fibsem_ij import phantom
from fibsem_ij.files import chunks

CODECS = {
    "zstd 1 with checksum (ours)": chunks.CODEC,
    "zstd 1": numcodecs.Zstd(level=1),
    "blosc zstd 1, shuffled": numcodecs.Blosc(cname="zstd", clevel=1, shuffle=numcodecs.Blosc.SHUFFLE),
    "gzip 1": numcodecs.GZip(1),
}


def slices(side: int) -> dict[str, Any]:
    made = phantom.make((1, side, side), seed=1)
    rng = np.random.default_rng(0)
    grey = np.asarray(made.raw)[0]
    return {"grey uint8": grey, "grey uint16": (grey * 200.0 + rng.integers(0, 200, grey.shape)).astype(np.uint16),
            "grey float32": (grey + rng.normal(size=grey.shape)).astype(np.float32),
            "labels uint32": np.asarray(made.cells)[0].astype(np.uint32)}


def rate(size: int, job: Callable[[], Any]) -> float:
    """MB a second of processor time, the best of some."""
    spent = []
    for _ in range(7):
        start = time.process_time()
        job()
        spent.append(time.process_time() - start)
    return size / min(spent) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    numcodecs.blosc.set_nthreads(1)
    print("| slice | codec | packed to | writes MB/s | reads MB/s |\n|---|---|---|---|---|")
    for kind, pixels in slices(parser.parse_args().side).items():
        for name, codec in CODECS.items():
            packed = codec.encode(pixels)
            writes = rate(pixels.nbytes, lambda c=codec, p=pixels: c.encode(p))
            reads = rate(pixels.nbytes, lambda c=codec, p=packed: c.decode(p))
            print(f"| {kind} | {name} | {len(packed) / pixels.nbytes:.3f} | {writes:,.0f} | {reads:,.0f} |")


if __name__ == "__main__":
    main()
