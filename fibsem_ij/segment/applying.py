"""Trained networks over a stack: the probability of a class is the mean over the networks that have it.

One rule for an ensemble, whose networks have the same classes, and for one network a class. They run side by side over each tile, so
that the stack is read once and nothing is rounded in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fibsem_ij.arrays.grain import areas
from fibsem_ij.learn.network import Network
from fibsem_ij.learn.predict import Options, predict
from fibsem_ij.learn.workers import Carried, Part, Workers, at_work, spread, unpacked
from fibsem_ij.segment.seen import Seen, larger
from fibsem_ij.segment.targets import BACKGROUND
from fibsem_ij.volume import ArrayLike, WritableArray


def classes_of(networks: Sequence[Network]) -> dict[int, str]:
    """id -> class, in order of id, which is that of the channels; the background has none."""
    ids: dict[str, int] = {}
    for network in networks:
        said = network.record.get("ids")
        if network.task != "segment" or not isinstance(said, Mapping) or set(network.classes.values()) - {BACKGROUND} != set(said):
            raise ValueError(f"expected a network that segments, with an id for each class, got one for "
                             f"{network.task or 'an unknown task'}; name one of segment fit")
        ids |= {str(name): int(i) for name, i in said.items()}
    if not ids or len(set(ids.values())) < len(ids):
        raise ValueError(f"expected networks whose classes have different ids, got {ids or 'none'}; take networks of one fit")
    return {i: name for name, i in sorted(ids.items(), key=lambda item: item[1])}


def exclusive_of(networks: Sequence[Network]) -> bool:
    names = set(classes_of(networks).values())
    return all(network.activation == "softmax" and names <= set(network.classes.values()) for network in networks)


@dataclass(frozen=True)
class How:
    tile: int
    flips: bool | None  # None: as the networks' preset has it
    device: str


def apply_networks(src: ArrayLike, networks: Sequence[Network], out: WritableArray, how: How, *, slices: Sequence[int],
                   done: Collection[int], workers: Workers | None, progress: Callable[[int, int], None] | None) -> None:
    shape = (len(classes_of(networks)), len(slices), *src.shape[1:])
    _alike(src, networks)
    if tuple(out.shape) != shape or out.dtype != np.uint8:
        raise ValueError(f"expected out of shape {shape} and uint8, got {tuple(out.shape)} and {out.dtype}; "
                         "its channels are the classes without the background")
    at = {z: n for n, z in enumerate(slices)}
    if list(at) != sorted(slices):
        raise ValueError(f"expected slices in growing order, each once, got {list(slices)}; sort them")
    left = [z for z, n in at.items() if n not in done]

    def keep(zs: Sequence[int], made: npt.NDArray[np.uint8]) -> None:
        for n, z in enumerate(zs):
            out[:, at[z]] = made[:, n]

    def tell(more: int, _: int) -> None:
        if progress:
            progress(len(slices) - len(left) + more, len(slices))

    with at_work(workers, how.device, len(left)) as hands:
        if hands:
            spread(_There(Carried(networks), how), [(src, left)], keep, neighbours=networks[0].neighbours, workers=hands, progress=tell)
        else:
            _here(src, networks, lambda z, made: keep([z], made[:, None]), how, left, tell)


def _here(src: ArrayLike, networks: Sequence[Network], keep: Callable[[int, npt.NDArray[np.uint8]], None], how: How, left: Sequence[int],
          progress: Callable[[int, int], None] | None = None) -> None:
    context, grain_px = _alike(src, networks)
    height, width = src.shape[1:]
    flips = bool(networks[0].record["options"].get("flips")) if how.flips is None else how.flips
    together = replace(networks[0], module=Together(networks, list(classes_of(networks).values())), classes={}, activation="none")

    def rounded(z: int, values: npt.NDArray[np.float32]) -> None:
        keep(z, np.rint(larger(values, context)[:, :height, :width] * 255).astype(np.uint8))

    predict(Seen(src, context=context, grain_px=grain_px), together, rounded, slices=left, progress=progress,
            options=Options(tile=how.tile, flips=flips, device=how.device, bf16=True))


@dataclass(frozen=True)
class _There:
    """What a worker does with a part: what `_here` does, into an array."""

    carried: Carried
    how: How

    def __call__(self, part: Part, zs: Sequence[int]) -> npt.NDArray[np.uint8]:
        networks, made = unpacked(self.carried), list[npt.NDArray[np.uint8]]()
        _here(part, networks, lambda _, one: made.append(one), self.how, zs)  # predict keeps them in order
        return np.stack(made, 1)


class Together(nn.Module):
    """(b, inputs, y, x) -> (b, names, y, x): probabilities."""

    def __init__(self, networks: Sequence[Network], names: Sequence[str]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(network.module for network in networks)
        found = [(has, (n, c)) for n, network in enumerate(networks) for c, has in network.classes.items()]
        self.channels = [[at for has, at in found if has == name] for name in names]
        self.softmax = [network.activation == "softmax" for network in networks]

    def forward(self, x: Tensor) -> Tensor:
        raw = [net(x).float() for net in self.nets]
        shares = [values.softmax(1) if one else values.sigmoid() for values, one in zip(raw, self.softmax, strict=True)]
        return torch.stack([torch.stack([shares[n][:, c] for n, c in those]).mean(0) for those in self.channels], 1)


def _alike(src: ArrayLike, networks: Sequence[Network]) -> tuple[int, tuple[int, ...]]:
    """The context and grains that all share."""
    if len(src.shape) != 3 or 0 in src.shape:
        raise ValueError(f"expected a stack (z, y, x), got shape {tuple(src.shape)}; one slice: array[None]")
    if np.dtype(src.dtype).name != networks[0].scale.dtype:
        raise ValueError(f"expected a stack of {networks[0].scale.dtype} like the one the network learned from, got {src.dtype}; "
                         "convert the stack, or fit another network")
    kinds = {(network.scale, network.config.inputs, *_seen(network)) for network in networks}
    if len(kinds) > 1:
        raise ValueError(f"expected networks of one fit, got {len(kinds)} that see the stack in different ways; apply them one by one")
    return _seen(networks[0])


def _seen(network: Network) -> tuple[int, tuple[int, ...]]:
    said: Any = network.record["options"]
    context, patch = int(said["context"]), int(said["patch"])
    return context, areas([float(share) for share in said["grain"]], patch_px=patch * context)
