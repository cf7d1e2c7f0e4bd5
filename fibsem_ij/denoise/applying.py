"""A trained network over a noisy stack: what each method does with a tile, and the guard on what comes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.denoise import calm, variational
from fibsem_ij.denoise.stacks import Finite, Good, Once, left_out
from fibsem_ij.learn.network import Network
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.learn.workers import Carried, Part, Workers, at_work, spread, unpacked
from fibsem_ij.volume import ArrayLike, WritableArray

Sinks = Mapping[str, WritableArray]  # clean, and of uncertainty and residual what is wanted


@dataclass(frozen=True)
class How:
    draws: int
    tile: int
    flips: bool
    device: str
    leave: float


def apply_network(src: ArrayLike, network: Network, sinks: Sinks, how: How, *, bad: Iterable[int], done: Collection[int],
                  workers: Workers | None, progress: Callable[[int, int], None] | None) -> None:
    _check(src, network, sinks, how)
    depth = src.shape[0]
    unseen = left_out(bad, depth) if network.neighbours else frozenset[int]()
    views = [(Good(Finite(src, "the noisy stack"), unseen.difference(run), asking=run), [z for z in run if z not in done])
             for run in _runs(depth, unseen)]  # NB: what a slice sees must not depend on which others are done
    views = [(seen, left) for seen, left in views if left]
    before = depth - sum(len(left) for _, left in views)

    def tell(more: int, _: int) -> None:
        if progress:
            progress(before + more, depth)

    def keep(zs: Sequence[int], made: Mapping[str, npt.NDArray[Any]]) -> None:
        for name, slices in made.items():
            for n, z in enumerate(zs):
                sinks[name][z] = slices[n]

    with at_work(workers, how.device, depth - before) as hands:
        if hands:
            there = _There(Carried([network]), how, {name: sink.dtype for name, sink in sinks.items()})
            spread(there, views, keep, neighbours=network.neighbours, workers=hands, progress=tell)
            return
        for seen, left in views:
            _here(seen, network, sinks, how, left, tell)
            before += len(left)


def _here(src: ArrayLike, network: Network, sinks: Sinks, how: How, left: Sequence[int],
          progress: Callable[[int, int], None] | None = None) -> None:
    seen, alone = Once(src), calm.kept(network)
    drawn = network.task == "denoise.vae" and (how.draws > 0 or "uncertainty" in sinks)

    def keep(z: int, values: npt.NDArray[np.float32]) -> None:
        noisy = seen.take(z)
        grey = network.scale.grey(values[0])
        clean = grey if alone is None else calm.calmed(grey, alone)
        if how.leave:
            clean = clean + np.float32(how.leave) * (noisy.astype(np.float32) - clean)
        clean = within(network.scale.held(clean), noisy)
        sinks["clean"][z] = clean
        if "residual" in sinks:
            sinks["residual"][z] = noisy.astype(np.float32) - clean.astype(np.float32)
        if "uncertainty" in sinks:
            sinks["uncertainty"][z] = values[1] / np.float32(network.scale.gain)

    predict(seen, network, keep, options=Options(tile=how.tile, flips=how.flips, device=how.device), slices=left, progress=progress,
            forward=variational.forward_of(network.module, how.draws) if drawn else None)


@dataclass(frozen=True)
class _There:
    """What a worker does with a part: what is asked for of `_here`, as arrays."""

    carried: Carried
    how: How
    dtypes: Mapping[str, np.dtype[Any]]  # of the sinks

    def __call__(self, part: Part, zs: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
        depth, *shape = part.shape
        made = {name: Part(np.empty((len(zs), *shape), dtype), zs[0], depth) for name, dtype in self.dtypes.items()}
        network, = unpacked(self.carried)
        _here(part, network, made, self.how, zs)
        return {name: one.slices for name, one in made.items()}


def _runs(depth: int, bad: Collection[int]) -> Iterator[range]:
    """Good slices as long as they follow one another; each bad one alone, for it is shown only to itself."""
    for lone, group in groupby(range(depth), lambda z: z in bad):
        zs = list(group)
        yield from (range(z, z + 1) for z in zs) if lone else (range(zs[0], zs[-1] + 1),)


def within(clean: npt.NDArray[Any], noisy: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The guard: shape and dtype of the noisy slice, and no value beyond its own."""
    if clean.shape != noisy.shape or clean.dtype != noisy.dtype:
        raise ValueError(f"expected {noisy.shape} {noisy.dtype} from the network, got {clean.shape} {clean.dtype}; "
                         "train it on such a stack")
    return np.asarray(np.clip(clean, noisy.min(), noisy.max()))


def _check(src: ArrayLike, network: Network, sinks: Sinks, how: How) -> None:
    if not network.task.startswith("denoise."):
        raise ValueError(f"expected a network that denoises, got one for {network.task or 'an unknown task'}; name one of denoise fit")
    if np.dtype(src.dtype).name != network.scale.dtype:
        raise ValueError(f"expected a stack of {network.scale.dtype} like the one the network learned from, got {src.dtype}; "
                         "convert the stack, or fit another network")
    if not 0 <= how.leave < 1:
        raise ValueError(f"expected a share of the noise to leave in, 0 to below 1, got {how.leave:g}; 0.3 leaves a third or so")
    if ("uncertainty" in sinks or how.draws) and network.task != "denoise.vae":
        raise ValueError(f"expected a vae for draws and an uncertainty map, got {network.task}; fit with the method vae")
    for name, array in sinks.items():
        name, dtype = ("out", src.dtype) if name == "clean" else (name, np.float32)
        if tuple(array.shape) != tuple(src.shape) or array.dtype != dtype:
            raise ValueError(f"expected {name} of shape {tuple(src.shape)} and {np.dtype(dtype)}, got {tuple(array.shape)} and "
                             f"{array.dtype}; make it like the noisy stack")
