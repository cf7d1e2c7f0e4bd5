"""Run ImageJ macros and menu commands. Data goes in as the macro's argument or as images, never pasted into code.

A macro's error arrives as a FijiError with ImageJ's own message, line and statement; so does what ImageJ would only have logged:
an error in a macro that this one ran, and an exception in a plugin.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fibsem_ij.fiji.console import Heard, listening
from fibsem_ij.fiji.errors import FijiError, OutOfHeap, said, translated
from fibsem_ij.fiji.windows import tidied
from fibsem_ij.fiji.words import one_line, option_string
from fibsem_ij.volume import Volume

Noun = Callable[[Any], Volume]  # ij.ImagePlus -> Volume or Labels

_CANCELED = "Macro canceled"  # ij.Macro.MACRO_CANCELED: how ImageJ ends a macro, for an error as for exit()
_NO_MEMORY = re.compile(r"<Out of memory>|not enough free memory|Insufficient memory")
_TRACE = re.compile(r"^(?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b.*\n(?:[^\n]*\n)*?\s+at .*", re.MULTILINE)


@dataclass(frozen=True)
class MacroResult:
    """What a macro gave back: its return value, the given images as it left them, those it opened, and what it printed."""

    value: str | None
    given: tuple[Volume, ...]
    opened: tuple[Volume, ...]
    log: str


def source_of(path_or_code: str | Path) -> tuple[str, str]:
    """(code, name). A Path, or a text of one line that ends in .ijm or .txt, is a file; anything else is code."""
    if isinstance(path_or_code, str) and ("\n" in path_or_code or not re.search(r"\.(ijm|txt)$", path_or_code.strip())):
        return path_or_code, "macro"
    path = Path(path_or_code)
    if not path.is_file():
        raise FileNotFoundError(f"expected a macro file, got no file {path}; give a path to a .ijm or the code itself")
    return path.read_text(encoding="utf-8"), path.name


def run_macro(code: str, name: str, argument: str, images: Sequence[Any], *, leave_open: bool, windows: bool, noun: Noun) -> MacroResult:
    """Runs on the calling thread; the last of `images` (ImagePlus) is the current one."""
    from jpype import JClass

    with translated(f"run {name}"), tidied(leave_open=leave_open) as opened:
        for imp in images:
            imp.show()
        given = {int(imp.getID()) for imp in images}
        interpreter = JClass("ij.macro.Interpreter")()
        with listening(windows=windows) as heard:
            value, ended = _interpret(interpreter, code, argument)
        _check(interpreter, heard, code, name, ended)
        new = [imp for imp in opened.new() if int(imp.getID()) not in given]
        text = None if value is None else str(value)
        return MacroResult(text, tuple(map(noun, images)), tuple(map(noun, new)), heard.log)


def _interpret(interpreter: Any, code: str, argument: str) -> tuple[Any, bool]:
    """(return value, whether it came to its end)."""
    from jpype import JClass

    try:
        return interpreter.run(code, argument), True
    except JClass("java.lang.RuntimeException") as thrown:
        if str(thrown.getMessage()) != _CANCELED:
            raise
        return None, False


def _check(interpreter: Any, heard: Heard, code: str, name: str, ended: bool) -> None:
    message = heard.macro_error or str(interpreter.getErrorMessage() or "")
    if not message and not ended and _exits_with_message(code, int(interpreter.getLineNumber())):
        message = f"{heard.log.strip().splitlines()[-1]} (its own exit, line {interpreter.getLineNumber()})"
    if message:
        raise FijiError(f"expected {name} to run, got a macro error: {_flat(message)}; correct the macro")
    _check_log(heard, name)


def _exits_with_message(code: str, line: int) -> bool:
    """Whether the exit at `line` was exit("message"), which says that something is wrong; a plain exit just ends the macro."""
    before = "\n".join(code.splitlines()[:line])
    exits = list(re.finditer(r"\bexit\b\s*(\(\s*[^)\s])?", before))
    return bool(exits and exits[-1][1])


def _check_log(heard: Heard, name: str) -> None:
    """NB: an exception or want of memory in a plugin that a macro runs is only printed to ImageJ's log."""
    if match := _NO_MEMORY.search(heard.log):
        raise OutOfHeap(f"expected {name} to run, got {match[0]!r} from ImageJ; close images, or start with a larger heap in a new process")
    if match := _TRACE.search(heard.log):
        first, place, *_ = match[0].splitlines()
        cause = re.findall(r"^Caused by: (.*)$", heard.log[match.start() :], re.MULTILINE)
        raise FijiError(f"expected {name} to run, got {cause[-1] if cause else first} in a plugin ({place.strip()}); see its documentation")


def run_command(name: str, imp: Any, options: dict[str, object], *, leave_open: bool, windows: bool, noun: Noun) -> Volume | None:
    """The image that the command opened, else the given one as the command left it, else None."""
    from jpype import JClass

    one_line(name, "a command name")
    if imp is not None and int(imp.getStackSize()) > 1:
        # NB: without this key ImageJ filters the current slice alone, and says nothing.
        options = {"stack": True} | options
    text = option_string(options)
    with translated(f"run {name!r}"), tidied(leave_open=leave_open) as opened:
        manager, ij = JClass("ij.WindowManager"), JClass("ij.IJ")
        manager.setTempCurrentImage(imp)
        with listening(windows=windows) as heard:
            _menu_command(name, text)
        _check_command(name, str(ij.getErrorMessage() or ""), heard)
        new = opened.new()
        if len(new) > 1:
            raise FijiError(f"expected {name!r} to open one image, got {len(new)} ({', '.join(str(i.getTitle()) for i in new)}); "
                            "run it from a macro, whose result lists them all")
        result = new[0] if new else imp
        return None if result is None else noun(result)


def _menu_command(name: str, options: str) -> None:
    """As IJ.run, but for a plugin's exception, which IJ.run would write to its log and pass over."""
    from jpype import JClass

    ij, menus = JClass("ij.IJ"), JClass("ij.Menus")
    ij.redirectErrorMessages(True)
    entry = (menus.getCommands() or {}).get(name)
    if entry is None:
        # Renamed commands, lookup tables, installed macros; the first call loads the menus.
        _run_canceled(lambda: ij.run(name, options))
        return
    class_name, _, argument = str(entry).partition('("')
    JClass("ij.Macro").setOptions(options)
    try:
        _run_canceled(lambda: ij.runPlugIn(name, class_name, argument.removesuffix('")')))
    finally:
        JClass("ij.Macro").setOptions(None)


def _run_canceled(call: Callable[[], Any]) -> None:
    from jpype import JClass

    try:
        call()
    except JClass("java.lang.RuntimeException") as thrown:
        if str(thrown.getMessage()) != _CANCELED:
            raise FijiError(f"expected the command to run, got {said(thrown)}") from thrown


def _check_command(name: str, message: str, heard: Heard) -> None:
    from jpype import JClass

    if message.startswith("Unrecognized command"):
        near = difflib.get_close_matches(name, [str(key) for key in JClass("ij.Menus").getCommands()], n=3)
        raise FijiError(f"expected a command of ImageJ's menus, got {name!r}; did you mean {' or '.join(map(repr, near)) or 'another'}?")
    if message:
        raise FijiError(f"expected {name!r} to run, got {_flat(message)}; check its options with Plugins > Macros > Record")
    if heard.macro_error:
        raise FijiError(f"expected {name!r} to run, got a macro error: {_flat(heard.macro_error)}; correct the macro")
    _check_log(heard, name)


def _flat(message: str) -> str:
    return " ".join(message.split()).rstrip(" ;")
