"""From prompts, dicts and tables to what is submitted: all of it is checked before anything is."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from widget_fixtures import client, no_widget_stays, sandbox  # noqa: F401

from novakit_widgets import (
    InvalidParameterError,
    JobBoard,
    JobWidget,
    Tool,
    attach,
    batch,
    configure,
    history,
    sweep,
    video,
)
from novakit_widgets.errors import ConfigurationError
from novakit_widgets.job_history.jobs import default_history
from novakit_widgets.model.checks import check
from novakit_widgets.notebook.batch import MOST_ITEMS, parse_items


def said(params):
    """Leave out what says nothing."""
    return {name: value for name, value in params.items() if value is not None and not isinstance(value, float)}


TEXTS = st.text(min_size=1, max_size=30).filter(str.strip)
NOTHING = st.sampled_from([None, math.nan])


class Table:
    """What we know of a DataFrame: that it has columns, and gives its rows as dicts."""

    def __init__(self, rows):
        self.rows = rows
        self.columns = sorted({name for row in rows for name in row})

    def to_dict(self, orient):
        assert orient == "records"
        return self.rows


class PolarsTable:
    """The other kind of table: its to_dict takes something else."""

    columns = ("prompt",)

    def to_dict(self, *, as_series):
        raise AssertionError

    def to_dicts(self):
        return [{"prompt": "A lighthouse"}]


class NAType:
    """What pandas calls NA: neither equal to itself nor not."""

    def __ne__(self, other):
        return self

    def __eq__(self, other):
        return self

    def __hash__(self):
        return 0

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


class Scalar:
    """A number of numpy's."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_batch_takes_prompts_and_dicts():
    """Text goes into the tool's own main parameter; what is common lies under each item's own values."""
    parsed = parse_items(
        Tool.VIDEO, ["A sunset", {"prompt": "A sunrise", "fps": 30}], {"fps": 60, "aspect_ratio": "1:1"}
    )
    assert parsed == [
        {"fps": 60, "aspect_ratio": "1:1", "prompt": "A sunset"},
        {"fps": 30, "aspect_ratio": "1:1", "prompt": "A sunrise"},
    ]
    assert parse_items(Tool.TTS, ["Hello"]) == [{"input": "Hello"}]
    assert parse_items(Tool.STT, ["https://example.org/a.mp3"]) == [{"file": "https://example.org/a.mp3"}]


def test_batch_reads_generator_once_and_refuses_endless_one():
    """A generator is an iterable like any other, up to a number that nobody means."""
    assert len(parse_items(Tool.IMAGE, (f"Number {number}" for number in range(7)))) == 7
    with pytest.raises(InvalidParameterError, match=f"more than {MOST_ITEMS:,} items"):
        parse_items(Tool.IMAGE, (f"Number {number}" for number in itertools.count()))


def test_batch_encodes_file_as_base64(tmp_path):
    """A path and bytes are uploads; one that is not there is refused with its number."""
    sound = tmp_path / "sound.wav"
    sound.write_bytes(b"RIFF")
    assert parse_items(Tool.STT, [sound, b"RIFF", {"file": sound}]) == [{"file": "UklGRg=="}] * 3
    with pytest.raises(InvalidParameterError, match=r"item 1: stt: file can't be read from .*"):
        parse_items(Tool.STT, [sound, tmp_path / "none.wav"])


def test_batch_measures_common_and_own_parameters_together(sandbox, client):
    """Files that are too large together would make answers that nobody reads: the item that they are too large with is named."""
    head = b"\x89PNG\r\n\x1a\n"
    small, large = head + bytes(100_000), head + bytes(3_000_000)
    common = {"operation": "inpainting", "image": large}
    with pytest.raises(
        InvalidParameterError, match=r"item 1: image_edit: .*the files have 6\.1 MB, at most 5 MB"
    ) as caught:
        batch("image_edit", [{"mask": small}, {"mask": large}], client=client, **common)
    assert "Nothing was sent or billed." in str(caught.value)
    with pytest.raises(InvalidParameterError, match=r"item 1: image_edit: .*the files have 6\.1 MB, at most 5 MB"):
        sweep("image_edit", mask=[small, large], client=client, **common)
    assert not sandbox.requests
    assert len(parse_items(Tool.IMAGE_EDIT, [{"mask": small}, {"image": small, "mask": large}], common)) == 2


def test_batch_omits_missing_values_of_table():
    """NaN, None and NA say nothing; whole numbers that a hole made floats are whole again; numpy's scalars are Python's."""
    table = Table(
        [
            {"prompt": "A", "seed": 7.0, "fps": math.nan, "resolution": None},
            {"prompt": "B", "seed": math.nan, "fps": Scalar(60), "resolution": "720p"},
            {"prompt": "C", "seed": NAType(), "fps": 30.0, "resolution": NAType()},
        ]
    )
    assert parse_items(Tool.VIDEO, table, {"seed": 1}) == [
        {"seed": 7, "prompt": "A"},
        {"seed": 1, "prompt": "B", "fps": 60, "resolution": "720p"},
        {"seed": 1, "prompt": "C", "fps": 30},
    ]
    assert parse_items(Tool.IMAGE, PolarsTable()) == [{"prompt": "A lighthouse"}]


