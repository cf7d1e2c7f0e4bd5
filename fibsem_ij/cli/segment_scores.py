"""fibsem-ij segment score: a class image against drawings, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Json, say, show

_APART = 10  # slices: nearer ones are nearly copies


def score(
    labels: Annotated[Path, typer.Argument(help="Class image to judge.")],
    truth: Annotated[Path, typer.Argument(help="Drawn classes of slices that no network was trained on.")],
    net: Annotated[Path | None, typer.Option(help="The network: slices that it was trained on or chosen by are left out.")] = None,
    second_expert: Annotated[Path | None, typer.Option(help="Another's drawings of the same slices, judged alike and told beside.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A drawn class whose pixels have no say; may be given again.")] = None,
    unlabelled_is_ignored: Annotated[bool, typer.Option("--unlabelled-is-ignored", help="Slices are drawn in part: 0 is unknown.")] = False,
    thin: Annotated[list[str] | None, typer.Option(help="A class whose components are not counted; else those named membrane.")] = None,
    image: Annotated[Path | None, typer.Option(help="The grey stack, for the pictures.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures: drawn in blue, found in red, and F1 over the slices.")] = None,
    table: Annotated[Path | None, typer.Option(help="Table to write, .csv: one row a slice and class.")] = None,
    json_: Json = False,
) -> None:
    """How well the classes were found: F1 (Dice), precision, recall, IoU; 2D components found, missed and made up.

    fibsem-ij segment score classes.tif drawn/test --image aligned.zarr --pictures pictures/
    """
    from fibsem_ij import files
    from fibsem_ij.arrays import class_scores
    from fibsem_ij.files import drawn as layers
    from fibsem_ij.files import tables

    result = files.read_labels(labels)
    layer = layers.read(truth, result, classes=True)
    second = layers.read(second_expert, result, classes=True) if second_expert else None
    names = _judged(layer, result.classes, second.names if second else {})
    slices = _unseen(layer.slices, net, result.names) if net else sorted(layer.slices)
    left_out = [_id_of(name, names) for name in ignore or []] + ([0] if unlabelled_is_ignored else [])
    sheets = [names[_id_of(name, names)] for name in thin] if thin else None
    more: dict[str, Any] = {"names": names, "ignore": left_out, "thin": sheets}
    told = class_scores.score(result, layer.slices, slices=slices, **more)
    both = [z for z in slices if second and z in second.slices]
    if second and not both:
        raise ValueError(f"{second_expert}: expected drawings of a second expert in the same slices as {truth}, got none; name them alike")
    beside = class_scores.score(second.slices, layer.slices, slices=both, **more) if second else None
    lines = _lines(told, beside)
    if table:
        tables.write(table, _with_names(told["table"], result.names))
    if pictures:
        from fibsem_ij.render.segment import draw

        drawn = draw(pictures, result, layer.slices, told, names, second=beside, src=files.read(image) if image else None,
                     slice_names=result.names)
        lines.append(f"Look at {', '.join(map(str, drawn))}")
    show(told | ({"second_expert": beside} if beside else {}), json_, "\n".join(lines))


def _unseen(slices: Iterable[int], net: Path, names: Sequence[str]) -> list[int]:
    """Those that the networks did not see. A slice says where it lies by its name, if all names are numbers: a folder may have gaps."""
    from fibsem_ij.files import networks

    records = [network.record for network in networks.read_all(net)]
    seen = {int(z) for record in records for z in (*record.get("trained", ()), *record.get("held", ()))}
    left = sorted(set(slices) - seen)
    if not left:
        raise ValueError(f"expected drawn slices that {net} was not trained on, got none; draw some more, or train on fewer")
    at = [int(name) for name in names] if all(name.isdecimal() for name in names) else range(len(names))
    near = [names[z] for z in left if seen and min(abs(at[z] - at[other]) for other in seen) < _APART]
    if near:
        say(f"fibsem-ij: {', '.join(near)}: less than {_APART} slices from one trained on, so nearly copies: their scores say little")
    return left


def _id_of(name: str, names: Mapping[int, str]) -> int:
    if name not in names.values():
        raise ValueError(f"expected a class of {', '.join(names.values())}, got {name!r}; name one of them")
    return next(i for i, known in names.items() if known == name)


def _judged(layer: Any, *others: Mapping[int, str]) -> dict[int, str]:
    """The classes that the drawn layer names; what others name besides is not judged, and counts as background."""
    from fibsem_ij.arrays.class_scores import BACKGROUND

    known = {**layer.names, **layer.undrawn}
    names = dict(known)
    for i, name in (item for other in others for item in other.items()):
        if names.setdefault(i, name) != name:
            raise ValueError(f"expected class {i} to have one name, got {names[i]!r} and {name!r}; make names.json of both alike")
    if more := [name for i, name in names.items() if i not in known]:
        say(f"fibsem-ij: {', '.join(more)}: not named in the drawings, so not judged")
    return {i: known.get(i, BACKGROUND) for i in sorted({*layer.names, *(i for other in others for i in other)})}


def _lines(told: Mapping[str, Any], beside: Mapping[str, Any] | None) -> list[str]:
    """The scores as a table for people."""
    columns = {"F1": "f1", "precision": "precision", "recall": "recall", "IoU": "iou", "F1/slice": "f1_slices", "share": "share"}
    head = f"{'class':22}" + "".join(f"{title:>10}" for title in columns) + ("  2nd expert" if beside else "")
    rows = [head + "   components: found, under-detected, missed; false"]
    for name, scores in told["classes"].items():
        row = f"{name:22}" + "".join(f"{_short(scores[key]):>10}" for key in columns.values())
        row += f"{_short(beside['classes'][name]['f1']):>12}" if beside else ""
        if counts := scores.get("components"):
            row += f"   {counts['found']}, {counts['under_detected']}, {counts['missed']}; {counts['false']}"
        rows.append(row)
    over_all = ", ".join(f"{title} {_short(told[key])}" + (f" (2nd expert {_short(beside[key])})" if beside else "") for title, key in
                         (("micro", "f1_micro"), ("weighted by share", "f1_weighted"), ("mean of classes", "f1_macro")))
    return [*rows, f"F1 over {told['slices']} slices: {over_all}; accuracy {_short(told['accuracy'])}"]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _with_names(table: Mapping[str, list[Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """With the name of each slice, where it is more than its number; what is missing is NaN."""
    import numpy as np

    called = [names[z] for z in table["z"]]
    more = {"slice": called} if any(not name.isdecimal() or name != str(int(name)) for name in called) else {}
    return more | {key: column if key == "class" else np.array(column, np.float64 if None in column else None)
                   for key, column in table.items()}
