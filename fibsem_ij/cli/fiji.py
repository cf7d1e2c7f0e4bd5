"""fibsem-ij fiji: macros and scripts, run headless in ImageJ or Fiji; our own in its menu, and the jobs that they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fibsem_ij.cli.terminal import Heap, Home, Json, Progress, progress_lines, show

if TYPE_CHECKING:
    from fibsem_ij.fiji import Session  # it loads NumPy, which --help can do without

app = typer.Typer(help="Run macros and scripts in ImageJ or Fiji; put ours into its menu.", no_args_is_help=True)

FijiDir = Annotated[Path, typer.Argument(help="The folder of your Fiji: Fiji.app, or Fiji.")]


@app.command("macro")
def fiji_macro(
    file: Annotated[Path, typer.Argument(help="An ImageJ macro: .ijm.")],
    argument: Annotated[str, typer.Argument(help="What getArgument() answers in the macro.")] = "",
    home: Home = None,
    heap: Heap = "",
    json_: Json = False,
) -> None:
    """Run a macro file headless and print what it returns.

    fibsem-ij fiji macro macros/colour_labels.ijm "path=labels.tif"
    """
    from fibsem_ij.fiji import Apart

    with Apart(home, heap=heap or None) as java:
        value = java.call(_macro, file, argument, task=f"run {file.name}")
    show({"value": value}, json_, value or "")


@app.command("script")
def fiji_script(
    file: Annotated[Path, typer.Argument(help="A script with #@ parameters: .groovy, .py (Jython).")],
    inputs: Annotated[list[str] | None, typer.Argument(help="key=value for every #@ input.")] = None,
    home: Home = None,
    heap: Heap = "",
    json_: Json = False,
) -> None:
    """Run a script headless and print its outputs.

    fibsem-ij fiji script measure.groovy path=labels.tif smallest=20
    """
    from fibsem_ij.fiji import Apart

    pairs = [entry.partition("=") for entry in inputs or []]
    if wrong := next((key for key, equals, _ in pairs if not equals or not key.isidentifier()), None):
        raise ValueError(f"expected key=value, got {wrong!r}; write each #@ input of the script as name=value")
    given: dict[str, Any] = {key: value for key, _, value in pairs}
    with Apart(home, heap=heap or None) as java:
        outputs = java.call(_script, file, given, task=f"run {file.name}")
    show(outputs, json_, "\n".join(f"{key} = {value}" for key, value in outputs.items()))


@app.command("job")
def fiji_job(
    name: Annotated[str, typer.Argument(help="One of those that `fibsem-ij fiji jobs` lists.")],
    keys: Annotated[list[str] | None, typer.Argument(help="key=value for each; a name may hold anything.")] = None,
    text: Annotated[str, typer.Option(help="More keys in one text, as ImageJ writes options: src=raw.tif out=[a name.tif].")] = "",
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Do what an entry of our menu in Fiji does: a job of one or more commands. Prints what to open, then done; or the error.

    fibsem-ij fiji job register src=raw.tif out=aligned.tif model=rigid
    """
    from fibsem_ij.cli import jobs, option_text

    try:
        given = option_text.read(text)
        for entry in keys or []:
            key, equals, value = entry.partition("=")
            if not equals or key in given:
                raise ValueError(f"expected each key once as key=value, got {entry!r}; see fibsem-ij fiji jobs {name}")
            given[key] = value
        with progress_lines(progress) as say:
            done = jobs.run(name, given, say)
    except (ValueError, OSError) as error:
        if not json_:
            print(f"error\t{' '.join(str(error).split())}", flush=True)  # a macro sees no more than this
        raise
    opens = [{"kind": kind, "path": str(path)} for kind, path in done.opens]
    told = {"job": name, "opens": opens, "commands": done.commands, "told": done.told, "text": done.text}
    show(told, json_, "\n".join(f"{kind}\t{path}" for kind, path in (*done.opens, ("done", name))))


@app.command("jobs")
def fiji_jobs(
    name: Annotated[str, typer.Argument(help="One job alone.")] = "",
    json_: Json = False,
) -> None:
    """List the jobs of our menu in Fiji with their keys, which dialogs and macros share.

    fibsem-ij fiji jobs register
    """
    from fibsem_ij.cli import jobs

    listed = {each: jobs.JOBS[each].about for each in ([name] if name else jobs.names())}
    told: dict[str, dict[str, Any]] = {each: {"about": about, "keys": jobs.described(each)} for each, about in listed.items()}
    lines = []
    for each, of in told.items():
        lines += [f"{each}: {of['about']}", *(f"    {key['key']:<16} {key['about']} ({key['default']})" for key in of["keys"])]
    show(told, json_, "\n".join(lines))


@app.command()
def install(
    fiji_dir: FijiDir,
    python: Annotated[Path | None, typer.Option(help="The Python that the scripts shall call; else this one.")] = None,
    json_: Json = False,
) -> None:
    """Put our scripts into Fiji's menu, Plugins > FIBSEM, and our macros into its macros folder. Again: brings them up to date.

    fibsem-ij fiji install /Applications/Fiji.app
    """
    import sys

    from fibsem_ij.fiji import menu

    python = python or Path(sys.executable)
    written = menu.install(fiji_dir, python=python)
    show({"files": [str(path) for path in written], "python": str(python)}, json_,
         f"{len(written)} files in {fiji_dir}; start Fiji again and see Plugins > FIBSEM. They call {python}")


@app.command()
def uninstall(fiji_dir: FijiDir, json_: Json = False) -> None:
    """Take out of a Fiji what `install` wrote, and nothing else.

    fibsem-ij fiji uninstall /Applications/Fiji.app
    """
    from fibsem_ij.fiji import menu

    removed, left = menu.uninstall(fiji_dir)
    kept = f"; left, because somebody changed them: {', '.join(str(path) for path in left)}" if left else ""
    show({"removed": [str(path) for path in removed], "left": [str(path) for path in left]}, json_, f"{len(removed)} files removed{kept}")


def _macro(session: Session, file: Path, argument: str) -> str | None:
    """In the process that has the JVM, as `_script` is: what crashes there is one line here."""
    return session.macro(file, argument).value


def _script(session: Session, file: Path, given: dict[str, Any]) -> dict[str, Any]:
    outputs = session.script(file, **given)
    return {key: value if isinstance(value, (str, int, float, bool)) else str(value) for key, value in outputs.items()}
