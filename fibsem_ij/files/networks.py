"""A network folder: network.json, which a person can read, and weights.safetensors, which holds numbers and nothing else. Several
networks that work together are such folders in one, 01, 02, ...

Nothing that is read here is executed, and no pickle is ever loaded: a .pt or .pth file is refused whatever its name. What the two
files say is held against the network that network.json names, by shapes alone, before memory is asked for. A checksum in
network.json tells weights that belong to another network or changed on the way.
"""

from __future__ import annotations

import hashlib
import json
import platform
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from fibsem_ij.files.json_files import read_json
from fibsem_ij.files.whole import may_become, whole_folder
from fibsem_ij.learn.network import Network, build, configure, layout
from fibsem_ij.learn.scale import Scale

JSON, WEIGHTS = "network.json", "weights.safetensors"
_FORMAT = 1
_KEYS: Mapping[str, tuple[type, ...]] = {
    "format": (int,), "name": (str,), "config": (dict,), "task": (str,), "classes": (dict,), "activation": (str,),
    "normalisation": (dict,), "voxel_nm": (list, type(None)), "weights_sha256": (str,), "versions": (dict,), "record": (dict,),
}
_JSON_BYTES, _HEADER_BYTES = 1 << 28, 1 << 24  # more than the longest history and the most tensors
_FOREIGN = {b"\x80": "a pickle", b"PK": "a zip, as PyTorch's .pt and .pth are", b"ve": "a pointer of Git LFS"}


def write(path: Path, network: Network) -> None:
    """A folder at `path`, over an older one; from any device and memory format."""
    tensors = {key: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
               for key, tensor in network.module.state_dict().items()}
    _check_layout({key: tuple(t.shape) for key, t in tensors.items()}, network.name, network.config)
    _check_numbers(tensors, network.name, network.config)
    with whole_folder(Path(path), stranger=_stranger) as part:
        save_file(tensors, part / WEIGHTS, metadata={"format": "pt"})
        (part / JSON).write_text(_described(network, _sha256(part / WEIGHTS)), encoding="utf-8", newline="\n")


def check_target(path: Path) -> None:
    """Refuse before a training what `write` would refuse after it."""
    may_become(Path(path), stranger=_stranger)


