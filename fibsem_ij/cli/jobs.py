"""The jobs of Fiji's menu and of our macros: what each is given, which commands it runs, what it opens.

A job is one or more commands of fibsem-ij in a row, and its keys are those commands' own parameters by their own names, with the same
meaning and default. So there is one vocabulary: `--keep-trend` of `register fit` is `keep_trend` in the dialog and in a macro, and a
macro, a script and the command line give the same bytes. NB: the names of jobs and keys are API: recorded macros hold them.

Where the name of a result is left out, it is that of the file it is made from with an ending, and never that of a file that is there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fibsem_ij.cli import here, option_text
from fibsem_ij.cli.here import Say


@dataclass(frozen=True)
class Call:
    """A command, and which of its parameters are keys of the job. Not run where there is a file of the name in `unless` already."""

    words: str
    keys: str
    unless: str = ""


@dataclass(frozen=True)
class Job:
    about: str
    calls: tuple[Call, ...]
    opens: Mapping[str, str] = field(default_factory=dict)  # key -> what it is to ImageJ: image, labels, rois, table
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # key -> the key it is named after, and its ending


JOBS: Mapping[str, Job] = {
    "register": Job("Align a stack.", (
        Call("register fit", "src transforms aligner model runs reach canvas contrast reference keep_trend bad seed"),
        Call("register apply", "src transforms out interpolation")),
        {"out": "image"}, {"out": ("src", "aligned.tif"), "transforms": ("out", "transforms.json")}),
    "denoise": Job("Take the noise out of a stack, with a network that is trained on it, or with one that is there.", (
        Call("denoise fit", "noisy net clean method neighbours minutes updates base seed", unless="net"),
        Call("denoise apply", "noisy net out residual leave flips")),
        {"out": "image"}, {"out": ("noisy", "clean.tif"), "net": ("noisy", "denoiser")}),
    "draw": Job("Copy out the slices to draw.", (Call("segment choose", "src count how copies"),),
                {"copies": "image"}, {"copies": ("src", "to_draw")}),
    "train": Job("Train a network on drawn slices.", (
        Call("segment fit", "src drawn net preset minutes updates network neighbours per_class seed"),),
        named={"net": ("src", "network")}),
    "segment": Job("Classes in every slice, or in some.", (
        Call("segment apply", "src net out probabilities slices how threshold flips"),),
        {"out": "labels"}, {"out": ("src", "classes.tif")}),
    "cells": Job("Follow drawn cells through the stack.", (Call("objects cells", "src out drawn boundary way"),),
                 {"out": "labels"}, {"out": ("src", "cells.tif")}),
    "components": Job("Number the pieces that hang together.", (
        Call("objects components", "src out preset threshold connectivity delta fill_holes least_voxels largest split_px"),),
        {"out": "labels"}, {"out": ("src", "labels.tif")}),
    "measure": Job("One row an object.", (
        Call("measure", "labels table image parent parents_table against nearest contacts_table groups skeleton voxel_nm"),),
        {"table": "table", "parents_table": "table", "contacts_table": "table"}, {"table": ("labels", "measures.csv")}),
    "to-rois": Job("A label image as a ROI set.", (Call("labels to-rois", "labels rois"),),
                   {"rois": "rois"}, {"rois": ("labels", "rois.zip")}),
    "from-rois": Job("A ROI set as a label image.", (Call("labels from-rois", "rois out like"),),
                     {"out": "labels"}, {"out": ("like", "labels.tif")}),
    "to-imagej": Job("Any label stack as ImageJ opens it.", (Call("labels to-imagej", "labels out voxel_nm"),),
                     {"out": "labels"}, {"out": ("labels", "imagej.tif")}),
    "merge": Job("Objects become one.", (Call("labels edit merge", "labels keep gone"),), {"labels": "labels"}),
    "split": Job("One object becomes several.", (Call("labels edit split", "labels number seeds"),), {"labels": "labels"}),
    "delete": Job("Objects become background.", (Call("labels edit delete", "labels numbers"),), {"labels": "labels"}),
    "reassign": Job("An object gets another number in some slices.", (Call("labels edit reassign", "labels number to first last"),),
                    {"labels": "labels"}),
    "renumber": Job("Objects are numbered 1, 2, ... without gaps.", (Call("labels edit renumber", "labels"),), {"labels": "labels"}),
    "undo": Job("Undo the last edit that stands.", (Call("labels edit undo", "labels"),), {"labels": "labels"}),
    "review-queue": Job("Which slices are worth a look.", (Call("review queue", "workspace count"),)),
    "review-open": Job("A small stack of just those slices.", (Call("review open", "workspace slices context layer anew"),)),
    "review-collect": Job("Take the corrections back.", (Call("review collect", "workspace who no_run"),)),
}


@dataclass(frozen=True)
class Done:
    """What a job did: the command lines, what each told, and what ImageJ is to open, as (kind, path)."""

    commands: tuple[list[str], ...]
    told: tuple[Any, ...]
    opens: tuple[tuple[str, Path], ...]
    text: str  # the keys as one text, as a macro gives them


def run(name: str, given: Mapping[str, str], say: Say) -> Done:
    """The commands of a job, one after the other; the first that fails ends it, as a ValueError of its one line."""
    job = _job(name)
    keys = _complete(name, job, given)
    there = [call for call in job.calls if call.unless and Path(keys[call.unless]).exists()]
    for call in there:
        say(f"{keys[call.unless]} is there: {call.words} is left out")
    lines = [_words(call, keys) for call in job.calls if call not in there]
    told = []
    for words in lines:
        answer = here.ask(words, say)
        if answer.code:
            raise ValueError(answer.error)
        told.append(answer.result)
    opens = [(kind, Path(keys[key])) for key, kind in job.opens.items() if keys.get(key)]
    return Done(tuple(lines), tuple(told), (*opens, *_of_review(told)), option_text.write(keys))


def names() -> list[str]:
    """The jobs whose commands are there."""
    there = set(here.commands().commands)
    return [name for name, job in JOBS.items() if {call.words.split()[0] for call in job.calls} <= there]


def keys_of(name: str) -> dict[str, Any]:
    """key -> the parameter of the first command that has it, as Typer has it."""
    found: dict[str, Any] = {}
    for call in _job(name).calls:
        parameters = {param.name: param for param in here.command(call.words.split())[0].params}
        found |= {key: parameters[key] for key in call.keys.split() if key not in found}
    return found


def described(name: str) -> list[dict[str, str]]:
    """What a person has to know of each key: its name, what it is, and what it is where it is left out."""
    named = _job(name).named
    rows = []
    for key, param in keys_of(name).items():
        default = "" if param.default is None else str(param.default)
        if key in named:
            default = f"named after {named[key][0]}: ...-{named[key][1]}"
        elif param.required:
            default = "has to be given"
        rows.append({"key": key, "about": str(param.help), "default": default or "nothing"})
    return rows


def _of_review(told: Sequence[Any]) -> Iterator[tuple[str, Path]]:
    """What `review open` wrote; the grey stack comes after the labels, so that it is in front, and the ROIs on it."""
    paths = [Path(path) for one in told if isinstance(one, dict) for path in dict(one.get("files", {})).values()]
    kinds = {"labels.tif": 0, "stack.tif": 1, "rois.zip": 2}
    for path in sorted(paths, key=lambda path: kinds.get(path.name, 0)):
        if path.suffix in (".tif", ".zip"):
            yield ("rois" if path.suffix == ".zip" else "image" if path.name == "stack.tif" else "labels"), path


def _job(name: str) -> Job:
    if name not in names():
        raise ValueError(f"expected a job of {', '.join(names())}, got {name!r}")
    return JOBS[name]


def _complete(name: str, job: Job, given: Mapping[str, str]) -> dict[str, str]:
    """The keys that say something, in the job's order, with names for what had none."""
    known = keys_of(name)
    if unknown := [key for key in given if key not in known]:
        raise ValueError(f"expected keys of {name} ({', '.join(known)}), got {', '.join(unknown)}; leave it out")
    keys = {key: value for key, value in given.items() if value != ""}
    for key, value in keys.items():
        if any(ord(c) < 32 for c in value):
            raise ValueError(f"expected {key} without line breaks and control characters, got {value!r}; rename it")
    for key, (after, ending) in job.named.items():
        if key not in keys and after in keys:
            keys[key] = str(_free(Path(keys[after]), ending))
    if missing := [key for key, param in known.items() if param.required and key not in keys]:
        raise ValueError(f"expected {missing[0]} ({known[missing[0]].help}) for {name}, got none; give {missing[0]}=...")
    return {key: keys[key] for key in known if key in keys}


