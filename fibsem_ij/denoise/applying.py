"""A trained network over a noisy stack: what each method does with a tile, and the guard on what comes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.denoise import calm, variational
from fibsem_ij.denoise.stacks import Finite, Good, Once, left_out
from fibsem_ij.learn.network import Network
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.volume import ArrayLike, WritableArray


def apply_network(src: ArrayLike, network: Network, out: WritableArray, *, uncertainty: WritableArray | None,
                  residual: WritableArray | None, bad: Iterable[int], draws: int, tile: int, flips: bool, device: str,
                  done: Collection[int], progress: Callable[[int, int], None] | None) -> None:
    _check(src, network, out, uncertainty, residual, draws)
    unseen = left_out(bad, src.shape[0]) if network.neighbours else frozenset[int]()
    drawn = network.task == "denoise.vae" and (draws > 0 or uncertainty is not None)
    alone = calm.kept(network)
    forward = variational.forward_of(network.module, draws) if drawn else None

    def keep(z: int, values: npt.NDArray[np.float32]) -> None:
        noisy = seen.take(z)
        grey = network.scale.grey(values[0])
        clean = within(network.scale.held(grey if alone is None else calm.calmed(grey, alone)), noisy)
        out[z] = clean
        if residual is not None:
            residual[z] = noisy.astype(np.float32) - clean.astype(np.float32)
        if uncertainty is not None:
            uncertainty[z] = values[1] / np.float32(network.scale.gain)

    def tell(before: int, more: int, _: int) -> None:
        if progress:
            progress(before + more, src.shape[0])

    before = len(set(done))
    for run in _runs(src.shape[0], unseen):
        left = [z for z in run if z not in done]  # NB: what a slice sees must not depend on which others are done
        if not left:
            continue
        seen = Once(Good(Finite(src, "the noisy stack"), unseen.difference(run), asking=run))
        predict(seen, network, keep, options=Options(tile=tile, flips=flips, device=device), forward=forward, slices=left,
                progress=partial(tell, before))
        before += len(left)


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


def _check(src: ArrayLike, network: Network, out: WritableArray, uncertainty: WritableArray | None, residual: WritableArray | None,
           draws: int) -> None:
    if not network.task.startswith("denoise."):
        raise ValueError(f"expected a network that denoises, got one for {network.task or 'an unknown task'}; name one of denoise fit")
    if np.dtype(src.dtype).name != network.scale.dtype:
        raise ValueError(f"expected a stack of {network.scale.dtype} like the one the network learned from, got {src.dtype}; "
                         "convert the stack, or fit another network")
    if (uncertainty is not None or draws) and network.task != "denoise.vae":
        raise ValueError(f"expected a vae for draws and an uncertainty map, got {network.task}; fit with the method vae")
    for name, array, dtype in (("out", out, src.dtype), ("uncertainty", uncertainty, np.float32), ("residual", residual, np.float32)):
        if array is not None and (tuple(array.shape) != tuple(src.shape) or array.dtype != dtype):
            raise ValueError(f"expected {name} of shape {tuple(src.shape)} and {np.dtype(dtype)}, got {tuple(array.shape)} and "
                             f"{array.dtype}; make it like the noisy stack")
