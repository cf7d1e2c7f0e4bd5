"""Loops as machine code (Numba): compiled when they are first called, kept on disk, so that naming them costs nothing.

They hold no lock, so threads run side by side. One may call another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    return cast(Function, Compiled(function))


class Compiled:
    def __init__(self, function: Callable[..., Any], **how: Any) -> None:
        """`how`: more of what `numba.njit` takes."""
        update_wrapper(self, function)
        self._function, self._how = function, how

    @cached_property
    def machine_code(self) -> Callable[..., Any]:
        import numba

        made: Callable[..., Any] = numba.njit(self._function, nogil=True, cache=True, **self._how)
        return made

    def __call__(self, *args: Any) -> Any:
        return self.machine_code(*args)

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks for when one loop names another."""
        import numba

        return numba.typeof(self.machine_code)