def _free(path: Path, ending: str) -> Path:
    """Beside `path`, of its name and the ending, and of a number where that is taken."""
    stem, suffix = f"{path.stem}-{Path(ending).stem}", Path(ending).suffix
    names = itertools.chain([f"{stem}{suffix}"], (f"{stem}-{n}{suffix}" for n in itertools.count(2)))
    return next(path.parent / name for name in names if not (path.parent / name).exists())


def _words(call: Call, keys: Mapping[str, str]) -> list[str]:
    """The command line: options, then `--`, after which a name that starts with a dash is a name."""
    named = call.words.split()
    parameters = {param.name: param for param in here.command(named)[0].params}
    options: list[str] = []
    arguments: dict[str, list[str]] = {}
    for key in call.keys.split():
        if key in keys:
            param = parameters[key]
            values = re.split(r"[\s;]+", keys[key].strip()) if _is_list(param) else [keys[key]]
            if param.param_type_name == "argument":
                arguments[key] = values
            else:
                options += _option(param, key, values)
    in_order = [value for name in parameters for value in arguments.get(name, [])]
    return [*named, *options, *["--"] * bool(in_order), *in_order]


def _option(param: Any, key: str, values: Sequence[str]) -> Iterator[str]:
    if not param.is_flag:
        # One word, so that a value that starts with a dash is no option.
        yield from (f"{param.opts[0]}={value}" for value in values)
    elif values[0].lower() in ("true", "1", "yes"):
        yield param.opts[0]
    elif values[0].lower() in ("false", "0", "no"):
        yield from param.secondary_opts[:1]
    else:
        raise ValueError(f"expected {key} as true or false, got {values[0]!r}")


def _is_list(param: Any) -> bool:
    return bool(param.multiple) or param.nargs == -1