def test_batch_takes_pandas_table():
    """As pandas itself gives them out."""
    import pandas as pd  # no other test waits for it

    frame = pd.DataFrame({"prompt": ["A", "B"], "seed": [7, None], "style": pd.array(["vivid", None])})
    assert parse_items(Tool.IMAGE, frame) == [{"prompt": "A", "seed": 7, "style": "vivid"}, {"prompt": "B"}]
    assert parse_items(Tool.IMAGE, frame["prompt"]) == [{"prompt": "A"}, {"prompt": "B"}]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no item"),
        ("A sunset", "items must be a list .* not str"),
        ({"prompt": ["A", "B"]}, "items must be a list .* not dict"),
        (5, "items must be a list .* not int"),
        (["A", ""], "item 1: video: Enter a prompt"),
        (["A", None], "item 1: video: Enter a prompt"),
        (["A", 5], "item 1: an item must be text or a dict, not int"),
        (["A", {"prompt": "B", "fps": 29}], "item 1: video: fps must be 30 or 60, got 29"),
        (["A", {"prompt": "B", "duration_second": 5}], "item 1: .*did you mean 'duration_seconds'"),
        ([{0: "A"}], r"item 0: video: a parameter's name must be text, got 0 \(int\)"),
        ([{"prompt": "A", "camera": object()}], "item 0: video: camera can't be sent as JSON"),
        ([{"prompt": "A", "camera": Decimal("sNaN")}], "item 0: video: camera can't be sent as JSON"),
        (
            [{"prompt": "A", "seed": Decimal("sNaN")}],
            r"item 0: video: seed must be a whole number, got Decimal\('sNaN'\)",
        ),
        ([{"prompt": "A", "camera": math.inf}], "item 0: video: camera can't be sent as JSON"),
        (["", "B", "", "", "", "", "", ""], r"item 0: .* Items 2, 3, 4, 5, 6 and 1 more are refused as well\."),
        (["", "B", ""], r"item 0: .* Item 2 is refused as well\."),
    ],
)
def test_batch_refusal_names_the_item(sandbox, client, items, message):
    """The error says which item, why, and that nothing was sent or billed; and nothing was."""
    with pytest.raises(InvalidParameterError, match=message) as caught:
        batch("video", items, client=client)
    assert "Nothing was sent or billed." in str(caught.value)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"aspect_ration": "1:1"}, TypeError),
        ({"max_runing": 2}, TypeError),
        ({"time_out": 2}, TypeError),
        ({"autostart": False}, TypeError),
        ({"max_running": 0}, ConfigurationError),
        ({"max_running": 2.5}, ConfigurationError),
        ({"timeout": -1}, ConfigurationError),
        ({"embed": "somewhere"}, ConfigurationError),
    ],
)
def test_batch_refuses_options_that_are_not_valid(sandbox, client, options, error):
    """Each at once; nothing is sent, and no half-made board stays."""
    with pytest.raises(error):
        batch("video", ["A sunset"], client=client, **options)
    assert not sandbox.requests


def test_batch_without_key_raises_missing_key(sandbox):
    """Nothing else is needed to find that out."""
    configure(api_key=None)
    with pytest.raises(ConfigurationError, match="NOVAKIT_API_KEY"):
        batch("video", ["A sunset"])


@given(
    rows=st.lists(
        st.one_of(
            TEXTS,
            st.fixed_dictionaries(
                {"prompt": TEXTS},
                optional={"seed": st.one_of(NOTHING, st.integers(0, 2**31)), "style": NOTHING, "note": TEXTS},
            ),
        ),
        min_size=1,
        max_size=20,
    ),
    common=st.fixed_dictionaries({}, optional={"size": st.just("512x512"), "seed": st.one_of(NOTHING, st.just(3))}),
)
def test_batch_keeps_order_and_values(rows, common):
    """What comes out is what was said, in order, passes the check, and JSON can say it."""
    parsed = parse_items(Tool.IMAGE, iter(rows), common)
    assert len(parsed) == len(rows)
    for params, row in zip(parsed, rows, strict=True):
        check(Tool.IMAGE, params)
        json.dumps(params, allow_nan=False)
        own = {"prompt": row} if isinstance(row, str) else row
        assert params == {**said(common), **said(own)}


JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5), NOTHING
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(items=JUNK, tool=st.sampled_from(list(Tool)))
def test_batch_refuses_anything_else_with_a_message(items, tool):
    """Whatever is given: parameters that can be sent, or one error of ours that says that nothing was."""
    parsed, message = [], ""
    try:
        parsed = parse_items(tool, items)
    except InvalidParameterError as error:
        message = error.message
    assert parsed or "Nothing was sent or billed." in message
    for params in parsed:
        check(tool, params)
        json.dumps(params, allow_nan=False)


