"""fibsem-ij networks: look at a trained network, hand it to other programs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer

from fibsem_ij.cli.terminal import Json, show

app = typer.Typer(help="Trained networks: what one is, and as a package for other tools.", no_args_is_help=True)

Net = Annotated[Path, typer.Argument(help="Network folder, as fit wrote it.")]


def opened(net: Path) -> list[Any]:
    """The networks of a folder; a process that stays alive reads them again only when their files are others."""
    found = sorted(path for path in net.rglob("*") if path.is_file())
    return _read(net.resolve(), tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in found))


@lru_cache(maxsize=1)
def _read(net: Path, files: tuple[tuple[str, int, int], ...]) -> list[Any]:
    from fibsem_ij.files import networks

    return networks.read_all(net)


@app.command("show")
def look(net: Net, json_: Json = False) -> None:
    """Tell what a network is, what it learned and from what.

    fibsem-ij networks show net/
    """
    from dataclasses import asdict

    from fibsem_ij.files import networks

    network = networks.read(net)
    history: dict[str, Any] = {"rows": [], "kept": None, **network.record.get("history", {})}
    best = max(history["rows"], key=lambda row: row["score"], default=None)  # which older ones kept
    kept = next((row for row in history["rows"] if row["update"] == history["kept"]), best)
    config, classes = asdict(network.config), list(network.classes.values())
    told = {"name": network.name, "config": config, "task": network.task,
            "parameters": sum(p.numel() for p in network.module.parameters()), "classes": classes,
            "neighbours": network.neighbours, "voxel_nm": network.voxel_nm, "grey": network.scale.dtype, "kept": kept}
    said = told | {"config": ", ".join(f"{key} {value}" for key, value in config.items()), "classes": ", ".join(classes),
                   "kept": kept and f"update {kept['update']} of {history['rows'][-1]['update']}, score {kept['score']:.3g}"}
    lines = [f"{key:10} {value}" for key, value in said.items() if value not in (None, "")]
    show(told, json_, "\n".join(lines))


@app.command()
def export(
    net: Net,
    out: Annotated[Path, typer.Argument(help="Package to write, a .zip.")],
    src: Annotated[Path, typer.Option(help="A stack as the network knows it: a slice of it is the package's test and cover.")],
    z: Annotated[int | None, typer.Option("--slice", help="Which slice; the middle one if left out.", min=0)] = None,
    name: Annotated[str | None, typer.Option(help="The package's name.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for, in a sentence.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="Who made it; may be given again. Needed to publish, not to run.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="SPDX name, as CC-BY-4.0. Needed to publish, not to run.")] = None,
    json_: Json = False,
) -> None:
    """Write a bioimage.io model package, for deepImageJ, ilastik, QuPath and others.

    fibsem-ij networks export net/ net.zip --src noisy.tif
    """
    import numpy as np

    from fibsem_ij import files
    from fibsem_ij.arrays.slices import around
    from fibsem_ij.files import bioimage, networks

    network, stack = networks.read(net), files.read(src)
    trained = network.record.get("options", {})
    if trained.get("grain") or trained.get("context", 1) > 1:
        raise ValueError(f"{net}: expected a network that sees slices as they are, got one trained with --grain or --context, which other "
                         "tools cannot show it; train one without")
    middle = len(stack) // 2 if z is None else z
    if middle >= len(stack):
        raise ValueError(f"expected --slice within 0..{len(stack) - 1}, got {middle}; count from 0")
    shown = np.stack([stack[k] for k in around(middle, network.neighbours, len(stack))])
    bioimage.export(out, network, shown, name=name, description=description, authors=author or (),
                    license=license_)
    show({"path": str(out)}, json_, f"bioimage.io package in {out}")
