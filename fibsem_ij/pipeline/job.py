"""A stage under way: what it is given."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fibsem_ij import files
from fibsem_ij.arrays.gaps import without_gaps
from fibsem_ij.files import transforms
from fibsem_ij.pipeline.source import Listing
from fibsem_ij.recipe import Recipe
from fibsem_ij.volume import Volume
from fibsem_ij.workspace import Workspace

if TYPE_CHECKING:
    from fibsem_ij.learn.workers import Workers


@dataclass(frozen=True)
class Job:
    ws: Workspace
    recipe: Recipe
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    key: str  # of all that decides about the result
    state: Path  # a folder for what a stopped run leaves
    executor: Executor | None = None
    networks: Workers | None = None
    progress: Callable[[int, int], None] | None = None
    say: Callable[[str], None] = lambda _: None
    listing: Listing = field(default_factory=Listing)  # of the source
    base: str = ""  # of what decides about every slice of the result
    sums: tuple[str, ...] = ()  # of the slices of the store that it reads
    placed: tuple[str, ...] = ()  # names of the slices that had a place before others came
    hold: bool = False  # and keep it, whatever the recipe says
    start: Path | None = None  # its own last result, to go on from

    @property
    def out(self) -> Path:
        return self.writes[0]

    def stack(self, *, gaps: bool = False) -> Volume:
        """The grey stack that it reads, which comes first; with its NaN and infinity where `gaps` says so, else these are closed."""
        path = self.reads[0]
        found = files.read(path, voxel_nm=self.recipe.input.voxel_nm if path.stem == "raw" else None)
        return found if gaps else found.with_data(without_gaps(found.data))

    def bad(self) -> tuple[int, ...]:
        return transforms.read(self.ws.transforms).bad if self.ws.transforms in self.reads else ()