class Arrow:
    """A table as pyarrow has it: its columns are arrays, and their names are apart."""

    def __init__(self, *names):
        self.column_names = list(names)
        self.columns = [[0]] * len(names)

    def to_pylist(self):
        return [dict.fromkeys(self.column_names, "A")]


class Polars:
    """A table as polars has it."""

    def __init__(self, *names):
        self.columns = list(names)

    def to_dicts(self):
        return [dict.fromkeys(self.columns, "A")]


def pandas_frame(*names):
    import pandas as pd

    return pd.DataFrame([["A"] * len(names)], columns=list(names))


@pytest.mark.parametrize("table", [pandas_frame, Polars, Arrow], ids=lambda kind: kind.__name__)
def test_table_with_a_column_twice_is_refused(table):
    """A dict would have one of them, and nobody knows which was meant."""
    assert parse_items(Tool.IMAGE, table("prompt", "negative_prompt"))
    with pytest.raises(InvalidParameterError, match=r"the column 'prompt' more than once\. Nothing was sent or billed"):
        parse_items(Tool.IMAGE, table("prompt", "seed", "prompt"))


def test_table_of_another_kind_is_refused():
    """One that gives out no rows is no list of items."""

    class Lazy:
        columns = ("prompt",)

    with pytest.raises(InvalidParameterError, match="items must be a list of prompts or dicts, or a table, not Lazy"):
        parse_items(Tool.IMAGE, Lazy())


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: video("", fps=29), ["Enter a prompt", "fps must be 30 or 60"]),
        (
            lambda: video("A", fps=29, zoom=math.nan, lens={1}),
            ["fps must be", "zoom can't be sent", "lens can't be sent"],
        ),
        (
            lambda: video("A", duration=5, ratio="1:1"),
            ["'duration_seconds'", "'aspect_ratio'", "send them as they are"],
        ),
        (
            lambda: video("A", mode="image_to_video", source_image=Path("/no/such"), fps=29),
            ["source_image can't be read", "fps must be"],
        ),
        (lambda: configure(timeout=-1, embed="x", speed="fast"), ["timeout is", "embed must", "speed must"]),
        (lambda: batch("video", [{"prompt": "", "fps": 29}, "B"]), ["Enter a prompt", "fps must be"]),
    ],
)
def test_all_wrong_values_are_reported(call, named):
    """One error for all of them, so that a second try is not refused for another."""
    with pytest.raises((InvalidParameterError, TypeError, ConfigurationError)) as refused:
        call()
    assert [part for part in named if part not in str(refused.value)] == []
    assert "Nothing was sent or billed" in str(refused.value)


@pytest.mark.parametrize("value", ["no", "False", 0, None, [], 1])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("autostart", lambda value: video("A boat", autostart=value)),
        ("autostart", lambda value: JobWidget("image", {"prompt": "A boat"}, autostart=value)),
        ("autostart", lambda value: JobBoard([("image", {"prompt": "A boat"})], autostart=value)),
        ("confirm", lambda value: sweep("image", prompt=["A boat", "A ship"], confirm=value)),
    ],
)
def test_word_for_a_flag_is_refused_before_anything_is_billed(sandbox, name, call, value):
    """``"no"`` is true in Python."""
    before = set(sandbox.jobs)
    with pytest.raises(ConfigurationError, match=f"{name} must be True or False, not ") as refused:
        call(value)
    assert "Nothing was sent or billed" in str(refused.value)
    assert set(sandbox.jobs) == before


@pytest.mark.parametrize("value", [5, b"boat", ["boat"], True])
def test_history_search_of_another_type_is_our_error(value):
    """Not an error of ipywidgets or SQLite."""
    with pytest.raises(ConfigurationError, match="search must be text, got "):
        history(search=value)
    with pytest.raises(ConfigurationError, match="search must be text, got "):
        default_history().entries(search=value)


@pytest.mark.parametrize(
    "value",
    [Decimal("sNaN"), Decimal("NaN"), Decimal("Infinity"), Decimal(5), Fraction(5, 2), 5 + 0j, True, "5", math.inf],
    ids=repr,
)
@pytest.mark.parametrize("name", ["duration_seconds", "seed", "undocumented"])
def test_odd_numbers_are_refused_or_sent_as_they_are(name, value):
    """Whatever its type, it is our error, or JSON can hold it."""
    sent = name == "undocumented" and isinstance(value, bool | str)
    refused = pytest.raises(InvalidParameterError, match=f"{name} .*Nothing was sent or billed")
    with contextlib.nullcontext() if sent else refused:
        check(Tool.VIDEO, {"prompt": "A", name: value})


@pytest.mark.parametrize("value", [5, "sk_", b"", True, ["client"]], ids=repr)
def test_client_of_another_type_is_our_error(value):
    """In every call that takes one."""
    for call in (
        lambda: video("A", client=value),
        lambda: batch("video", ["A"], client=value),
        lambda: sweep("video", prompt=["A", "B"], client=value),
        lambda: attach("job_1", client=value),
    ):
        with pytest.raises(ConfigurationError, match="client must be a NovaKitClient, got "):
            call()
