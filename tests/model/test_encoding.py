"""Encoding: what can't be sent is refused where it is checked, with the parameter's name."""

from __future__ import annotations

import decimal
import json
import math

import pytest
from hypothesis import given
from strategies import JSON

import novakit_widgets as nk
from novakit_widgets.api.uploads import checked
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.checks import check
from novakit_widgets.model.encoding import encode
from novakit_widgets.model.tools import Tool

HALF = "cut \ud83d off"
LOOP: list[object] = []
LOOP.append(LOOP)
UNSENDABLE = {
    "half": HALF,
    "half in a list": ["a", HALF],
    "half in a dict": {"a": {"b": [HALF]}},
    "half in a key": {HALF: 1},
    "NaN": math.nan,
    "infinity in a list": [1, {"a": math.inf}],
    "set": {1, 2},
    "set in a dict": {"a": {1}},
    "decimal": decimal.Decimal("1.5"),
    "signalling NaN": decimal.Decimal("sNaN"),
    "object": object(),
    "bytes": b"a",
    "key": {(1, 2): 3},
    "digits": 10**5000,
}


@pytest.mark.parametrize("value", UNSENDABLE.values(), ids=UNSENDABLE)
def test_value_that_cannot_be_sent_is_refused_with_its_name(value) -> None:
    """Wherever it is nested; the check and the request use the same encoder."""
    for refuse in (check, encode):
        with pytest.raises(InvalidParameterError, match=r"^image: extra .*Nothing was sent or billed") as caught:
            refuse(Tool.IMAGE, {"prompt": "A", "extra": value})
        assert caught.value.parameter == "extra"
        str(caught.value).encode()  # it can be shown


@pytest.mark.parametrize("value", [HALF, {"a": {1}}, math.nan, decimal.Decimal("sNaN"), LOOP])
def test_batch_refuses_before_the_first_item_is_billed(value, sandbox) -> None:
    """The message has the number of the item."""
    client = nk.NovaKitClient(sandbox.api_key, sandbox.base_url)
    before = len(sandbox.jobs)
    with pytest.raises(InvalidParameterError, match="item 1: music: model_inputs"):
        nk.batch("music", ["A", {"prompt": "B", "model_inputs": {"x": value}}], client=client)
    assert len(sandbox.jobs) == before


@pytest.mark.parametrize("name", ["n", "seed"])
@pytest.mark.parametrize("value", [10**5000, decimal.Decimal("sNaN"), HALF, {1}], ids=["digits", "sNaN", "half", "set"])
def test_documented_parameter_with_such_a_value_is_refused(name, value) -> None:
    """The error is ours, and it can be shown."""
    with pytest.raises(InvalidParameterError, match=f"image: {name} ") as caught:
        checked(Tool.IMAGE, {"prompt": "A", name: value})
    str(caught.value).encode()


def test_two_wrong_values_are_both_reported() -> None:
    """Correcting one does not only show the next."""
    with pytest.raises(InvalidParameterError, match=r"resolution must be .*; fps must be 30 or 60, got 29") as caught:
        check(Tool.VIDEO, {"prompt": "A", "resolution": "8k", "fps": 29})
    assert caught.value.parameter == "resolution"


@given(value=JSON)
def test_json_is_encoded_as_it_is(value) -> None:
    """What the service reads is what was passed, or the error is ours."""
    try:
        content = encode(Tool.IMAGE, {"extra": value})
    except InvalidParameterError:
        return
    assert json.loads(content) == {"extra": value}
