"""The page that a report is: HTML from parts, with nothing outside it. No script, no font, no address is fetched, and the page says so
to the browser (Content-Security-Policy), so that what a workspace holds can neither run nor call home.

Every text that comes from a file goes through `escape`. Pictures of microscopy are JPEG, drawings PNG, plots SVG whose ink is the
page's own, so that they follow it from light to dark.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from fibsem_ij.arrays.colours import colours_of
from fibsem_ij.render import RGB
from fibsem_ij.render.measures import INK, rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Value = str | float | int | None

_QUALITY = 90
_INCH_PX = 104  # of a plot: 11 inches fill the page
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --paper: #f7f7f5; --card: #ffffff; --ink: #1c1e22; --faint: #666c75; --line: #e2e2df; --mark: #2563a8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #111214; --card: #1a1b1e; --ink: #e8e9eb; --faint: #9da3ab; --line: #2c2e33; --mark: #82b6ec; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 28px; }
header { padding-top: 44px; }
h1 { font-size: 30px; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 20px; letter-spacing: -.01em; margin: 0 0 4px; }
h3 { font-size: 14px; font-weight: 600; margin: 22px 0 8px; }
p { margin: 0 0 12px; max-width: 76ch; }
.faint, figcaption, footer { color: var(--faint); }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 18px 0 0; padding: 10px 0; border-bottom: 1px solid var(--line); }
a { color: var(--mark); text-decoration: none; } a:hover { text-decoration: underline; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 22px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 24px; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; }
.tile span { color: var(--faint); font-size: 13px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; margin: 22px 0; padding: 22px 24px; }
.grid { display: grid; gap: 16px; align-items: start; margin: 14px 0 0; }
figure { margin: 0; min-width: 0; }
figure + figure { margin-top: 16px; } .grid figure { margin-top: 0; }
figure img { width: 100%; height: auto; border-radius: 6px; display: block; background: #000; }
figure.clear img { background: none; }
figure.small img { image-rendering: pixelated; }
figure svg { width: 100%; max-width: var(--widest); height: auto; display: block; }
figcaption { font-size: 13px; margin-top: 5px; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0 0 14px; }
.matrix td, .matrix th { padding: 5px 8px; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
th { color: var(--faint); font-weight: 500; }
td.n, th.n { text-align: right; white-space: nowrap; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; overflow: auto; font-size: 12.5px;
  max-height: 420px; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--mark); }
.chips { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 10px 0 0; font-size: 13.5px; }
.chips i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
footer { font-size: 13px; padding-top: 6px; padding-bottom: 40px; }
@media (max-width: 720px) {
  .grid { grid-template-columns: 1fr !important; } header, main, footer { padding-inline: 14px; }
  figure { overflow-x: auto; } figure svg { min-width: min(var(--widest), 760px); }
}
@media print { section { break-inside: avoid; } nav { display: none; } }
"""


def page(title: str, subtitle: str, tiles: Iterable[tuple[str, str]], sections: Sequence[tuple[str, str]], foot: str) -> str:
    """`sections`: (title, HTML) each."""
    names = [(f"part{n}", name) for n, (name, _) in enumerate(sections, 1)]
    links = "".join(f'<a href="#{key}">{escape(name)}</a>' for key, name in names)
    boxes = "".join(f'<div class="tile"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for what, value in tiles)
    body = "".join(f'<section id="{key}"><h2>{escape(name)}</h2>{content}</section>\n'
                   for (key, name), (_, content) in zip(names, sections, strict=True))
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{_STYLE}</style>'
            f'</head>\n<body><header><h1>{escape(title)}</h1><p class="faint">{escape(subtitle)}</p><div class="tiles">{boxes}</div>'
            f'<nav>{links}</nav></header>\n<main>{body}</main><footer>{escape(foot)}</footer></body></html>\n')


def text(words: str) -> str:
    return f"<p>{escape(words)}</p>"


def heading(words: str) -> str:
    return f"<h3>{escape(words)}</h3>"


def grid(figures: Iterable[str], columns: int) -> str:
    return f'<div class="grid" style="grid-template-columns: repeat({columns}, minmax(0, 1fr))">{"".join(figures)}</div>'


def figure(picture: RGB | bytes, caption: str, *, drawing: bool = False) -> str:
    """An array, or the bytes of a PNG as they are; `drawing`: as PNG, since JPEG would blur it."""
    kind, content = ("png", picture) if isinstance(picture, bytes) else ("png" if drawing else "jpeg", _encoded(picture, drawing))
    seen = "" if isinstance(picture, bytes) else "clear" if picture.shape[-1] == 4 else "small" if max(picture.shape) <= 400 else ""
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return f'<figure class="{seen}"><img src="{source}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def plot(drawn: Figure, caption: str) -> str:
    """A figure whose ink is INK, in the ink of the page."""
    svg = rendered(drawn, "svg").decode()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.DOTALL)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1), count=1)
    widest = f"--widest:{drawn.get_figwidth() * _INCH_PX:.0f}px"
    svg = svg.replace(INK, "currentColor").replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" style="{widest}" ', 1)
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def table(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Numbers to the right, with four digits; None is a dash."""
    rows = [list(row) for row in rows]
    right = [all(not isinstance(row[k], str) for row in rows) for k in range(len(head))]

    def cell(tag: str, value: Value, k: int) -> str:
        return f'<{tag}{" class=n" if right[k] else ""}>{escape(number(value))}</{tag}>'

    lines = "".join(f"<tr>{''.join(cell('td', value, k) for k, value in enumerate(row))}</tr>" for row in rows)
    top = "".join(cell("th", name, k) for k, name in enumerate(head))
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def matrix(names: Sequence[str], share: Sequence[Sequence[float]]) -> str:
    """Shares from 0 to 1, shaded; a row a name."""
    def cell(value: float) -> str:
        shade = f"background:color-mix(in srgb, var(--mark) {60 * value:.0f}%, transparent)"
        return f'<td class="n" style="{shade}">{f"{value:.3f}" if value >= 5e-4 else ""}</td>'

    lines = "".join(f"<tr><th>{escape(name)}</th>{''.join(map(cell, row))}</tr>" for name, row in zip(names, share, strict=True))
    top = "".join(f'<th class="n">{escape(name)}</th>' for name in names)
    return f'<div class="wide matrix"><table><thead><tr><th></th>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def number(value: Value) -> str:
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, str):
        return value
    if float(value).is_integer() and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:.3e}" if abs(value) >= 1e7 or 0 < abs(value) < 1e-3 else f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def chips(names: Mapping[int, str]) -> str:
    """A legend of classes, without the background."""
    inside = "".join(f'<span><i style="background:#{colours_of(i).tobytes().hex()}"></i>{escape(name)}</span>'
                     for i, name in names.items() if i)
    return f'<div class="chips">{inside}</div>'


def folded(summary: str, content: str, *, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{escape(summary)}</summary>{content}</details>"


def code(content: str) -> str:
    return f"<pre>{escape(content)}</pre>"


def _encoded(picture: RGB, drawing: bool) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(picture)
    if picture.shape[-1] == 3 and (picture[..., :1] == picture).all():
        image = image.convert("L")
    if drawing:
        image.save(out, format="PNG", optimize=True)
    else:
        image.save(out, format="JPEG", quality=_QUALITY, **({} if image.mode == "L" else {"subsampling": 0}))
    return out.getvalue()