def read(path: Path) -> Network:
    """The network of a folder, on the CPU, ready to predict."""
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"expected a network folder, {path} does not exist; name the folder that fit wrote")
    if not folder.is_dir():
        raise ValueError(f"{path}: expected a network folder with {JSON} and {WEIGHTS}, got a file; a .pt or .pth file is never loaded, "
                         "since it can run code: ask for safetensors, or train again")
    said = _said(folder / JSON)
    try:
        config = configure(said["name"], **said["config"])
        tensors = _weights(folder / WEIGHTS, said["name"], config, said["weights_sha256"])
        _, module = build(said["name"], **said["config"])
        module.load_state_dict(tensors)
        return Network(said["name"], config, module.eval(), _scale(said["normalisation"]), said["task"], _classes(said["classes"]),
                       said["activation"], _voxel(said["voxel_nm"]), said["record"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_all(path: Path, networks: Sequence[Network]) -> None:
    """One network as `write` does; several as folders 01, 02, ... in one at `path`."""
    if len(networks) == 1:
        write(path, networks[0])
        return
    if not networks:
        raise ValueError(f"expected networks to write to {path}, got none; train one first")
    with whole_folder(Path(path), stranger=_stranger) as part:
        for n, network in enumerate(networks, 1):
            write(part / f"{n:02d}", network)


def read_all(path: Path) -> list[Network]:
    """The networks at `path`, in order: it is a network folder, or it holds some."""
    folder = Path(path)
    inside = _numbered(folder) if folder.is_dir() and not (folder / JSON).exists() else []
    return [read(one) for one in inside] or [read(folder)]


def versions() -> dict[str, str]:
    """What a record needs to be understood later."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("fibsem-ij", "torch", "numpy")}}


def _described(network: Network, sha256: str) -> str:
    content = {
        "format": _FORMAT, "name": network.name, "config": asdict(network.config), "task": network.task,
        "classes": {str(channel): name for channel, name in network.classes.items()}, "activation": network.activation,
        "normalisation": asdict(network.scale), "voxel_nm": network.voxel_nm, "weights_sha256": sha256, "versions": versions(),
        "record": dict(network.record),
    }
    try:
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected a record of plain JSON values, got {error}; use tolist for arrays and None for NaN") from error


def _said(path: Path) -> dict[str, Any]:
    """network.json with every key there and of its type."""
    _check_file(path)
    if path.stat().st_size > _JSON_BYTES:
        raise ValueError(f"{path}: expected a description, got {path.stat().st_size} bytes; this is not ours")
    said = read_json(path)
    if said.get("format") != _FORMAT:
        raise ValueError(f"{path}: expected format {_FORMAT}, got {said.get('format')!r}; update fibsem-ij, or train again")
    if said.keys() != _KEYS.keys():
        odd = sorted(_KEYS.keys() - said.keys()) or sorted(said.keys() - _KEYS.keys())
        raise ValueError(f"{path}: expected the keys {', '.join(_KEYS)}, got {', '.join(sorted(said))}; look at {', '.join(odd)}")
    for key, types in _KEYS.items():
        if not isinstance(said[key], types):
            raise ValueError(f"{path}: expected {key} as {types[0].__name__}, got {str(said[key])[:80]!r}; correct it in a text editor")
    return said


def _weights(path: Path, name: str, config: Any, sha256: str) -> dict[str, torch.Tensor]:
    """The tensors, after all that can be known without loading them."""
    _check_file(path)
    with path.open("rb") as file:
        start = file.read(8)
    header = int.from_bytes(start, "little")
    try:
        if header > _HEADER_BYTES:
            raise SafetensorError(f"a header of {header} bytes")
        with safe_open(path, framework="pt") as stored:
            keys = stored.keys()
            shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in keys}
        _check_layout(shapes, name, config)
        if _sha256(path) != sha256:
            raise ValueError(f"expected the {WEIGHTS} that {JSON} was written with, got another checksum; copy the whole folder again")
        tensors = load_file(path)
    except SafetensorError as error:
        foreign = next((what for bytes_, what in _FOREIGN.items() if start.startswith(bytes_)), "cut or foreign")
        raise ValueError(f"expected {WEIGHTS} to hold safetensors, it is {foreign} ({error}); copy the folder again or train again; "
                         "nothing but safetensors is ever loaded") from error
    _check_numbers(tensors, name, config)
    return tensors


def _check_file(path: Path) -> None:
    """A file of its own: a link may lead out of the folder, a pipe never ends."""
    if not path.exists():
        raise FileNotFoundError(f"expected {path.name} in the network folder {path.parent}, found none; name the folder that fit wrote")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path}: expected a plain file, got a link, folder or pipe; copy the file itself")


def _check_layout(shapes: Mapping[str, tuple[int, ...]], name: str, config: Any) -> None:
    """Refuse tensors that are not those of the network, by name and shape."""
    wanted = layout(name, config)
    odd = next((key for key in [*wanted, *shapes] if key not in wanted or shapes.get(key) != wanted[key][0]), None)
    if odd is not None:
        raise ValueError(f"expected the weights of {name} with {config}: {odd} of shape {wanted[odd][0] if odd in wanted else 'none'}, "
                         f"got {shapes.get(odd, 'none')}; the folder mixes two networks: copy it again or train again")


def _check_numbers(tensors: Mapping[str, torch.Tensor], name: str, config: Any) -> None:
    for key, (_, dtype) in layout(name, config).items():
        if tensors[key].dtype != dtype:
            raise ValueError(f"expected {key} as {dtype}, got {tensors[key].dtype}; convert the module with .to first")
        if not torch.isfinite(tensors[key]).all():
            raise ValueError(f"expected finite weights, got NaN or infinity in {key}; train again with a lower rate")


def _scale(said: dict[str, Any]) -> Scale:
    known = {f.name for f in fields(Scale)}
    if said.keys() != known:
        raise ValueError(f"expected normalisation with {', '.join(sorted(known))}, got {', '.join(sorted(said))}; correct {JSON}")
    if not isinstance(said["dtype"], str):
        raise ValueError(f"expected dtype of normalisation as text, got {said['dtype']!r}; name that of the stack, as uint8")
    low, high = (None if said[key] is None else _number(said[key], key) for key in ("low", "high"))
    return Scale(_number(said["offset"], "offset"), _number(said["gain"], "gain"), low, high, said["dtype"])


def _voxel(said: list[Any] | None) -> tuple[float, float, float] | None:
    if said is None:
        return None
    if len(said) != 3:
        raise ValueError(f"expected voxel_nm as three positive numbers (z, y, x), got {str(said)[:80]}; correct {JSON}, or write null")
    z, y, x = (_number(value, "voxel_nm") for value in said)
    return (z, y, x)


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise ValueError(f"expected a number in {key}, got {str(value)[:80]!r}; correct {JSON} in a text editor")
    return float(value)


def _classes(said: dict[str, Any]) -> dict[int, str]:
    if not all(key.isascii() and key.isdecimal() and isinstance(name, str) for key, name in said.items()):
        raise ValueError(f'expected classes as {{"0": "background", ...}}, got {str(said)[:80]}; correct {JSON} in a text editor')
    return {int(key): name for key, name in said.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _numbered(folder: Path) -> list[Path]:
    """The networks in a folder of several."""
    return sorted((p for p in folder.iterdir() if p.name.isdecimal() and (p / JSON).exists()), key=lambda p: int(p.name))


def _stranger(folder: Path) -> str | None:
    """What in an older folder was never one of our results."""
    inside = _numbered(folder)
    own = (p.name for p in sorted(folder.iterdir()) if p not in inside and (p.is_dir() or p.name not in (JSON, WEIGHTS)))
    return next(own, None) or next((f"{one.name}/{name}" for one in inside if (name := _stranger(one))), None)
