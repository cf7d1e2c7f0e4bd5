"""A recipe: what is to be done to a stack, as TOML. One table a room, whose keys are those of the room's Options and a few of its verbs.

    [input] [register] [denoise] [segment] [objects] [measure] [output]

A table that is absent is a stage left out; a key that is absent has the default of the room, which is the published one. A table, key
or type that is not known is an error with the nearest name that is. Where a table says `updates` and no `minutes`, the clock does not
count: the training ends by updates alone, and the same recipe gives the same bytes. Paths are relative to the recipe's folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from fibsem_ij import denoise, segment
from fibsem_ij.recipe.tables import OBJECTS, Components, Denoise, Input, Measure, Objects, Output, Register, Segment
from fibsem_ij.recipe.values import checked, unknown
from fibsem_ij.segment.presets import based
from fibsem_ij.verbs.register import IN_FIJI

_OWN = {Register: ("aligner", "anchors"), Components: ("least_voxels",)}  # keys of Options that the table says in its own way
_TABLES: Mapping[str, Any] = {"input": Input, "register": Register, "denoise": Denoise, "segment": Segment, "objects": None,
                              "measure": Measure, "output": Output}


@dataclass(frozen=True)
class Recipe:
    input: Input = field(default_factory=Input)
    register: Register | None = None
    denoise: Denoise | None = None
    segment: Segment | None = None
    objects: Objects | None = None
    measure: Measure | None = None
    output: Output | None = None
    folder: Path = Path()  # what its paths are relative to
    text: str = ""

    def plain(self) -> dict[str, Any]:
        """Every table with every value, as JSON holds it."""
        found = {name: getattr(self, name) for name in _TABLES}
        return {name: {**({"how": table.how} if name == "objects" else {}), **flat(table)} for name, table in found.items() if table}

    def path(self, said: str) -> Path:
        return self.folder / Path(said).expanduser()


def flat(table: Any) -> dict[str, Any]:
    """A table with the room's Options among its keys."""
    said = asdict(table)
    return {**{name: value for name, value in said.pop("options", {}).items() if name not in said}, **said}


def read(path: Path) -> Recipe:
    path = Path(path)
    if not path.is_file():
        names = ", ".join(ready())
        raise FileNotFoundError(f"expected a recipe at {path}, found none; write one with fibsem-ij recipes NAME {path.name} ({names})")
    try:
        return parse(path.read_text(encoding="utf-8"), folder=path.resolve().parent)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: expected TOML, got {error}; correct it in a text editor") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse(text: str, *, folder: Path = Path()) -> Recipe:
    said = tomllib.loads(text)
    for name, table in said.items():
        if name not in _TABLES:
            raise unknown("recipe", "table", name, _TABLES)
        if not isinstance(table, dict):
            raise ValueError(f"expected the table [{name}], got {name} = {table!r}; write [{name}] above its keys")
    tables = {name: _table(name, _kind(name, table), table) for name, table in said.items()}
    return Recipe(**tables, folder=folder, text=text)


def ready() -> dict[str, str]:
    """The recipes that come with fibsem_ij: name -> what it is for."""
    found = sorted((path for path in (resources.files("fibsem_ij") / "recipes").iterdir() if path.name.endswith(".toml")),
                   key=lambda path: path.name)
    return {path.name.removesuffix(".toml"): path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for path in found}


def ready_text(name: str) -> str:
    if name not in ready():
        raise unknown("fibsem_ij", "recipe", name, ready())
    return (resources.files("fibsem_ij") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def _kind(name: str, said: dict[str, Any]) -> Any:
    if name != "objects":
        return _TABLES[name]
    how = said.pop("how", "components")
    if how not in OBJECTS:
        raise unknown("[objects]", "value of how", str(how), OBJECTS)
    return OBJECTS[how]


def _table(name: str, kind: Any, said: dict[str, Any]) -> Any:
    own = {f.name: get_type_hints(kind)[f.name] for f in fields(kind) if f.name != "options"}
    options = _default_options(name, kind, said)
    more = {key: hint for key, hint in (get_type_hints(type(options)) if is_dataclass(options) else {}).items()
            if key in options.__dataclass_fields__ and key not in (*own, *_OWN.get(kind, ()))}
    for key in said:
        if key not in own | more:
            raise unknown(f"[{name}]", "key", key, own | more)
    values = {key: checked(f"[{name}] {key}", value, (own | more)[key]) for key, value in said.items()}
    try:
        if options is None:
            return kind(**values)
        changed = _changed(kind, options, values, {key: values[key] for key in values if key in more})
        return kind(**{key: value for key, value in values.items() if key in own}, options=changed)
    except ValueError as error:
        raise ValueError(f"[{name}] {error}") from error


def _default_options(name: str, kind: Any, said: dict[str, Any]) -> Any:
    """What the table starts from."""
    if kind is Segment and isinstance(preset := said.get("preset", "quick"), str):
        if preset not in segment.PRESETS:
            raise unknown("[segment]", "preset", preset, segment.PRESETS)
        return segment.preset(preset)
    if kind is Denoise:
        return denoise.Options(method="supervised" if said.get("clean") or said.get("scans") else "blindspot")
    return kind().options if any(f.name == "options" for f in fields(kind)) else None


def _changed(kind: Any, options: Any, values: dict[str, Any], more: dict[str, Any]) -> Any:
    if "updates" in more and "minutes" not in more:
        more["minutes"] = None
    if kind is Register and (aligner := values.get("aligner", "turboreg")) not in IN_FIJI:
        more["aligner"] = aligner
    if kind is Segment and values.get("base"):
        return based(replace(options, **more), values["base"])
    return replace(options, **more)
