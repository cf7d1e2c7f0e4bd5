"""How many of a CPU's cores a training takes: all of them, or all but one, as the machine is busy or not.

The threads of an update wait for one another by spinning. Where another program has a core too, each waits for its turn: on two cores
an update took 6 to 13 times as long in float32, and 9 times in bfloat16, as on one of them; on a quiet machine it takes .6 and .7 of
that. Tried as well: the halves of a batch side by side (an update .107 s where two threads take .099 and one .146; beside a busy
program .172 and .151), and threads that sleep while they wait (.157, and .42 beside a program).

So a training by the clock tries all cores now and then, and keeps what is faster. Other threads, other bits: one by updates, which is
to end with the same bits each time, leaves a core free throughout. How they are applied: `lanes`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import torch

_WAIT = 100, 1600  # updates until all cores are tried again: after one trial that did not pay, and at most


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pace:
    """`all_cores` is whether the next update takes them; it begins without."""

    def __init__(self) -> None:
        self.all_cores = False
        self.recent: deque[float] = deque(maxlen=3)
        self.without = 0.0  # s an update takes with a core left free
        self.left, self.wait = 3, _WAIT[0]  # updates until all cores are tried, and from a trial that does not pay to the next

    def took(self, seconds: float) -> bool:
        """Told of each update; true where what `all_cores` says has changed."""
        self.recent.append(seconds)
        self.left -= 1
        if self.all_cores:
            changes = sum(self.recent) > 3 * self.without  # NB: of fewer than three, so that one very slow one is enough
            if changes:
                self.left, self.wait = self.wait, min(2 * self.wait, _WAIT[1])
            elif self.left <= 0:
                self.wait = _WAIT[0]
        else:
            changes = self.left <= 0
            if changes:
                self.without, self.left = median(self.recent), _WAIT[0]
        if changes:
            self.all_cores = not self.all_cores
            self.recent.clear()
        return changes


@contextmanager
def paced(device: torch.device, *, by_clock: bool) -> Iterator[Callable[[float], None]]:
    """What to tell the seconds of each update; torch has its threads back afterwards."""
    threads, most = torch.get_num_threads(), cores()
    if device.type != "cpu" or not threads >= most > 1:  # NB: who asked for fewer threads than cores has left some free
        yield lambda seconds: None
        return
    pace = Pace()

    def told(seconds: float) -> None:
        if by_clock and pace.took(seconds):
            torch.set_num_threads(threads if pace.all_cores else most - 1)

    torch.set_num_threads(most - 1)
    try:
        yield told
    finally:
        torch.set_num_threads(threads)
