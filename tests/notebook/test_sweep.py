"""The combinations of a sweep: which parameters vary, in which order, and what is refused before anything is sent."""

from __future__ import annotations

import base64
import itertools
import json
import math

import numpy as np
import pytest
from core_fixtures import _no_waiting, _served, client, nothing_left, sandbox, serve, small  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import InvalidParameterError, Tool
from novakit_widgets.batches.grid import Axis, Grid
from novakit_widgets.notebook.sweep import grid_of

NAMES = ("prompt", "seed", "strange", "negative_prompt")
AXES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(Axis, st.just(name), st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(tuple))
            for name in names
        )
    )
)


@given(AXES)
def test_grid_has_each_combination_once(axes):
    """Row by row: a cell's place follows from its row and its column."""
    grid = Grid(axes)
    made = grid.combinations()
    assert len(made) == len(grid) == len(grid.rows) * len(grid.columns) == math.prod(len(axis.values) for axis in axes)
    assert len({tuple(one.items()) for one in made}) == len(made)
    for (row, values), (column, across) in itertools.product(enumerate(grid.rows), enumerate(grid.columns)):
        wanted = dict(zip([axis.name for axis in grid.axes], (*values, *across), strict=True))
        assert made[row * len(grid.columns) + column] == wanted


@given(AXES)
def test_grid_survives_the_history(axes):
    """What the history keeps brings the table back; what is no table of so many does not."""
    grid = Grid(axes)
    assert Grid.from_json(grid.to_json(), count=len(grid)) == grid
    assert Grid.from_json(grid.to_json(), count=len(grid) + 1) is None


@pytest.mark.parametrize("strange", [None, 3, "ab", [1], [["a"]], [["a", 3]], {"a": [1]}])
def test_grid_ignores_unreadable_history(strange):
    """And no error: the jobs are shown in rows."""
    assert Grid.from_json(strange, count=7) is None


def test_sweep_varies_parameters_with_several_values():
    """Lists, ranges, generators; not a text, not a dict, not the list that a parameter takes itself."""
    grid = grid_of(
        Tool.STT,
        {
            "file": (f"https://x.example/{name}.mp3" for name in "ab"),
            "timestamp_granularities": ["word", "segment"],
            "model_inputs": {"a": [1, 2]},
            "language": ["en", None],
        },
    )
    assert [axis.name for axis in grid.axes] == ["file", "language"]
    assert grid.combinations()[1] == {"file": "https://x.example/a.mp3"}
    lists = grid_of(Tool.STT, {"timestamp_granularities": [["word"], ["segment", "word"]]})
    assert lists.combinations()[1] == {"timestamp_granularities": ["segment", "word"]}
    assert grid_of(Tool.IMAGE, {"prompt": "A", "seed": range(3)}).rows == [(0,), (1,), (2,)]


def test_sweep_labels_are_json(tmp_path):
    """The history has nothing else to tell the values apart by. What is sent are the files themselves."""
    head = b"\x89PNG\r\n\x1a\n"
    files = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "more" / "b.png"]
    files[2].parent.mkdir()
    for number, file in enumerate(files):
        file.write_bytes(head + bytes([number]))
    uris = [f"data:image/png;base64,{base64.b64encode(head + bytes([number])).decode()}" for number in range(5)]
    grid = grid_of(
        Tool.IMAGE_EDIT,
        {"image": [*files, head + bytes([3]), uris[4], None], "strength": np.array([0.5, 2]), "seed": [np.int64(7)]},
    )
    image, strength, seed = grid.axes
    assert image.values == ("a.png", files[1].as_posix(), files[2].as_posix(), "image 4", uris[4], None)
    assert (strength.values, seed.values) == ((0.5, 2.0), (7,))
    assert Grid.from_json(json.loads(json.dumps(grid.to_json())), count=len(grid)) == grid
    made = grid.combinations()
    assert [one.get("image") for one in made[::2]] == [*uris, None]
    assert made[1] == {"image": uris[0], "strength": 2.0, "seed": 7}


def test_sweep_refuses_files_with_equal_bytes(tmp_path):
    """It would be paid for twice."""
    files = [tmp_path / "a.png", tmp_path / "copy.png"]
    for file in files:
        file.write_bytes(b"\x89PNG\r\n\x1a\n0000")
    with pytest.raises(InvalidParameterError, match=r"image_edit: image: 'copy.png' is given twice"):
        grid_of(Tool.IMAGE_EDIT, {"image": files})


def test_sweep_takes_numpy_and_pandas():
    """A scalar of numpy's is one value."""
    grid = grid_of(Tool.IMAGE, {"n": np.int64(2), "seed": np.arange(2)})
    assert [axis.name for axis in grid.axes] == ["seed"]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"prompt": "A"}, "no parameter varies"),
        ({"seed": []}, "seed: the list is empty"),
        ({"seed": [1, 2, 1.0]}, "seed: '1.0' is given twice"),
        ({"style": ["natural", "vivid", None]}, "style: the default is given twice"),
        ({"seed": [1, np.int64(1)]}, "seed: '1' is given twice"),
        ({"seed": [np.float64(7), 8, 7]}, "seed: '7' is given twice"),
        ({"seed": [1, None, math.nan]}, "seed: the default is given twice"),
        ({"seed": np.arange(4).reshape(2, 2)}, "seed: can't be sent as JSON"),
        ({"seed": itertools.count()}, "more than 10,000 values"),
    ],
)
def test_sweep_refuses_what_is_not_valid(params, why):
    """Before anything is sent."""
    with pytest.raises(InvalidParameterError, match=rf"image: .*{why}.*Nothing was sent or billed"):
        grid_of(Tool.IMAGE, params)
