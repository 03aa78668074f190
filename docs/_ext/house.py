"""The picture of the package, made from its imports: each room, its modules, and which rooms it imports."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["House", "Room", "draw", "read"]

_WIDTH = 1000
_TEXT = 590  # pixels for a room's words
_ROW = 62
_HEAD = 104  # for the names over the columns
_CELL = (_WIDTH - _TEXT - 20) / 14
_LINE = 92  # characters of a room's modules a line


@dataclass(frozen=True)
class Room:
    """A package or module on top.

    Attributes:
        name: such as ``"engine"``.
        purpose: the first sentence of its docstring.
        modules: the names of its modules and packages.
    """

    name: str
    purpose: str
    modules: Sequence[str]


@dataclass(frozen=True)
class House:
    """The rooms from top to bottom, and what they import.

    Attributes:
        rooms: in the order of the layers contract; the sandbox is last.
        imports: how many imports go from a room to another.
    """

    rooms: Sequence[Room]
    imports: Mapping[tuple[str, str], int]

    def wrong(self) -> list[str]:
        """Return the imports that point up, as ``"model -> engine"``."""
        order = {room.name: number for number, room in enumerate(self.rooms)}
        return [
            f"{importer} -> {imported}"
            for importer, imported in self.imports
            if order[imported] < order[importer] and importer != "sandbox"
        ]


def read(root: Path) -> House:
    """Read the rooms and their imports.

    Args:
        root: the checkout, with ``pyproject.toml`` and the package.
    """
    contract = (root / "pyproject.toml").read_text(encoding="utf-8")
    layers = re.search(r"^layers = (\[.*?\])", contract, re.MULTILINE | re.DOTALL)
    assert layers is not None  # the contract names them
    names = [*ast.literal_eval(layers[1]), "sandbox"]
    package = root / "novakit_widgets"
    imports = Counter(
        (room, imported)
        for room in names
        for path in _files(package, room)
        for imported in _imported(path, package)
        if imported != room and imported in names
    )
    return House([_room(package, name) for name in names], imports)


def _files(package: Path, room: str) -> Iterator[Path]:
    folder = package / room
    yield from sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _room(package: Path, name: str) -> Room:
    folder = package / name
    text = (folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].replace("``", "").partition(". ")[0].rstrip(".")
    parts = sorted(folder.iterdir()) if folder.is_dir() else []
    modules = [
        f"{part.name}/" if part.is_dir() else part.stem
        for part in parts
        if part.name[0].isalpha() and (part.suffix == ".py" or (part / "__init__.py").exists())
    ]
    return Room(name, first, modules)


def _imported(path: Path, package: Path) -> Iterator[str]:
    """Yield the room of each import of ours, wherever it stands."""
    inside = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = inside[: len(inside) - node.level + 1]
            whole = [*base, *(node.module or "").split(".")] if node.module else list(base)
            yield from [whole[0]] if whole else (alias.name for alias in node.names)


def draw(house: House) -> str:
    """Return the picture as SVG, in the colours of the page it stands in.

    Args:
        house: what to draw.
    """
    rooms = house.rooms
    height = _HEAD + _ROW * len(rooms) + 8
    columns = {room.name: _TEXT + 20 + _CELL * (number + 0.5) for number, room in enumerate(rooms)}
    lines = [
        f'<svg class="house" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="house-title">',
        f'<title id="house-title">{escape(_told(house))}</title>',
    ]
    lines += [
        f'<text class="house-column" transform="translate({x + 5:.1f} {_HEAD - 10}) rotate(-90)">{escape(name)}</text>'
        for name, x in columns.items()
    ]
    for number, room in enumerate(rooms):
        top = _HEAD + _ROW * number + (8 if room.name == "sandbox" else 0)
        lines += _floor(room, top)
        for imported, x in columns.items():
            lines += _dot(house.imports.get((room.name, imported), 0), x, top + (_ROW - 6) / 2)
            if imported == room.name:
                lines.append(
                    f'<rect class="house-self" x="{x - 5:.1f}" y="{top + (_ROW - 6) / 2 - 5}" width="10" height="10"/>'
                )
    return "\n".join([*lines, "</svg>"])


def _floor(room: Room, top: float) -> Iterator[str]:
    yield f'<rect class="house-floor" x="1" y="{top}" width="{_WIDTH - 2}" height="{_ROW - 6}" rx="5"/>'
    yield (
        f'<text x="14" y="{top + 22}"><tspan class="house-name">{escape(room.name)}</tspan>'
        f'<tspan class="house-purpose" dx="10">{escape(room.purpose)}</tspan></text>'
    )
    words = " · ".join(room.modules)
    if len(words) > _LINE:
        words = words[:_LINE].rpartition(" · ")[0] + " · …"
    yield f'<text class="house-modules" x="14" y="{top + 43}">{escape(words)}</text>'


def _dot(count: int, x: float, y: float) -> Iterator[str]:
    if count:
        yield f'<circle class="house-dot" cx="{x:.1f}" cy="{y}" r="11"/>'
        yield f'<text class="house-count" x="{x:.1f}" y="{y + 4}">{count}</text>'


def _told(house: House) -> str:
    """Return the same in words, for readers who do not see it."""
    told = []
    for room in house.rooms:
        imported = [name for (importer, name) in house.imports if importer == room.name]
        told.append(f"{room.name} imports {', '.join(imported) or 'nothing'}")
    return f"The rooms of novakit_widgets from top to bottom. {'; '.join(told)}."
