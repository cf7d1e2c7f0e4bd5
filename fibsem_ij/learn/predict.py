"""A trained network over a stack of any size: slice by slice, tile by tile.

A reader thread brings slices in, scaled, each read once (2.5D takes its neighbours from the slices at hand, the end slices repeated
beyond the ends); the caller's thread cuts tiles, has them run in batches, across slices where slices are small, or side by side
(`lanes`), and blends them on the device; a writer thread hands whole slices on, in order. So reading and writing hide behind the
network, and what is held is a few slices whatever the depth. The same stack, options and machine give the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fibsem_ij.arrays import tiles
from fibsem_ij.arrays.slices import around, within
from fibsem_ij.learn.device import choose, computes_in_bf16
from fibsem_ij.learn.fast import Forward, Runner, on_device
from fibsem_ij.learn.lanes import Mapped, in_order, lanes
from fibsem_ij.learn.network import Network
from fibsem_ij.volume import ArrayLike

Keep = Callable[[int, npt.NDArray[np.float32]], None]  # z, (c, y, x)
Edge = tuple[slice, Tensor]  # of a tile along one axis: where, weights

GRID = 32  # px; tiles start at multiples of it, so that the halvings of a network fall on the same pixels in every tile
_AHEAD = 2  # slices read before they are needed, and slices that wait to be written


@dataclass(frozen=True)
class Options:
    tile: int = 512  # px, a multiple of 32
    blend: str = "cosine"  # cosine | centre, see arrays.tiles
    overlap: int | None = None  # px at least; None: an eighth of the tile; for centre two thirds, so that the stride is one
    batch: int | None = None  # tiles at a time; None: 1 on a CPU, which has nothing to gain, else 16; halved where memory runs out
    flips: bool = False  # the mean over the four mirrorings of a tile, in four times the time
    device: str = "auto"
    bf16: bool | None = None  # where the device computes in it; None: on a GPU only, so that grey values stay exact on a CPU

    def __post_init__(self) -> None:
        if self.tile < GRID or self.tile % GRID:
            raise ValueError(f"expected a tile in multiples of {GRID} px, got {self.tile}; leave it out for the default")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"expected a batch of at least 1, got {self.batch}; leave it out for the default")
        self.spans(self.tile)

    def spans(self, length: int) -> tuple[tiles.Span, ...]:
        overlap = self.overlap
        if overlap is None:
            overlap = self.tile // 8 if self.blend == "cosine" else self.tile - max(self.tile // (3 * GRID), 1) * GRID
        return tiles.spans(length, tile=self.tile, overlap=overlap, blend=self.blend, grid=GRID)


def predict(src: ArrayLike, network: Network, keep: Keep, *, options: Options | None = None, forward: Forward | None = None,
            slices: Iterable[int] | None = None, progress: Callable[[int, int], None] | None = None) -> None:
    """keep(z, (c, y, x) float32) for every slice (or those of `slices`), in order, in network units, on one other thread.

    `src` is a stack (z, y, x), or (z, c, y, x) whose slices have channels of their own beside the grey values, the first of them.
    `forward` stands in for the module; it is called with tiles on the device, where network.module is for as long as this runs, by
    several threads on a CPU in bfloat16.
    """
    options = options or Options()
    wanted = _checked(src, network, slices)
    device = choose(options.device)
    height, width = src.shape[-2:]
    layout = list(product(_edges(options.spans(height), device), _edges(options.spans(width), device)))
    bf16 = computes_in_bf16(device) and (device.type == "cuda" if options.bf16 is None else options.bf16)
    with (on_device(network.module, device, forward) as net, lanes(device, bf16=bf16) as mapped,
          ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer):
        run = Runner(net, device, activation=network.activation, batch=options.batch, flips=options.flips, bf16=bf16)
        slabs = zip(wanted, in_order(reader, _Window(src, network, device).slab, wanted, ahead=_AHEAD), strict=True)
        waiting: deque[Future[None]] = deque()
        for done, (z, canvas) in enumerate(_blended(slabs, layout, run, mapped), 1):
            host, ready = _to_host(canvas[:, :height, :width])
            waiting.append(writer.submit(_hand_over, z, host, ready, keep))
            while len(waiting) > (0 if done == len(wanted) else _AHEAD):
                waiting.popleft().result()
                if progress:
                    progress(done - len(waiting), len(wanted))


def _checked(src: ArrayLike, network: Network, slices: Iterable[int] | None) -> list[int]:
    if len(src.shape) not in (3, 4) or 0 in src.shape:
        raise ValueError(f"expected a stack (z, y, x) with at least one pixel, got shape {tuple(src.shape)}; one slice: array[None]")
    slices_seen = network.config.inputs - _own(src)
    if slices_seen < 1 or slices_seen % 2 == 0:
        raise ValueError(f"expected a network of 2k + 1 input slices, got {slices_seen}; build it with an odd number of inputs")
    depth = src.shape[0]
    wanted = list(range(depth) if slices is None else slices)
    if wanted and not 0 <= min(wanted) <= max(wanted) < depth:
        raise ValueError(f"expected slices within 0..{depth - 1}, got {min(wanted)}..{max(wanted)}; count from 0")
    return wanted


def _own(src: ArrayLike) -> int:
    """Channels of a slice beside its grey values."""
    return int(src.shape[1]) - 1 if len(src.shape) == 4 else 0


def _edges(spans: tuple[tiles.Span, ...], device: torch.device) -> list[Edge]:
    return [(span.where, torch.from_numpy(span.weights).to(device)) for span in spans]


class _Window:
    """The slices at hand, scaled, padded and on the device; each is read once as long as z grows."""

    def __init__(self, src: ArrayLike, network: Network, device: torch.device) -> None:
        self.src, self.network, self.device = src, network, device
        self.neighbours = (network.config.inputs - _own(src) - 1) // 2
        self.held: dict[int, Tensor] = {}  # (c, y, x)

    def slab(self, z: int) -> list[Tensor]:
        zs = around(z, self.neighbours, self.src.shape[0])
        with within("slice", z):
            self.held = {n: self.held[n] if n in self.held else self.read(n) for n in dict.fromkeys(zs)}
        return [*(self.held[n][0] for n in zs), *self.held[z][1:]]

    def read(self, z: int) -> Tensor:
        found = np.asarray(self.src[z])
        grey = tiles.pad(found if found.ndim == 3 else found[None], grid=GRID)
        scaled = torch.from_numpy(self.network.scale.forward(grey))
        return scaled.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else scaled.to(self.device)


def _blended(slabs: Iterable[tuple[int, list[Tensor]]], layout: list[tuple[Edge, Edge]], run: Runner,
             mapped: Mapped) -> Iterator[tuple[int, Tensor]]:
    """(z, (c, y, x) on the device, padded) of every slice, in order."""
    cut = ((z, n, torch.stack([image[rows, cols] for image in slab]))
           for z, slab in slabs for n, ((rows, _), (cols, _)) in enumerate(layout))

    def outputs(batch: list[tuple[int, int, Tensor]]) -> list[tuple[int, int, Tensor]]:
        with within("slice", batch[0][0]):
            results = run(torch.stack([tile for _, _, tile in batch]))
        return [(z, n, result) for (z, n, _), result in zip(batch, results, strict=True)]

    height, width = (where.stop for where, _ in layout[-1])
    for z, n, result in chain.from_iterable(mapped(outputs, iter(lambda: list(islice(cut, run.batch)), []))):
        (rows, down), (cols, along) = layout[n]
        if n == 0:
            canvas = result.new_zeros(len(result), height, width)
        canvas[:, rows, cols].addcmul_(result, down[:, None] * along)
        if n == len(layout) - 1:
            yield z, canvas


def _to_host(canvas: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """The copy on the host, and what to wait for before it is whole: the device goes on meanwhile."""
    if canvas.device.type != "cuda":
        return canvas.cpu(), None
    host = torch.empty(canvas.shape, dtype=canvas.dtype, pin_memory=True).copy_(canvas, non_blocking=True)
    ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
    ready.record()
    return host, ready


def _hand_over(z: int, host: Tensor, ready: torch.cuda.Event | None, keep: Keep) -> None:
    with within("slice", z):
        if ready:
            ready.synchronize()
        values = host.contiguous().numpy()
        if not np.isfinite(values).all():
            raise ValueError("expected numbers from the network, got NaN or infinity; train again with a lower rate, "
                             "or look for NaN in the stack")
        keep(z, values)
