"""The form: every documented parameter can be set, nothing is sent that was not, and what is forbidden is told beside it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from PIL import Image

from novakit_widgets import Tool
from novakit_widgets.model.checks import check, problems
from novakit_widgets.model.parameters import PARAMETERS, Parameter
from novakit_widgets.widgets.common.labels import label_of_value
from novakit_widgets.widgets.explorer.fields import field_of
from novakit_widgets.widgets.explorer.form import ParameterForm

PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
ALL = [(tool, name) for tool in Tool for name in PARAMETERS[tool]]
# What makes a parameter relevant, or allowed.
COMPANY = {
    "source_image": {"mode": "image_to_video"},
    "source_video": {"mode": "video_to_video"},
    "source_audio": {"mode": "audio_to_audio"},
}
FORBIDDEN = [
    (Tool.VIDEO, "duration_seconds", "0", "must be greater than 0 s, got 0"),
    (Tool.VIDEO, "duration_seconds", "ten", "must be a number, got 'ten'"),
    (Tool.VIDEO, "duration_seconds", "nan", "must be a finite number, got nan"),
    (Tool.VIDEO, "seed", "1.5", "a whole number"),
    (Tool.MUSIC, "duration_seconds", "50", "at most 47 s for fal-ai/stable-audio, got 50"),
    (Tool.MUSIC, "model_inputs", "[1]", "a dict"),
    (Tool.MUSIC, "model_inputs", "{", "must be a JSON object"),
    (Tool.IMAGE, "n", "11", "at most 10, got 11"),
    (Tool.TTS, "speed", "5", "at most 4 x, got 5"),
    (Tool.TTS, "input", "x" * 10_001, "at most 10,000 characters, got 10,001"),
]


def sample(parameter: Parameter):
    """Return a value that is allowed, and not the default."""
    if parameter.url:
        return "https://x.example/a"
    if parameter.kind is list:
        return [parameter.choices[-1]]
    if parameter.choices:
        return parameter.choices[-1]
    return {str: "some words", int: 3, float: 2.5, bool: not parameter.default, dict: {"a": [1]}}[parameter.kind]


def type_into(form: ParameterForm, name: str, value):
    """Do with the controls what a user would."""
    field = form.fields[name]
    if hasattr(field.control, "options") and field.parameter.closed and not isinstance(value, list):
        field.control.label = next(label for label, each in field.control.options if each == value)
    elif isinstance(value, list):
        for box in field.control.children[1:]:
            box.value = box.description in value
    else:
        field.control.value = json.dumps(value) if isinstance(value, dict) else str(value)


def reason(form: ParameterForm, name: str) -> str:
    """Return what stands beside a field."""
    return Markup(form.fields[name].row.children[-1].value).striptags()


@pytest.mark.parametrize("tool", list(Tool))
def test_nothing_is_sent_that_was_not_said(tool):
    """A new form has no parameters, whatever its fields show as the service's defaults."""
    form = ParameterForm(tool)
    assert form.params == {}
    assert list(form.fields) == list(PARAMETERS[tool])


@pytest.mark.parametrize(("tool", "name"), ALL)
def test_every_documented_parameter_can_be_set_and_taken_back(tool, name):
    """By its control; only it is sent then, with what it needs; and emptied, nothing is."""
    form = ParameterForm(tool)
    value = sample(PARAMETERS[tool][name])
    company = COMPANY.get(name, {})
    for other, needed in company.items():
        type_into(form, other, needed)
    type_into(form, name, value)
    assert form.params == {**company, name: value}
    assert type(form.params[name]) is type(value)
    assert name not in form.refused
    form.fill({})
    assert form.params == {}
    form.fill({**company, name: value})
    assert form.params == {**company, name: value}


@pytest.mark.parametrize(("tool", "name", "typed", "why"), FORBIDDEN)
def test_what_is_forbidden_is_told_beside_its_field(tool, name, typed, why):
    """At once, and nowhere else; put right, the reason goes."""
    form = ParameterForm(tool)
    type_into(form, name, typed)
    assert why in reason(form, name)
    assert [other for other in form.fields if reason(form, other)] == [name]
    assert not form.check()
    form.fields[name].fill(None)
    assert not reason(form, name) or form.fields[name].parameter.required


