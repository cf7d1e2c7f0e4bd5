"""Run a script with #@ parameters through SciJava's ScriptService: Groovy and Jython with the embedded ImageJ, every language of a Fiji.

NB: SciJava fills a missing input with the value last used under that name, by any script in any process. Here an input is given, or
the script itself declares `value=` for it or `required=false`, or it is a SciJava service; else it is an error.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fibsem_ij.fiji.console import listening
from fibsem_ij.fiji.errors import FijiError, translated
from fibsem_ij.fiji.rois import from_roi
from fibsem_ij.fiji.tables import from_table
from fibsem_ij.fiji.windows import tidied

_ENGINES = ("org.codehaus.groovy.jsr223.GroovyScriptEngineFactory", "org.python.jsr223.PyScriptEngineFactory")
# What a Fiji knows by its short name in #@ lines, besides SciJava's own.
_SHORT_NAMES = ("ij.ImagePlus", "ij.gui.Roi", "ij.gui.Overlay", "ij.measure.ResultsTable", "java.util.List", "java.util.Map")
_NUMBERS = ("byte", "short", "int", "integer", "long", "float", "double", "number", "biginteger", "bigdecimal")
_FAILED_IN = "at org.scijava.script.ScriptModule.run("  # the frame under every uncaught exception of a script


@cache
def embedded_context() -> Any:
    """A SciJava context with the two script engines that the embedded ImageJ has."""
    from jpype import JClass

    # NB: Context() would pick the varargs constructor and have no services at all.
    context = JClass("org.scijava.Context")(False)
    service = context.service(JClass("org.scijava.script.ScriptService"))
    for engine in _ENGINES:
        service.getIndex().add(JClass(engine)(), True)
    for name in _SHORT_NAMES:
        service.addAlias(JClass(name))
    return context


def run_script(
    context: Any, path: Path, inputs: Mapping[str, Any], *, leave_open: bool, windows: bool, noun: Callable[[Any], Any]
) -> dict[str, Any]:
    """The script's outputs by name. `inputs` are Java or plain Python values; an image is an ImagePlus."""
    from jpype import JClass

    if not path.is_file():
        raise FileNotFoundError(f"expected a script, got no file {path}")
    with translated(f"run {path.name}"), tidied(leave_open=leave_open):
        info = _info(context, path)
        module = info.createModule()
        context.inject(module)
        complaints = JClass("java.io.StringWriter")()
        module.setErrorWriter(complaints)
        for item in info.inputs():
            name = str(item.getName())
            module.setInput(name, _value(context, item, inputs, path))
            module.resolveInput(name)
        _refuse_unknown(info, inputs, path)
        with listening(windows=windows):
            module.run()
        _check(str(complaints.toString()), path)
        outputs = {str(item.getName()): module.getOutput(item.getName()) for item in info.outputs()}
        if bool(info.isReturnValueAppended()) and outputs.get("result") is None:
            outputs.pop("result", None)
        return {name: to_python(value, noun) for name, value in outputs.items()}


def _info(context: Any, path: Path) -> Any:
    from jpype import JClass

    info = JClass("org.scijava.script.ScriptInfo")(context, JClass("java.io.File")(str(path.resolve())))
    if info.getLanguage() is None:
        raise FijiError(f"expected a script in a language of this ImageJ (.groovy, .py), got {path.name}; more come with a Fiji")
    with listening(windows=False) as heard:
        info.inputs()
    # NB: SciJava warns of a parameter that it does not understand, and drops it.
    if ignored := re.findall(r"Ignoring invalid parameter: (.*)", heard.log + heard.errors):
        raise FijiError(f"expected #@ parameters of known types in {path.name}, got {ignored[0]!r}; write the full class name")
    return info


def to_java(value: Any) -> Any:
    """A plain Python value as a Java object; anything else is left alone."""
    from jpype import JClass

    for kind, java in _BOXES:
        if isinstance(value, kind):
            return JClass(java)(str(value) if kind in (str, Path) else value)
    return value


def to_python(value: Any, noun: Callable[[Any], Any]) -> Any:
    """Images become nouns, tables columns, ROIs (name, bytes), lists and maps of these likewise; an unknown Java object stays one."""
    from jpype import JArray, JClass

    if value is None:
        return None
    for name, convert in _CONVERTERS.items():
        if isinstance(value, JClass(name)):
            return convert(value)
    if isinstance(value, JClass("ij.ImagePlus")):
        return noun(value)
    if isinstance(value, (JClass("java.util.List"), JArray)):
        return [to_python(item, noun) for item in value]
    if isinstance(value, JClass("java.util.Map")):
        return {str(entry.getKey()): to_python(entry.getValue(), noun) for entry in value.entrySet()}
    return value


