"""Registration, side by side with its peers in one run: what, who, asked, measured.

    python benchmarks/registration.py [--small] [--sections speed,drift,...] [--real FOLDER] [--fiji FIJI_DIR]

Truth is known: the stacks are made by `benchmarks/stacks.py` and by `fibsem_ij.phantom`, several seeds each. pystackreg is
measured where it is installed (it is no dependency: its terms are its own). `--real FOLDER` has slices named by their z
(0045.tif ...): known motions are put on neighbours and recovered. `--fiji FIJI_DIR` compares with the TurboReg and SIFT of
that Fiji. Errors in px: mean over four corners and the centre. Time is of a pair, everything included: reading, looking for
bad slices, making ready, fitting, solving; two worker threads.

On real slices "the motion alone" counts what the slices moved by themselves as error: published stacks are aligned to half a
pixel or so (see the rows "before any motion"). "with the peer's own fit" adds what pystackreg finds between the same slices
before the motion was put on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import registration_bad as spoilt
import registration_cost as cost
from registration_fits import NO_PEER, Row, StackReg, compared, ours, pair_of_theirs, peers, phantom, walls

from fibsem_ij import fiji
from fibsem_ij.phantom import REGIMES
from fibsem_ij.register.models import Frame, corner_distance, median
from fibsem_ij.register.turboreg import TurboReg


def drift(seeds: int, depth: int) -> Iterator[Row]:
    kinds: dict[str, tuple[dict[str, Any], str]] = {
        "512 px, 23.5 dB": ({}, "pair < .19, drift < 2"), "512 px, 15.3 dB": ({"noise_db": 15.3}, ""),
        "512 px, resin-heavy": ({"resin": 0.75}, "pair < .45, drift < 3.5"),
        "512 px, nothing moves (invented)": ({"motion": "still"}, "report"), "512 px, all of it walks": ({"motion": "walk"}, "")}
    for what, (kind, asked) in kinds.items():
        fits = {"ours": ours, **peers("AFFINE", "TRANSLATION")}
        if "still" in kind.values():
            fits["ours, keep_trend"] = partial(ours, keep_trend=True)
        yield from compared(what, [partial(walls, seed=seed, depth=depth, **kind) for seed in range(seeds)], fits, {"ours": asked})


def regimes(seeds: int, depth: int, size: int) -> Iterator[Row]:
    for noise_db in (23.5, 15.3):
        for regime in REGIMES:
            made = [partial(phantom, regime, seed, noise_db=noise_db, depth=depth, size=size) for seed in range(seeds)]
            yield from compared(f"phantom {regime}, {noise_db} dB", made, {"ours": ours, **peers("TRANSLATION")},
                                {"ours": "drift <= translation's"})


def large(seeds: int, depth: int) -> Iterator[Row]:
    made = [partial(walls, seed=seed, size=2048, depth=depth) for seed in range(seeds)]
    yield from compared("2048 px, 23.5 dB", made, {"ours": ours, **peers("AFFINE")}, {"ours": "pair <= theirs"})


def real(folder: Path, each: int) -> Iterator[Row]:
    found = {int(path.stem): path for path in sorted(folder.glob("*.tif"))}
    images = {z: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for z, path in found.items()}
    who: dict[str, Callable[[Any, Any], Any]] = {"ours": _pair}
    if StackReg:
        who["pystackreg affine"] = partial(pair_of_theirs, mode="AFFINE")
    for gap in (1, 2, 3):
        rng = np.random.default_rng(0)
        errors: dict[tuple[str, str], list[float]] = {}
        for z in sorted(z for z in images if z + gap in images):
            fixed, moving = images[z], images[z + gap]
            frame = Frame((fixed.shape[0], fixed.shape[1]))
            own = {name: fit(fixed, moving) for name, fit in who.items()}
            for _ in range(each):
                known = _known(rng, frame)
                warped = cv2.warpAffine(moving, np.linalg.inv(known)[:2], fixed.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
                for name, fit in who.items():
                    got = fit(fixed, warped)
                    truths = {"the motion alone": known, "with its own fit": known @ own[name]}
                    if StackReg and name == "ours":
                        truths["with the peer's own fit"] = known @ own["pystackreg affine"]
                    for truth, matrix in truths.items():
                        errors.setdefault((name, truth), []).append(float(corner_distance(got, matrix, frame=frame)))
        for (name, truth), px in errors.items():
            yield (f"real slices {gap} apart, {truth}", name, "< .5 px" if name == "ours" else "",
                   f"mean {np.mean(px):.3f}, worst {np.max(px):.3f} px")
    if StackReg is None:
        yield "real slices", NO_PEER, "", ""


def floor(folder: Path) -> Iterator[Row]:
    """How far apart the slices lie as published, by fits that can only shift: what "the motion alone" cannot fall below."""
    images = {int(path.stem): cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in folder.glob("*.tif")}
    who: dict[str, Callable[[Any, Any], Any]] = {"ours, translation": partial(_pair, model="translation")}
    if StackReg:
        who["pystackreg translation"] = partial(pair_of_theirs, mode="TRANSLATION")
    for gap in (1, 2, 3):
        for name, fit in who.items():
            px = [float(np.hypot(*fit(images[z], images[z + gap])[:2, 2])) for z in sorted(images) if z + gap in images]
            yield f"real slices {gap} apart, before any motion", name, "", f"mean {np.mean(px):.3f}, worst {np.max(px):.3f} px"


def _pair(fixed: Any, moving: Any, model: str = "affine") -> Any:
    frame = Frame((fixed.shape[0], fixed.shape[1]))
    return median(TurboReg(model)(fixed, moving, rng=np.random.default_rng(0)), model=model, frame=frame)[0]


def _known(rng: np.random.Generator, frame: Frame) -> Any:
    """Shift to 20 px, rotation to 2 degrees, scale and shear to 2 %."""
    angle = np.deg2rad(rng.uniform(-2, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = (turn @ (np.eye(2) + rng.uniform(-0.02, 0.02, (2, 2))) - np.eye(2)) * frame.half
    return frame.from_numbers(np.concatenate([rng.uniform(-20, 20, 2), linear.ravel()]))


def with_fiji(home: Path | None, depth: int) -> Iterator[Row]:
    """Fiji's aligners in our socket: pairs, median, solution for the whole stack and bad slices are ours for all."""
    what = f"512 px, 23.5 dB, {depth} slices"
    if home is None:
        yield what, "Fiji's aligners", "", "left out: say where Fiji is with --fiji FIJI_DIR"
        return
    from fibsem_ij.fiji.plugins import ALIGNERS

    fits = {"ours": ours, **peers("AFFINE", "TRANSLATION")}
    for name, aligner in ALIGNERS.items():
        try:
            fits[name] = partial(ours, aligner=aligner(fiji.start(home), model="affine"))
        except fiji.FijiError as error:
            yield what, name, "", f"left out: {error}"
    yield from compared(what, [partial(walls, depth=depth)], fits, {})


