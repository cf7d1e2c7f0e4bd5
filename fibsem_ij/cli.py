"""fibsem-ij: the same verbs and names as in Python. Every handler parses, calls, prints; the work is in the library.

Errors that a user can mend are one line on stderr and exit code 2, never a traceback; Ctrl-C is 130.
`--json` prints the result for machines; `--progress json` prints progress as one JSON object a line on stderr, so that
stdout stays the result's. NB: nothing heavy is imported at the top: `--help` must be quick.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(name="fibsem-ij", help="FIB-SEM volumes between Python and Fiji.", no_args_is_help=True, add_completion=False,
                  rich_markup_mode=None, pretty_exceptions_enable=False)
labels_app = typer.Typer(help="Label images and ROI sets, each into the other. No Java needed.", no_args_is_help=True)
fiji_app = typer.Typer(help="Run macros and scripts in ImageJ or Fiji.", no_args_is_help=True)
app.add_typer(labels_app, name="labels")
app.add_typer(fiji_app, name="fiji")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Progress = Annotated[Literal["bar", "json", "none"], typer.Option(help="A bar, one JSON object a line (on stderr), or nothing.")]
VoxelNm = Annotated[str, typer.Option(help="Voxel size z,y,x in nm, where the file does not say it: 4,4,4.")]
Home = Annotated[Path | None, typer.Option(help="Your Fiji.app; else FIBSEM_IJ_FIJI, else the embedded ImageJ.")]


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder to write into.")],
    seed: Annotated[int, typer.Option(help="Another seed is another specimen.")] = 1,
    json_: Json = False,
) -> None:
    """Make a small phantom, give its labels and ROI set to a real ImageJ, and draw pictures of it all."""
    from fibsem_ij import demo as story

    told = story.tell(folder, seed=seed, say=_say)
    _print(told, json_, f"Look at {told['picture']}")


@app.command()
def doctor(home: Home = None, json_: Json = False) -> None:
    """Tell what works here, and what to do about what does not. Exit code 1 if something needed does not work."""
    from fibsem_ij import doctor as physician

    findings = physician.examine(home=str(home) if home else None)
    if json_:
        print(json.dumps(physician.as_rows(findings)))
    else:
        for f in findings:
            mark, colour = {True: ("ok", "green"), False: ("NO", "red"), None: ("--", "yellow")}[f.ok]
            typer.echo(f"{typer.style(mark, fg=colour)}  {f.what:<15} {f.found}")
            if f.remedy:
                typer.echo(f"{'':20}-> {f.remedy}")
    raise typer.Exit(any(f.ok is False for f in findings))


@labels_app.command("to-rois")
def labels_to_rois(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, folder or glob, .zarr, .mrc, .npy.")],
    rois: Annotated[Path, typer.Argument(help="ROI set to write: .zip.")],
    progress: Progress = "bar",
    json_: Json = False,
) -> None:
    """Write one ROI for each object and slice; from-rois gives the label image back pixel for pixel.

    fibsem-ij labels to-rois labels.tif rois.zip
    """
    from fibsem_ij import files
    from fibsem_ij.files import rois as roi_set

    src = files.read_labels(labels)
    with _progress(progress, "to-rois") as step:
        count = roi_set.write(rois, roi_set.to_rois(src, progress=step))
    _print({"rois": count, "slices": len(src), "path": str(rois)}, json_, f"{count} ROIs of {len(src)} slices in {rois}")


@labels_app.command("from-rois")
def labels_from_rois(
    rois: Annotated[Path, typer.Argument(help="ROI set: .zip or .roi.")],
    out: Annotated[Path, typer.Argument(help="Label image to write.")],
    like: Annotated[Path, typer.Option(help="An image of the same stack: lends shape, voxel size and slice names.")],
    json_: Json = False,
) -> None:
    """Draw a ROI set as a label image.

    fibsem-ij labels from-rois rois.zip labels.tif --like raw.tif
    """
    from fibsem_ij import files
    from fibsem_ij.files import rois as roi_set

    frame = files.read(like)
    drawn = roi_set.from_rois(roi_set.read(rois), shape=frame.shape, voxel_nm=frame.voxel_nm, names=frame.names)
    files.write(out, drawn)
    _print({"slices": len(drawn), "path": str(out)}, json_, f"{len(drawn)} slices in {out}")


@labels_app.command("to-imagej")
def labels_to_imagej(
    labels: Annotated[Path, typer.Argument(help="Label image: .tif, folder or glob, .zarr, .mrc, .npy.")],
    out: Annotated[Path, typer.Argument(help="ImageJ stack to write: .tif.")],
    voxel_nm: VoxelNm = "",
    json_: Json = False,
) -> None:
    """Write a label image as ImageJ opens it: coloured, calibrated, slices named.

    fibsem-ij labels to-imagej labels.zarr labels.tif
    """
    from fibsem_ij import files

    if out.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"expected a name that ends in .tif, got {out}; ImageJ opens TIFF stacks")
    src = files.read_labels(labels, voxel_nm=_voxel(voxel_nm))
    files.write(out, src)
    _print({"slices": len(src), "path": str(out)}, json_, f"{len(src)} slices in {out}")


@fiji_app.command("macro")
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
    _print({"value": value}, json_, value or "")


@fiji_app.command("script")
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
    _print({key: value if isinstance(value, (str, int, float, bool)) else str(value) for key, value in outputs.items()}, json_,
           "\n".join(f"{key} = {value}" for key, value in outputs.items()))


def _voxel(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        z, y, x = (float(part) for part in text.split(","))
        return (z, y, x)
    except ValueError:
        raise ValueError(f"expected --voxel-nm as three numbers z,y,x, got {text!r}; write for instance 4,4,4") from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print(result: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(result) if as_json else text)


@contextlib.contextmanager
def _progress(mode: str, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total) that draws a bar, prints JSON lines, or None."""
    if mode == "json":
        yield lambda done, total: print(json.dumps({"stage": what, "done": done, "total": total}), file=sys.stderr, flush=True)
    elif mode == "bar" and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    else:
        yield None


def main() -> None:
    """The console entry: errors a user can mend become one line."""
    try:
        app()
    except KeyboardInterrupt:
        _say("fibsem-ij: stopped")
        sys.exit(130)
    except Exception as error:
        from fibsem_ij.fiji import FijiError  # here: it loads NumPy, which --help can do without

        if not isinstance(error, (ValueError, OSError, FijiError)):
            raise
        _say(f"fibsem-ij: {' '.join(str(error).split())}")
        sys.exit(2)