def test_that_something_is_missing_is_told_when_it_is_to_be_sent():
    """Not before anybody has typed."""
    form = ParameterForm(Tool.VIDEO)
    type_into(form, "duration_seconds", "3")
    assert not reason(form, "prompt")
    assert not form.check()
    assert "Enter a prompt" in reason(form, "prompt")
    type_into(form, "prompt", "A lighthouse")
    assert not reason(form, "prompt")
    assert form.check()


def test_only_the_fields_that_matter_are_shown():
    """A source belongs to a mode; what was typed into a field that is hidden now is not sent."""
    form = ParameterForm(Tool.VIDEO)
    assert not form.fields["source_image"].shown
    type_into(form, "mode", "image_to_video")
    assert form.fields["source_image"].shown
    assert not form.fields["source_video"].shown
    assert not form.check()
    assert "is required for mode" in reason(form, "source_image")
    type_into(form, "source_image", "https://x.example/a.png")
    type_into(form, "mode", "text_to_video")
    assert not form.fields["source_image"].shown
    assert form.params == {"mode": "text_to_video"}


def test_a_fixed_mode_brings_its_source():
    """What is fixed has no field, and is sent."""
    form = ParameterForm(Tool.VIDEO, fixed={"mode": "image_to_video", "zoom": 2})
    assert "mode" not in form.fields
    assert form.fields["source_image"].shown
    assert form.params == {"mode": "image_to_video", "zoom": 2}


def test_an_unknown_model_can_be_typed():
    """The lists grow."""
    form = ParameterForm(Tool.MUSIC)
    type_into(form, "model", "somebody/new-model")
    type_into(form, "duration_seconds", "60")
    assert form.params == {"model": "somebody/new-model", "duration_seconds": 60}
    assert form.refused == {"prompt": "Enter a prompt"}


@pytest.mark.parametrize(
    ("typed", "sent"), [("1,5", 1.5), ("0,250", 0.25), ("1000", 1000), ("1,000", None), ("12,345,678", None)]
)
def test_a_comma_is_a_point_where_it_can_be_nothing_else(typed, sent):
    """A thousand that is sent as a one is paid for."""
    form = ParameterForm(Tool.VIDEO)
    type_into(form, "duration_seconds", typed)
    assert form.params.get("duration_seconds") == sent
    assert ("is ambiguous" in reason(form, "duration_seconds")) == (sent is None)


@pytest.mark.parametrize("seed", [2**53 + 1, 2**64 - 1, -(2**63) + 1, 10**38 + 7])
def test_a_long_seed_is_sent_to_its_last_digit(seed):
    """Another one would make, and bill, something else."""
    form = ParameterForm(Tool.IMAGE)
    form.fill({"seed": seed})
    assert form.params == {"seed": seed}
    for typed in (f" {seed:+} ", f"{seed:_}"):
        type_into(form, "seed", typed)
        assert form.params == {"seed": seed}
    assert not reason(form, "seed")


@pytest.mark.parametrize("tool", [Tool.IMAGE, Tool.VIDEO])
def test_a_number_without_end_is_refused(tool):
    """In words, and not as a number near it."""
    form = ParameterForm(tool)
    name = "seed" if tool is Tool.IMAGE else "duration_seconds"
    type_into(form, name, "9" * 5_000)
    assert form.params == {}
    assert "must have at most 40 digits" in reason(form, name)
    type_into(form, name, "1e3")
    assert form.params == {name: 1000}


def test_names_end_where_their_letters_do():
    """A space behind a model's name is nobody's wish; in a prompt it may be."""
    form = ParameterForm(Tool.IMAGE)
    type_into(form, "model", "somebody/new-model ")
    type_into(form, "prompt", " A boat ")
    assert form.params == {"model": "somebody/new-model", "prompt": " A boat "}


def test_the_button_says_what_it_does_next():
    """More, and then fewer."""
    form = ParameterForm(Tool.IMAGE)
    assert form._more.description == "More options"
    form._more.value = True
    assert form._more.description == "Fewer options"


def test_values_have_labels_for_people(tmp_path):
    """A file is not headed by its bytes."""
    assert label_of_value(bytes(2_500)) == "a file of 2.5 kB"
    assert label_of_value(tmp_path / "boat.png") == "boat.png"
    assert label_of_value(Image.new("RGB", (64, 32))) == "a picture of 64 x 32"