def sections(args: argparse.Namespace) -> dict[str, Iterator[Row]]:
    few = args.small
    told = {
        "speed": cost.speed({512: (12, 3)} if few else {512: (24, 7), 2048: (9, 3)}), "runs": cost.runs(15 if few else 60),
        "drift": drift(1 if few else 5, 12 if few else 40),
        "regimes": regimes(1 if few else 3, 12 if few else 40, 256 if few else 512), "large": large(1, 3) if few else large(3, 6),
        "bad": spoilt.bad(1 if few else 3), "alarms": spoilt.alarms(40 if few else 100, 256 if few else 384),
        "faint": spoilt.faint(24 if few else 40, 256 if few else 512),
        "scaling": cost.scaling((6, 16) if few else (10, 40), 384 if few else 512),
        "apply": cost.resampling(1024 if few else 2048, 15 if few else 40), "fiji": with_fiji(args.fiji, 4 if few else 12),
        "devices": cost.devices((512,) if few else (512, 2048)), "memory": cost.memory((2, 4) if few else (8, 24))}
    return {**told, "real": real(args.real, 1 if few else 3), "floor": floor(args.real)} if args.real else told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a few minutes instead of an hour")
    parser.add_argument("--sections", default="", help="only these, by comma: speed, runs, drift, regimes, large, bad, alarms, faint, "
                                                       "scaling, apply, fiji, devices, memory, real, floor")
    parser.add_argument("--real", type=Path, help="a folder of slices named by their z")
    parser.add_argument("--fiji", type=Path, help="a Fiji.app with BIG-EPFL's TurboReg")
    args = parser.parse_args()
    every = sections(args)
    wanted = [name for name in args.sections.split(",") if name] or list(every)
    if unknown := set(wanted) - set(every):
        parser.error(f"expected sections of {', '.join(every)}, got {', '.join(sorted(unknown))}; real and floor need --real FOLDER")
    print("| what | who | asked | measured |\n|---|---|---|---|")
    for name in wanted:
        for row in every[name]:
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
