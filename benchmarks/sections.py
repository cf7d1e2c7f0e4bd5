"""A benchmark's parts by name, told as rows of one table, each as soon as it is known."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence


def tell(parser: argparse.ArgumentParser, every: Mapping[str, Iterable[Sequence[str]]], only: str, *, columns: Sequence[str],
         note: str = "") -> None:
    """`only`: names by comma, all where it is empty; `note` goes under a name that is not among them."""
    wanted = [name for name in only.split(",") if name] or list(every)
    if unknown := set(wanted) - set(every):
        parser.error(f"expected some of {', '.join(every)}, got {', '.join(sorted(unknown))}{note}")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name in wanted:
        for row in every[name]:
            print(f"| {' | '.join(row)} |", flush=True)