def test_a_menu_goes_back_to_its_default():
    """As a page puts it there, by its place: it shows the default, and nothing is sent."""
    form = ParameterForm(Tool.VIDEO)
    menu = form.fields["aspect_ratio"].control
    for place in (2, 0):
        menu.set_state({"index": place})
        assert menu.index == place
    assert menu.label == "16:9 (the service's default)"
    assert form.params == {}
    form.fill({"aspect_ratio": "9:16"})
    form.fill({})
    assert menu.index == 0
    assert form.params == {}


def test_a_slider_writes_into_its_box():
    """And follows it; where the box is emptied it goes back to the default, and nothing is sent."""
    field = ParameterForm(Tool.TTS).fields["speed"]
    slider = field.row.children[2]
    assert (slider.min, slider.max, slider.value) == (0.25, 4.0, 1.0)
    slider.value = 2.0
    assert (field.control.value, field.value) == ("2", 2)
    slider.value = 1.0
    assert field.value == 1
    field.control.value = "3.5"
    assert slider.value == 3.5
    field.control.value = "99"
    assert slider.value == 3.5
    assert field.value == 99
    field.control.value = ""
    assert (slider.value, field.value) == (1.0, None)


def test_a_file_takes_the_place_of_a_url():
    """It is named, can be taken away, and what is of the wrong kind is refused beside the field."""
    form = ParameterForm(Tool.VIDEO, fixed={"mode": "image_to_video"})
    field = form.fields["source_image"]
    _, chooser, name, drop, _ = field.row.children
    assert chooser.accept == "image/*"

    def choose(content):
        chooser.value = (
            {
                "name": "<b>.png",
                "type": "",
                "size": 1,
                "content": memoryview(content),
                "last_modified": datetime.now(timezone.utc),
            },
        )

    choose(PNG)
    uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert form.params["source_image"] == uri
    assert "&lt;b&gt;.png" in name.value
    drop.click()
    assert "source_image" not in form.params
    choose(b"GIF89a" + bytes(20))
    assert form.params["source_image"].startswith("data:image/gif")
    choose(b"ID3 a sound, no picture")
    assert "source_image must be an image, got audio/mpeg" in reason(form, "source_image")
    assert "source_image" not in form.params
    field.control.value = "https://x.example/a.png"
    assert form.params["source_image"] == "https://x.example/a.png"
    form.fill({"source_image": uri})
    assert form.params["source_image"] == uri


@given(st.sampled_from(ALL), st.text(max_size=20))
def test_any_text_is_sent_as_it_is_or_refused(which, typed):
    """Whatever is typed, the form and the check that stands before the service agree."""
    tool, name = which
    parameter = PARAMETERS[tool][name]
    field = field_of(tool, parameter, lambda: None)
    if (parameter.choices and parameter.closed) or parameter.kind in (bool, list):
        return
    field.control.value = typed
    try:
        value = field.value
    except ValueError:
        assert parameter.kind in (int, float, dict)  # a text is never unreadable
        return
    if parameter.kind is str and typed.strip():
        assert value in (typed, typed.strip())
    if value is not None and name not in problems(tool, {name: value}):
        needed = {each.name: "x" for each in PARAMETERS[tool].values() if each.required}
        check(tool, {**needed, name: value})


def test_a_reason_is_text():
    """Also when what was typed is not."""
    form = ParameterForm(Tool.VIDEO)
    type_into(form, "duration_seconds", "<img src=x onerror=1>")
    assert "<img" not in form.fields["duration_seconds"].row.children[-1].value


async def test_a_change_on_another_thread_is_told_on_the_loop():
    """As ipykernel 7 brings them."""
    threads = []
    form = ParameterForm(Tool.VIDEO, on_change=lambda: threads.append(threading.current_thread()))
    await asyncio.to_thread(type_into, form, "prompt", "A")
    while not threads:
        await asyncio.sleep(0.01)
    assert set(threads) == {threading.main_thread()}


def test_it_leaves_no_model_behind():
    """Layouts and styles counted."""
    from ipywidgets.widgets.widget import _instances

    before = len(_instances)
    form = ParameterForm(Tool.VIDEO)
    form.close()
    assert len(_instances) == before
