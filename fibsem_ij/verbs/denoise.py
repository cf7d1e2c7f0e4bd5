"""denoise over files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fibsem_ij import denoise, files, register
from fibsem_ij.verbs.training import thousandths
from fibsem_ij.volume import Volume

if TYPE_CHECKING:
    from fibsem_ij.learn.network import Network
    from fibsem_ij.learn.workers import Workers

Progress = Callable[[int, int], None]


def fit(stack: Volume, net: Path, *, clean: Path | None = None, scans: Path | None = None, aligned: bool = False, bad: Iterable[int] = (),
        options: denoise.Options, state: Path, log: Path | None = None, progress: Progress | None = None) -> Network:
    """Train, and write the network. `aligned`: the scans of a field lie on one another already."""
    from fibsem_ij.files import networks

    network = denoise.fit(stack, files.read(clean) if clean else None, scans=fields(scans) if scans else None, bad=bad,
                          align=None if aligned else registered, options=options, state=state, log=log, progress=thousandths(progress))
    networks.write(net, network)
    return network


def apply(stack: Volume, network: Network, out: Path, *, uncertainty: Path | None = None, residual: Path | None = None,
          bad: Iterable[int] = (), draws: int = 0, leave: float = 0.0, flips: bool = False, device: str = "auto",
          workers: Workers | None = None, progress: Progress | None = None, resume: str = "", of: Sequence[str] = ()) -> None:
    """Write the clean stack. NB: `resume` and `of` are of the clean stack alone; the others are written in one run."""
    with ExitStack() as open_:
        sinks: list[Any] = [open_.enter_context(files.create(path, shape=stack.shape, dtype=dtype, voxel_nm=stack.voxel_nm,
                                                             names=stack.names, resume=again, of=made)) if path else None
                            for path, dtype, again, made in ((out, stack.dtype, resume, of), (uncertainty, "float32", "", ()),
                                                             (residual, "float32", "", ()))]
        denoise.apply(stack, network, sinks[0], uncertainty=sinks[1], residual=sinks[2], bad=bad, draws=draws, leave=leave, flips=flips,
                      device=device, done=sinks[0].done, workers=workers, progress=progress)


def registered(scans: Any) -> Any:
    """Scans of one field, put on the first of them; what moved in from outside stays as it was."""
    fitted = register.fit(scans, options=register.Options(model="translation", reference=0))
    moved = register.apply(scans.astype(np.float32), fitted, interpolation="cubic", fill=np.nan)
    return np.where(np.isnan(moved), scans, moved)


def fields(folder: Path) -> Sequence[Volume]:
    """One stack (scan, y, x) a field, in natural order; a folder of single slices is one field."""
    from fibsem_ij.files.folder import natural

    if not folder.is_dir():
        return [files.read(folder)]
    found = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: natural(p.name))
    folders = [p for p in found if p.is_dir()]
    stacks = [files.read(p) for p in folders or found]
    return stacks if folders or any(len(stack) > 1 for stack in stacks) else [files.read(folder)]
