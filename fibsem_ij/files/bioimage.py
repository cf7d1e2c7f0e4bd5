"""A network as a bioimage.io model package, for other tools of the ImageJ family (deepImageJ, ilastik, QuPath); out only.

The package holds the network twice: as its source in one file with a PyTorch state dict, and as ONNX. Beside them: a test slice and the
output that belongs to it, a cover, a README, and the description (`bioimage_model`). Height and width are left open: any tile from
a least size up, in steps that the network halves without padding.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fibsem_ij.files import bioimage_model as words
from fibsem_ij.files.whole import whole

if TYPE_CHECKING:
    from fibsem_ij.learn.network import Network

_TEST_PX = 512  # a larger test slice only makes the package larger
_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")  # grey values that the format can name
_README = """# {name}

{description}

- Input: {inputs} grey slice(s), {dtype}: the slice itself in the middle, its neighbours along z around it.
- Output: {outputs}.
- Any height and width will do; multiples of {multiple} are computed without padding.

## Validation

Compare with drawn or clean slices of your own stack that lie at least 10 slices from any that the network was trained on: neighbouring
slices are nearly copies of each other. The network learned one stack; expect less on another.

## Training record

```json
{record}
```
"""

_ENVIRONMENT = """name: network
channels: [conda-forge]
dependencies: [pip, {{pip: [torch, {needs}]}}]
"""


def export(path: Path, network: Network, test_input: npt.NDArray[Any], *, name: str | None = None, description: str | None = None,
           authors: Sequence[str] = (), license: str | None = None) -> None:
    """A package at `path`, a .zip. `test_input` is (inputs, y, x) in grey units; its middle is taken.

    `license` is an SPDX name as CC-BY-4.0. Who publishes the package gives authors and a license; to run it nobody needs them.
    """
    missing = [package for package in ("bioimageio", "onnx", "onnxscript") if find_spec(package) is None]
    if missing:
        raise ValueError(f"expected {', '.join(missing)} to be installed for the export, found none; pip install 'fibsem-ij[export]'")
    if Path(path).suffix.lower() != ".zip":
        raise ValueError(f"expected a package named .zip, got {path}; add .zip to the name")
    grey = _test_slice(network, np.asarray(test_input))
    given = {
        "name": name or re.sub(r"[^A-Za-z0-9_+() -]", " ", f"FIB-SEM {network.task or 'network'} {network.name}"),
        "description": description or f"A {network.name} trained with fibsem-ij on slices of one FIB-SEM stack.",
        "authors": [{"name": author} for author in authors],
        "license": license,
    }
    with whole(Path(path)) as part, tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(_packed(Path(folder), network, grey, given), part)


def _packed(folder: Path, network: Network, grey: npt.NDArray[Any], given: dict[str, Any]) -> Path:
    """The package, made in `folder` of files that are written there first."""
    from bioimageio.spec import save_bioimageio_package

    from fibsem_ij.learn import export as out

    out.to_state_dict(network, folder / "weights.pt")
    (folder / "network.py").write_text(out.to_source(network), encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(_readme(network, given), encoding="utf-8", newline="\n")
    result = words.finished(network, out.run(network, network.scale.forward(grey)[None]))
    np.save(folder / "test_input.npy", grey[None])
    np.save(folder / "test_output.npy", result)
    (folder / "cover.png").write_bytes(_cover(grey[len(grey) // 2], result[0]))
    content = {**given, **words.model(folder, network, str(grey.dtype))}
    if needs := out.needs(network):
        (folder / "environment.yaml").write_text(_ENVIRONMENT.format(needs=", ".join(needs)), encoding="utf-8", newline="\n")
        content["weights"]["pytorch_state_dict"]["dependencies"] = {"source": folder / "environment.yaml"}
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # NB: bioimageio.spec leaves what it reads to be closed
        _accepted(content)  # before the export to ONNX, which takes its time
        out.to_onnx(network, folder / "weights.onnx")
        content["weights"]["onnx"] = {"source": folder / "weights.onnx", "opset_version": out.OPSET}
        return Path(save_bioimageio_package(_accepted(content), output_path=folder / "package.zip"))


def _accepted(content: dict[str, Any]) -> Any:
    """The description as bioimage.io takes it."""
    from bioimageio.spec.model.v0_5 import ModelDescr

    try:
        return ModelDescr.model_validate(content)
    except ValueError as error:
        raise ValueError(f"expected what bioimage.io takes, got {error}; correct the name, description, authors or license") from error


def _test_slice(network: Network, grey: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The middle of what was given, in a size and a dtype that the description allows."""
    step = network.multiple
    least = words.LEAST * step
    if grey.ndim != 3 or len(grey) != network.config.inputs or min(grey.shape[1:]) < least:
        raise ValueError(f"expected a test input ({network.config.inputs}, y, x) of at least {least} x {least} px, got shape {grey.shape}; "
                         "give a slice with its neighbours")
    if grey.dtype.kind not in "buif" or not np.isfinite(grey).all():
        raise ValueError(f"expected finite grey values, got {grey.dtype} or NaN in them; give a slice as the network saw in training")
    height, width = (min(size, max(_TEST_PX, least)) // step * step for size in grey.shape[1:])
    top, left = (grey.shape[1] - height) // 2, (grey.shape[2] - width) // 2
    dtype = network.scale.dtype if network.scale.dtype in _NUMBERS else "float32"
    return np.ascontiguousarray(grey[:, top : top + height, left : left + width], dtype)


def _cover(grey: npt.NDArray[Any], result: npt.NDArray[np.float32]) -> bytes:
    """Input | output, two squares; of several channels the strongest in its colour."""
    import imagecodecs

    from fibsem_ij.arrays.colours import paint
    from fibsem_ij.arrays.contrast import normalise

    def shown(plane: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        return np.repeat((normalise(plane) * 255).astype(np.uint8)[..., None], 3, 2)

    output = shown(result[0]) if len(result) == 1 else paint(result.argmax(0).astype(np.uint32))
    side = min(grey.shape)
    return bytes(imagecodecs.png_encode(np.hstack([shown(grey)[:side, :side], output[:side, :side]])))


def _readme(network: Network, given: dict[str, Any]) -> str:
    return _README.format(
        name=given["name"], description=given["description"], inputs=network.config.inputs, dtype=network.scale.dtype,
        outputs=", ".join(words.channels(network)), multiple=network.multiple,
        record=json.dumps(dict(network.record), indent=1, ensure_ascii=False))
