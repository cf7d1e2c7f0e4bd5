"""segment over files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fibsem_ij import files, segment
from fibsem_ij.files import probabilities as stores
from fibsem_ij.files.drawn import Drawn
from fibsem_ij.verbs.training import thousandths
from fibsem_ij.volume import Volume

if TYPE_CHECKING:
    from fibsem_ij.learn.network import Network
    from fibsem_ij.learn.workers import Workers
    from fibsem_ij.segment.options import Prepare

Progress = Callable[[int, int], None]


def fit(stack: Volume, layer: Drawn, net: Path, *, options: segment.Options, encoder: Path | None = None, start: Path | None = None,
        or_afresh: bool = False, state: Path, log: Path | None = None, progress: Progress | None = None) -> list[Network]:
    """Train on what was drawn, and write the networks. `or_afresh`: where `start` does not fit, it is done without."""
    from fibsem_ij.files import networks

    trained = segment.fit(stack, layer.slices, names=layer.names, options=options, state=state, log=log,
                          prepare=starts(options, encoder, start, or_afresh=or_afresh), progress=thousandths(progress))
    networks.write_all(net, trained)
    return trained


def apply(stack: Volume, trained: Sequence[Network], out: Path, *, slices: Sequence[int] | None = None, tile: int, flips: bool | None,
          device: str = "auto", workers: Workers | None = None, progress: Progress | None = None, resume: str = "",
          of: Sequence[str] = ()) -> None:
    """Write the probabilities, a channel for each class; with `slices` of those alone."""
    chosen = range(len(stack)) if slices is None else slices
    with stores.create(out, names=segment.classes(trained), shape=(len(chosen), *stack.shape[1:]), voxel_nm=stack.voxel_nm,
                       slice_names=[stack.names[z] for z in chosen], least_px=segment.least_drawn(trained),
                       exclusive=segment.exclusive(trained), resume=resume, of=of) as filled:
        segment.apply(stack, trained, filled, slices=chosen, tile=tile, flips=flips, device=device, done=filled.done, workers=workers,
                      progress=progress)


def class_image(out: Path, like: Any, names: Mapping[int, str], *, slices: Sequence[int] | None = None) -> AbstractContextManager[Any]:
    chosen = range(like.shape[0]) if slices is None else slices
    return files.create(out, shape=(len(chosen), *like.shape[1:]), dtype="uint8", voxel_nm=like.voxel_nm,
                        names=[like.names[z] for z in chosen], labels=True, classes=names)


def starts(options: segment.Options, encoder: Path | None, start: Path | None, *, or_afresh: bool = False) -> Prepare | None:
    """What puts the user's own weights into a network: those of a whole network, or of an encoder."""
    if start:
        from fibsem_ij.files import networks
        from fibsem_ij.segment.starting import from_networks

        return from_networks(networks.read_all(start), or_afresh=or_afresh)
    if encoder is None:
        return None
    if options.network != "efficientunet":
        raise ValueError(f"expected --encoder with --network efficientunet, got {options.network}; leave one of them out")
    from fibsem_ij.learn.nets.efficientunet import load_encoder

    return lambda module, _: load_encoder(module, encoder)
