"""fibsem-ij: the same verbs and names as in Python. Every handler parses, calls, prints; the work is in the library.

Errors that a user can mend are one line on stderr and exit code 2, never a traceback; Ctrl-C is 130.
NB: nothing heavy is imported at the top of any module here: `--help` must be quick.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli import denoise, fiji, labels, measure, networks, objects, register, render, review, segment, worker
from fibsem_ij.cli.run import recipes, run
from fibsem_ij.cli.terminal import Home, Json, say, show

app = typer.Typer(name="fibsem-ij", help="FIB-SEM volumes between Python and Fiji.", no_args_is_help=True, add_completion=False,
                  rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(run)
app.command()(recipes)
app.add_typer(register.app, name="register")
app.add_typer(denoise.app, name="denoise")
app.add_typer(segment.app, name="segment")
app.add_typer(objects.app, name="objects")
app.command()(measure.measure)
app.add_typer(review.app, name="review")
app.add_typer(render.app, name="render")
app.add_typer(networks.app, name="networks")
app.add_typer(labels.app, name="labels")
app.add_typer(fiji.app, name="fiji")
app.command()(worker.worker)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder to write into.")],
    seed: Annotated[int, typer.Option(help="Another seed is another specimen.")] = 1,
    minutes: Annotated[float, typer.Option(help="Of both trainings; twenty give what the methods can.", min=0.01)] = 1.8,
    json_: Json = False,
) -> None:
    """Make a small phantom, run a recipe over it, give labels and ROI set to a real ImageJ, score it all against the truth, and report.

    fibsem-ij demo demo/
    """
    from fibsem_ij import demo as story

    told = story.tell(folder, seed=seed, minutes=minutes, say=say)
    show(told, json_, f"Look at {told['report']}")


@app.command()
def doctor(
    home: Home = None,
    check: Annotated[bool, typer.Option("--check", help="Also let Fiji's TurboReg and SIFT recover known motions.")] = False,
    json_: Json = False,
) -> None:
    """Tell what works here, and what to do about what does not. Exit code 1 if something needed does not work.

    fibsem-ij doctor --home /Applications/Fiji.app --check
    """
    from fibsem_ij import doctor as physician

    findings = physician.examine(home=str(home) if home else None, check=check)
    if json_:
        print(json.dumps(physician.as_rows(findings)))
    else:
        for f in findings:
            mark, colour = {True: ("ok", "green"), False: ("NO", "red"), None: ("--", "yellow")}[f.ok]
            typer.echo(f"{typer.style(mark, fg=colour)}  {f.what:<15} {f.found}")
            if f.remedy:
                typer.echo(f"{'':20}-> {f.remedy}")
    raise typer.Exit(any(f.ok is False for f in findings))


@cache
def commands() -> Any:
    """All of them, as Typer makes them: in a tenth of a second, which a worker need not spend again."""
    return typer.main.get_command(app)


def main(words: Sequence[str] | None = None) -> None:
    """The console entry, or a command line given as words: errors a user can mend become one line."""
    try:
        commands()(words)
    except KeyboardInterrupt:
        say("fibsem-ij: stopped")
        sys.exit(130)
    except Exception as error:
        from fibsem_ij.fiji import FijiError  # here: it loads NumPy, which --help can do without

        if not isinstance(error, (ValueError, OSError, FijiError)):
            raise
        told = error.strerror if isinstance(error, OSError) and error.strerror and not error.filename else str(error)
        where = "".join(f" ({note})" for note in getattr(error, "__notes__", ())[:1])  # the first is the closest
        say(f"fibsem-ij: {' '.join(told.split())}{where}")
        sys.exit(2)
