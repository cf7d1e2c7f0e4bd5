"""Text that goes to ImageJ. Data is handed over as objects and never pasted into macro code; what could still be read as more than
text (a line break in a label, a bracket in an option string) is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fibsem_ij.fiji.errors import FijiError

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_BARE = re.compile(r"[A-Za-z0-9_./\\:-]+")


def one_line(text: str, what: str) -> str:
    """`text` itself, if it is one line that Java can hold."""
    if bad := [c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" or 0xD800 <= ord(c) < 0xE000]:
        raise FijiError(f"expected {what} of one line, got {text!r} with {bad[0]!r}; replace that character")
    return text


def option_string(options: Mapping[str, object]) -> str:
    """Keyword options as ImageJ's `key=value flag` text. True is a flag, False is left out.

    NB: ImageJ looks for ` key=` anywhere in the text and ends a [value] at the first `]`, so a crafted value could set another
    option: values with [ ] = & or control characters are refused. Never empty: without options ImageJ would open its dialog.
    """
    return " ".join([_option(key, value) for key, value in options.items() if value is not False]) + " "


def _option(key: str, value: object) -> str:
    if not _KEY.fullmatch(key):
        raise FijiError(f"expected an option name of letters, digits and _, got {key!r}; look it up with Plugins > Macros > Record")
    if value is True:
        return key
    if isinstance(value, (int, float)):
        return f"{key}={value!r}"
    text = one_line(str(value), f"option {key}")
    if any(c in "[]=&" for c in text):
        raise FijiError(f"expected option {key} without [ ] = &, got {text!r}; hand it over as a macro's argument, or rename the file")
    return f"{key}={text}" if _BARE.fullmatch(text) else f"{key}=[{text}]"