# NB: bool before int, of which it is a kind.
_BOXES = (
    (bool, "java.lang.Boolean"),
    (int, "java.lang.Long"),
    (float, "java.lang.Double"),
    (str, "java.lang.String"),
    (Path, "java.lang.String"),
)
_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "java.lang.String": str,
    "java.lang.Character": str,
    "java.lang.Boolean": bool,
    "java.lang.Float": float,
    "java.lang.Double": float,
    "java.lang.Number": lambda number: int(str(number)) if re.fullmatch(r"-?\d+", str(number)) else float(str(number)),
    "java.io.File": lambda file: Path(str(file)),
    "ij.measure.ResultsTable": from_table,
    "ij.gui.Roi": from_roi,
}


def _value(context: Any, item: Any, inputs: Mapping[str, Any], path: Path) -> Any:
    from jpype import JClass

    name, kind = str(item.getName()), item.getType()
    if name in inputs:
        return _converted(context, name, inputs[name], kind, path)
    if JClass("org.scijava.service.Service").class_.isAssignableFrom(kind):
        return context.getService(kind)
    if JClass("org.scijava.Context").class_.isAssignableFrom(kind):
        return context
    default = item.getDefaultValue()
    if default is None and item.isRequired():
        raise FijiError(f"expected input {name!r} ({kind.getSimpleName()}) for {path.name}, got none; pass {name}=...")
    return default


def _converted(context: Any, name: str, value: Any, kind: Any, path: Path) -> Any:
    """NB: SciJava's converter makes 0 of a text that is no number, 2 of 2.5, and false of "yes", without a word."""
    from jpype import JClass

    given = _meant(value, kind)
    converted = context.service(JClass("org.scijava.convert.ConvertService")).convert(given, kind)
    number, boolean = JClass("java.lang.Number"), JClass("java.lang.Boolean")
    lost = isinstance(converted, number) and (not isinstance(given, number) or float(converted) != float(given))
    if lost or (isinstance(converted, boolean) and not isinstance(given, boolean)) or (converted is None and given is not None):
        raise FijiError(f"expected input {name!r} of {path.name} as {kind.getSimpleName()}, got {value!s:.80} "
                        f"({type(value).__name__}); convert it first")
    return converted


def _meant(value: Any, kind: Any) -> Any:
    """Text that stands for the number or truth value that is wanted, as it comes from a command line; else the value itself."""
    from jpype import JClass

    text, kind_name = str(value).strip(), str(kind.getSimpleName()).lower()
    if not isinstance(value, JClass("java.lang.String")):
        return value
    if kind_name in ("boolean", "bool") and text.lower() in ("true", "false"):
        return to_java(text.lower() == "true")
    if kind_name not in _NUMBERS:
        return value
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return to_java(number(text))
    return value


def _refuse_unknown(info: Any, inputs: Mapping[str, Any], path: Path) -> None:
    known = [str(item.getName()) for item in info.inputs()]
    if unknown := [name for name in inputs if name not in known]:
        wanted = ", ".join(known) or "(none)"
        raise FijiError(f"expected inputs {wanted} for {path.name}, got {', '.join(unknown)}; declare #@ parameters of these names")


def _check(complaint: str, path: Path) -> None:
    """NB: SciJava prints a script's exception and goes on; the outputs would all be None."""
    if _FAILED_IN not in complaint:
        return
    trace = complaint[: complaint.index(_FAILED_IN)]
    message = trace[: trace.index("\tat ")].splitlines() if "\tat " in trace else trace.splitlines()
    name = re.escape(path.name)
    if any(line.startswith('  File "') for line in message):  # Jython: the message stands below the indented traceback
        lines = re.findall(rf'{name}", line (\d+)', trace)[-1:]
        message = message[max(i for i, line in enumerate(message) if line.startswith("  ")) + 1 :]
    else:
        lines = re.findall(rf"{name}: ?(\d+)", trace)[:1]
    where = f" at line {lines[0]}" if lines else ""
    raise FijiError(f"expected {path.name} to run, got {' '.join(' '.join(message).split())}{where}; correct the script")
