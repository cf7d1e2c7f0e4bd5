"""Keys and values in one text, as ImageJ writes the options of a command and a macro its argument: key=value key=[a value with spaces].

ImageJ's own reader takes the first place that looks like a key, also inside another's value, and a value in brackets ends at the first
bracket: so a name of a file can set a key. Here what cannot be read in one way only is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def read(text: str) -> dict[str, str]:
    """The keys in a text as ImageJ writes options: `src=raw.tif out=[a name with spaces.tif] keep_trend`.

    A value in brackets may hold pairs of brackets. What cannot be read in one way only is refused, not guessed.
    """
    found: dict[str, str] = {}
    at = 0
    while match := re.compile(r"\s*([A-Za-z_]\w*)(=)?").match(text, at):
        key, value, at = match[1], "true", match.end()
        if match[2]:
            value, at = _value(text, at)
        if key in found:
            raise ValueError(f"expected each key once, got {key} twice; a name with ] in it cannot be given in this way")
        if at < len(text) and not text[at].isspace():
            raise ValueError(f"expected a space after {key}, got {text[at : at + 20]!r}; write a value with spaces as {key}=[...]")
        found[key] = value
    if text[at:].strip():
        raise ValueError(f"expected key=value or key=[a value with spaces], got {text[at : at + 40].strip()!r}")
    return found


def write(keys: Mapping[str, str]) -> str:
    """What `read` reads; empty where a value has something in it that such a text cannot hold."""
    try:
        text = " ".join(f"{key}={value}" if value and not re.search(r"[\s\[\]]", value) else f"{key}=[{value}]"
                        for key, value in keys.items())
        return text if read(text) == dict(keys) else ""
    except ValueError:
        return ""


def _value(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != "[":
        end = next((i for i in range(at, len(text)) if text[i].isspace()), len(text))
        return text[at:end], end
    depth = 0
    for end in range(at, len(text)):
        depth += {"[": 1, "]": -1}.get(text[end], 0)
        if not depth:
            return text[at + 1 : end], end + 1
    raise ValueError(f"expected a ] that closes {text[at : at + 40]!r}; a name with a single bracket cannot be given in this way")
