"""Draws docs/registration.png, the picture of docs/registration.md: a phantom of 40 slices with bad ones, aligned.

    python benchmarks/registration_picture.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from fibsem_ij import phantom, register
from fibsem_ij.register.quality import quality
from fibsem_ij.render.registration import registration_sheet

WIDTH, COLOURS = 1100, 128


def main() -> None:
    specimen = phantom.make((40, 256, 256), seed=4, options=replace(phantom.Options(), blank=0.025, half_blank=0.025, defocused=0.025))
    fitted = register.fit(specimen.raw)
    sheet = Image.fromarray(registration_sheet(specimen.raw, fitted, quality(specimen.raw, fitted)))
    small = sheet.resize((WIDTH, round(sheet.height * WIDTH / sheet.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS).save(Path(__file__).parents[1] / "docs" / "registration.png", optimize=True)
    print({z: (why, fitted.why.get(z)) for z, why in specimen.bad.items()}, dict(fitted.why))


if __name__ == "__main__":
    main()
