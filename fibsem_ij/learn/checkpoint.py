"""The state of a training on disk, so that it can be stopped anywhere, a power cut included, and go on.

A folder holds `training.json` (options, history, where it stands) and one safetensors file that it names (weights, best
and averaged weights, the optimizer's moments). The tensors are written first, under a name not used before; replacing
training.json is the one step that makes them the state; only then is the older file removed. So at any moment the folder
holds a whole state, older or newer. Nothing in it can run code: no pickle.

There is no state of random numbers to keep: the loop seeds all that is random in update n by (seed, n).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fibsem_ij.learn.history import History, Row, replace

FORMAT, VERSION = "fibsem_ij training", 1
_TENSORS = re.compile(r"tensors-[0-9a-f]{16}\.safetensors")
_AFRESH = "give another state folder, or remove this one to start afresh"

Weights = dict[str, Tensor]


@dataclass
class Run:
    """All that a stopped training needs to go on."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    batch: int  # halved when memory runs out
    average: Weights | None = None
    best: Weights | None = None
    update: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # since the last row of the history
    history: History = field(default_factory=History)


def save(folder: Path, run: Run, options: Mapping[str, Any]) -> None:
    """`options`: plain values that a training resumed from here must share."""
    name = f"tensors-{secrets.token_hex(8)}.safetensors"
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in _tensors(run)}
    content = {"format": FORMAT, "version": VERSION, "tensors": name, "sha256": "", "options": dict(options),
               "update": run.update, "seconds": run.seconds, "batch": run.batch, "losses": run.losses, **run.history.plain()}
    try:
        save_file(tensors, folder / name)
        with (folder / name).open("rb+") as file:
            content["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        replace(folder / "training.json", json.dumps(content, indent=1).encode())
    except (SafetensorError, OSError) as error:
        (folder / name).unlink(missing_ok=True)
        said, free = getattr(error, "strerror", None) or error, shutil.disk_usage(folder).free / 1e6
        raise OSError(getattr(error, "errno", None) or errno.EIO, f"{folder}: expected to write the state of the training, got: {said}, "
                      f"{free:.1f} MB free; the state before is untouched: make room there") from error
    for other in folder.iterdir():
        if _TENSORS.fullmatch(other.name) and other.name != name:
            other.unlink()


def resume(folder: Path, run: Run, options: Mapping[str, Any]) -> None:
    """Brings a fresh `run` to where the state in `folder` stands; where there is none, makes the folder and leaves the run fresh."""
    folder.mkdir(parents=True, exist_ok=True)
    content = _content(folder / "training.json")
    if content is None:
        return
    differ = [f"{key} {then!r} (now {options.get(key)!r})" for key, then in content["options"].items() if then != options.get(key)]
    if differ:
        raise ValueError(f"{folder}: expected a training of the same options, got one of {', '.join(differ)}; give these, or {_AFRESH}")
    tensors = _read(folder / content["tensors"], content["sha256"])
    state = run.module.state_dict()
    now, average, best = (_part(tensors, part) for part in ("now", "average", "best"))
    if not all(_shapes(weights) == _shapes(state) for weights in (now, average or now, best or now)):
        raise ValueError(f"{folder}: expected the weights of this network, got those of another; build the same network, or {_AFRESH}")
    run.module.load_state_dict(now)
    run.average, run.best = _like(average, state) or None, _like(best, state) or None
    _restore(run, _part(tensors, "optimizer"))
    run.update, run.seconds, run.batch, run.losses = (content[key] for key in ("update", "seconds", "batch", "losses"))
    run.history.rows[:], run.history.notes[:] = content["rows"], content["notes"]


def _tensors(run: Run) -> Iterator[tuple[str, Tensor]]:
    for part, weights in (("now", run.module.state_dict()), ("average", run.average), ("best", run.best)):
        for name, tensor in (weights or {}).items():
            yield f"{part}/{name}", tensor
    for name, parameter in run.module.named_parameters():
        for key, tensor in run.optimizer.state.get(parameter, {}).items():
            yield f"optimizer/{name}/{key}", tensor


def _part(tensors: Weights, part: str) -> Weights:
    return {key.removeprefix(f"{part}/"): tensor for key, tensor in tensors.items() if key.startswith(f"{part}/")}


def _shapes(weights: Weights) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def _like(weights: Weights, state: Weights) -> Weights:
    """On the device and in the memory order of the module's own."""
    return {name: torch.empty_like(state[name]).copy_(tensor) for name, tensor in weights.items()}


def _restore(run: Run, moments: Weights) -> None:
    for name, parameter in run.module.named_parameters():
        for key, tensor in _part(moments, name).items():
            # NB: moments lie in memory as their parameter does; the fused optimizer trusts that, channels-last included.
            like = parameter.detach() if tensor.shape == parameter.shape else tensor.to(parameter.device)
            run.optimizer.state[parameter][key] = torch.empty_like(like, dtype=tensor.dtype).copy_(tensor)


def _content(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        found = content["format"], content["version"]
        wanted = {"tensors": str, "sha256": str, "options": dict, "update": int, "seconds": float, "batch": int,
                  "losses": list, "rows": list, "notes": list}
        whole = all(isinstance(content[key], kind) for key, kind in wanted.items()) and _TENSORS.fullmatch(content["tensors"])
        content["rows"] = [Row(**row) for row in content["rows"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the state of a training, got {type(error).__name__}: {error}; {_AFRESH}") from error
    if found != (FORMAT, VERSION) or not whole:
        raise ValueError(f"{path}: expected {FORMAT!r} of version {VERSION}, got {found[0]!r} of version {found[1]!r}; {_AFRESH}")
    return dict(content)


def _read(path: Path, sha256: str) -> Weights:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected the tensors that training.json names, got no such file; {_AFRESH}")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ValueError(f"{path}: expected the tensors that training.json was written with, got others (torn or changed); {_AFRESH}")
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path}: expected safetensors, got {error}; {_AFRESH}") from error
