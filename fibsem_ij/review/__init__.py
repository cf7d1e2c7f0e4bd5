"""Manual review: which slices are worth a look, out to ImageJ or Fiji, and the corrections back into the workspace.

    queue      review.csv: the slices worth a look, the worst first, across stages, with the reason in words
    open_      review/: a small stack of just those slices, their labels and outlines, for ImageJ
    collect    reads back what a person corrected: labels, drawn slices, one matrix; nothing that was drawn is lost
    nudge      puts one slice elsewhere
    show, keep the same in a running ImageJ, and from there into the files of review/

A workspace is a folder (`fibsem_ij.workspace`). The modules: ranking (doubts on one scale), registration, denoising, segmentation, objects
(doubts of each stage), listing; layers, opened, opening; reading, painting, placing (what was corrected), versions, editing, collecting;
live, running.
"""

from __future__ import annotations

from fibsem_ij.review.collecting import Collected, collect, nudge
from fibsem_ij.review.listing import Entry, queue
from fibsem_ij.review.live import keep, show
from fibsem_ij.review.opening import open_
from fibsem_ij.workspace import Workspace

__all__ = ["Collected", "Entry", "Workspace", "collect", "keep", "nudge", "open_", "queue", "show"]
