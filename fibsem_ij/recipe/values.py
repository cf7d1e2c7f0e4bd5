"""Values of a recipe against the types of an Options: TOML's int for a float, list for a tuple, table for a mapping; else an error.

Errors name the table and the key, what was expected and the nearest name that is known.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"), int: ((int,), "a whole number"), float: ((int, float), "a number"), str: ((str,), "text in quotes")}


def checked(where: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` has it."""
    kind, inside = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return _one_of(where, value, [one for one in inside if one is not NoneType and get_origin(one) is not Callable])
    if kind is Literal:
        if value not in inside:
            raise unknown(where, "value", str(value), inside)
        return value
    if kind is tuple:
        return _listed(where, value, inside)
    if kind is not None and issubclass(kind, Mapping):
        if not isinstance(value, dict):
            raise _wrong(where, "a table", value)
        key_of, one = inside
        return {_key(where, key, key_of): checked(f"{where}.{key}", held, one) for key, held in value.items()}
    if is_dataclass(hint):
        return _nested(where, value, hint)
    if hint is Any:
        return value
    types, said = _PLAIN[hint]
    if not isinstance(value, types) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(where, said, value)
    return hint(value)


def unknown(where: str, what: str, got: str, known: Iterable[Any]) -> ValueError:
    names = [str(name) for name in known]
    near = difflib.get_close_matches(got, names, 1, 0.5) or difflib.get_close_matches(got.lower(), names, 1, 0.4)
    remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
    return ValueError(f"{where}: expected a {what} that is known, got {got!r}; {remedy}")


def _one_of(where: str, value: Any, hints: list[Any]) -> Any:
    errors = []
    for hint in hints:
        try:
            return checked(where, value, hint)
        except ValueError as error:
            errors.append(error)
    raise errors[0] if len(errors) == 1 else _wrong(where, " or ".join(_PLAIN[h][1] if h in _PLAIN else "a table" for h in hints), value)


def _listed(where: str, value: Any, inside: tuple[Any, ...]) -> tuple[Any, ...]:
    endless = len(inside) == 2 and inside[1] is ...
    if not isinstance(value, list) or (not endless and len(value) != len(inside)):
        raise _wrong(where, "a list [...]" if endless else f"a list of {len(inside)}", value)
    hints = [inside[0]] * len(value) if endless else inside
    return tuple(checked(where, one, hint) for one, hint in zip(value, hints, strict=True))


def _nested(where: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "a table", value)
    hints = {f.name: get_type_hints(kind)[f.name] for f in fields(kind)}
    for key in value:
        if key not in hints:
            raise unknown(where, "key", key, hints)
    return kind(**{key: checked(f"{where}.{key}", held, hints[key]) for key, held in value.items()})


def _key(where: str, key: str, kind: Any) -> Any:
    if kind is int and not key.isdecimal():
        raise _wrong(where, "whole numbers as its keys", key)
    return kind(key)


def _wrong(where: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{where}: expected {expected}, got {value!r}; correct the recipe")
