"""fibsem-ij fiji: macros and scripts, run headless in ImageJ or Fiji."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Home, Json, show

app = typer.Typer(help="Run macros and scripts in ImageJ or Fiji.", no_args_is_help=True)


@app.command("macro")
def fiji_macro(
    file: Annotated[Path, typer.Argument(help="An ImageJ macro: .ijm.")],
    argument: Annotated[str, typer.Argument(help="What getArgument() answers in the macro.")] = "",
    home: Home = None,
    json_: Json = False,
) -> None:
    """Run a macro file headless and print what it returns.

    fibsem-ij fiji macro macros/colour_labels.ijm "path=labels.tif"
    """
    from fibsem_ij import fiji

    value = fiji.start(home).macro(file, argument).value
    show({"value": value}, json_, value or "")


@app.command("script")
def fiji_script(
    file: Annotated[Path, typer.Argument(help="A script with #@ parameters: .groovy, .py (Jython).")],
    inputs: Annotated[list[str] | None, typer.Argument(help="key=value for every #@ input.")] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Run a script headless and print its outputs.

    fibsem-ij fiji script measure.groovy path=labels.tif smallest=20
    """
    from fibsem_ij import fiji

    pairs = [entry.partition("=") for entry in inputs or []]
    if wrong := next((key for key, equals, _ in pairs if not equals or not key.isidentifier()), None):
        raise ValueError(f"expected key=value, got {wrong!r}; write each #@ input of the script as name=value")
    given: dict[str, Any] = {key: value for key, _, value in pairs}
    outputs = fiji.start(home).script(file, **given)
    show({key: value if isinstance(value, (str, int, float, bool)) else str(value) for key, value in outputs.items()}, json_,
           "\n".join(f"{key} = {value}" for key, value in outputs.items()))
