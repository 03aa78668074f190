"""The picture of the package in docs/contributing.md."""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(monkeypatch):
    """The module that draws it."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    import house

    yield house
    sys.modules.pop("house")


def test_house_drawn_has_every_room(house):
    """Each room is a row with its purpose, and the picture tells the same in words."""
    read = house.read(ROOT)
    drawn = ET.fromstring(house.draw(read))
    words = " ".join(drawn.itertext())
    rooms = {path.parent.name for path in (ROOT / "novakit_widgets").glob("*/__init__.py")} | {"errors"}
    assert {room.name for room in read.rooms} == rooms
    for room in read.rooms:
        assert f"{room.name} imports" in words
        assert room.purpose
        assert room.purpose in words


def test_house_import_that_points_up_is_wrong(house):
    """Today none does; one that did would be named."""
    read = house.read(ROOT)
    assert read.wrong() == []
    assert replace(read, imports={**read.imports, ("model", "engine"): 1}).wrong() == ["model -> engine"]


def test_readme_lists_rooms_in_order(house):
    """The table of the README has each room, from top to bottom."""
    working = (ROOT / "README.md").read_text(encoding="utf-8").split("## Working on it")[1]
    listed = re.findall(r"^\| \[(\w+)\]", working, re.MULTILINE)
    assert listed == [room.name for room in house.read(ROOT).rooms]
