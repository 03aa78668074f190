"""The parameter table: what is documented, what is sent, and what is refused before anything is billed."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
import math

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from strategies import JSON

from novakit_widgets import NovaKitClient
from novakit_widgets.api import uploads
from novakit_widgets.api.requests import MAX_JSON_BYTES
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.checks import check
from novakit_widgets.model.parameters import PARAMETERS, Parameter
from novakit_widgets.model.spelling import check_names
from novakit_widgets.model.tools import Tool
from novakit_widgets.notebook import short_forms
from novakit_widgets.sandbox.checks import refusal
from novakit_widgets.widgets.common.code import call_of

KEY = "sk_" + "a" * 64
FORMS = {
    Tool.VIDEO: (short_forms.video, "prompt"),
    Tool.MUSIC: (short_forms.music, "prompt"),
    Tool.IMAGE: (short_forms.image, "prompt"),
    Tool.IMAGE_EDIT: (short_forms.edit_image, "prompt"),
    Tool.TTS: (short_forms.speech, "input"),
    Tool.STT: (short_forms.transcribe, "file"),
}
OURS = {"client", "timeout", "embed", "autostart", "reuse"}

# The vendor's public documentation, written down a second time by hand: required, or the default.
REQUIRED = object()
DOCUMENTED = {
    Tool.VIDEO: {
        "prompt": REQUIRED,
        "model": "fal-ai/minimax/video-01",
        "duration_seconds": 5,
        "resolution": "720p",
        "fps": 30,
        "aspect_ratio": "16:9",
        "mode": "text_to_video",
        "source_image": None,
        "source_video": None,
        "negative_prompt": None,
        "seed": None,
        "prompt_optimizer": True,
        "loop": False,
    },
    Tool.MUSIC: {
        "prompt": REQUIRED,
        "model": "fal-ai/stable-audio",
        "duration_seconds": 30,
        "mode": "text_to_music",
        "source_audio": None,
        "output_format": "mp3",
        "negative_prompt": None,
        "model_inputs": None,
    },
    Tool.IMAGE: {
        "prompt": REQUIRED,
        "model": "fal-ai/flux/dev",
        "size": "1024x1024",
        "n": 1,
        "style": "vivid",
        "upscale": None,
        "negative_prompt": None,
        "seed": None,
    },
    Tool.IMAGE_EDIT: {"prompt": None, "operation": None, "image": None, "mask": None},
    Tool.TTS: {
        "input": REQUIRED,
        "model": "fal-ai/f5-tts",
        "voice": "nova",
        "speed": 1.0,
        "response_format": "mp3",
        "reference_audio": None,
        "reference_text": None,
    },
    Tool.STT: {
        "file": REQUIRED,
        "model": "fal-ai/whisper",
        "language": "auto",
        "response_format": "json",
        "timestamp_granularities": ["segment"],
        "diarization": False,
        "translation": False,
        "model_inputs": None,
    },
}
ROWS = [(tool, parameter) for tool in Tool for parameter in PARAMETERS[tool].values()]
NEEDED = {
    Tool.VIDEO: {"prompt": "A sunset"},
    Tool.MUSIC: {"prompt": "Slow jazz"},
    Tool.IMAGE: {"prompt": "A lighthouse"},
    Tool.IMAGE_EDIT: {},
    Tool.TTS: {"input": "Hello"},
    Tool.STT: {"file": "https://example.org/a.mp3"},
}


@pytest.fixture
def widget_of(monkeypatch):
    """Note what a short form hands to the widget, and check it as the widget does."""
    from novakit_widgets.widgets.card import widget as module

    class Noted:
        def __init__(self, tool, params, **ours):
            self.tool, self.params, self.ours = tool, uploads.checked(tool, params), ours

    monkeypatch.setattr(module, "JobWidget", Noted)


def call(tool, **more):
    form, first = FORMS[tool]
    given_ = {**NEEDED[tool], **more}
    return form(given_.pop(first), **given_) if first in given_ else form(**given_)


@pytest.mark.parametrize("tool", list(Tool))
def test_the_table_is_the_documentation(tool):
    """Names, defaults and what is required are those of the vendor's pages, in their order."""
    table = {name: REQUIRED if one.required else one.default for name, one in PARAMETERS[tool].items()}
    assert table == DOCUMENTED[tool]
    assert list(table) == list(DOCUMENTED[tool])


@pytest.mark.parametrize("tool", list(Tool))
def test_the_signatures_are_the_table(tool):
    """What completion and ``?`` show are the documented names, in order, with the documented defaults."""
    form, first = FORMS[tool]
    shown = dict(inspect.signature(form).parameters)
    assert next(iter(shown)) == first
    assert shown.pop("params").kind is inspect.Parameter.VAR_KEYWORD
    assert shown.keys() >= OURS
    assert [name for name in shown if name not in OURS] == list(DOCUMENTED[tool])
    for name, documented in DOCUMENTED[tool].items():
        default = shown[name].default
        if documented is REQUIRED:
            assert default is inspect.Parameter.empty
        else:
            assert (list(default) if isinstance(default, tuple) else default) == documented
        assert f"{name}:" in form.__doc__


@pytest.mark.parametrize("tool", list(Tool))
def test_what_is_not_said_is_not_sent(tool, widget_of):
    """The service's defaults are the service's: left out, never something else."""
    widget = call(tool)
    assert widget.params == NEEDED[tool]
    assert widget.ours == {}
    assert widget.tool is tool


@pytest.mark.parametrize("tool", list(Tool))
def test_what_a_short_form_sends_is_what_was_said(tool, sandbox):
    """From the call to the service: the POST has what was said, and nothing beside it."""
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    before = len(sandbox.requests)
    more = {"image": "https://example.org/a.png"} if tool is Tool.IMAGE_EDIT else {}  # an edit of nothing is refused
    call(tool, **more, client=client).wait()
    (post,) = [request for request in sandbox.requests[before:] if request.method == "POST"]
    assert (post.path, post.body, post.query) == (f"/{tool.endpoint}", {**NEEDED[tool], **more}, {"async": "true"})


@pytest.mark.parametrize("tool", list(Tool))
def test_what_goes_over_the_wire_is_what_was_said(tool):
    """The body of the POST has the parameters as they were given and nothing beside them."""
    bodies = []

    def answer(request):
        bodies.append(request)
        return httpx.Response(200, json={"id": "job_1", "status": "pending"})

    async def main():
        client = NovaKitClient(KEY, "https://x.example", transport=httpx.MockTransport(answer))
        await client.submit(tool.endpoint, NEEDED[tool])
        await client.aclose()

    asyncio.run(main())
    assert bodies[0].url.path == f"/{tool.endpoint}"
    assert bodies[0].url.query == b"async=true"
    assert httpx.Response(200, content=bodies[0].content).json() == NEEDED[tool]


def _fitting(parameter):
    """A value that the documentation allows."""
    if parameter.choices:
        return [parameter.choices[-1]] if parameter.kind is list else parameter.choices[-1]
    return {str: "https://example.org/x", int: 7, float: 2.0, bool: True, dict: {"a": 1}}[parameter.kind]


@pytest.mark.parametrize(("tool", "parameter"), ROWS, ids=lambda value: getattr(value, "name", value))
def test_every_short_form_takes_every_documented_parameter(tool, parameter, widget_of):
    """Each documented name is a keyword, and its value arrives as it was given."""
    company = {}
    value = _fitting(parameter)
    if parameter.name == "mode":  # the last mode needs its source
        company = {one.name: "https://example.org/x" for one in PARAMETERS[tool].values() if value in one.modes}
    if tool is Tool.MUSIC and parameter.name == "duration_seconds":
        value = 47
    if parameter.required:
        assert call(tool, **{parameter.name: value}).params[parameter.name] == value
    else:
        assert call(tool, **{parameter.name: value}, **company).params[parameter.name] == value
    if parameter.default is not None:
        # Said aloud, the default is sent like anything else.
        default = parameter.default
        assert call(tool, **{parameter.name: default}).params[parameter.name] == default


def test_ours_go_to_the_widget(widget_of):
    """client, timeout, embed and autostart are not the service's."""
    widget = short_forms.video("A sunset", timeout=5, embed="link", autostart=False, brightness=3)
    assert widget.ours == {"timeout": 5, "embed": "link", "autostart": False}
    assert widget.params == {"prompt": "A sunset", "brightness": 3}


BAD = [
    (Tool.VIDEO, {"prompt": ""}, "prompt"),
    (Tool.VIDEO, {"prompt": "  \n"}, "prompt"),
    (Tool.VIDEO, {"prompt": None}, "prompt"),
    (Tool.VIDEO, {}, "prompt"),
    (Tool.VIDEO, {"prompt": 5}, "prompt"),
    (Tool.VIDEO, {"prompt": "x", "fps": 29}, "fps"),
    (Tool.VIDEO, {"prompt": "x", "fps": 30.0}, "fps"),
    (Tool.VIDEO, {"prompt": "x", "fps": True}, "fps"),
    (Tool.VIDEO, {"prompt": "x", "duration_seconds": 0}, "duration_seconds"),
    (Tool.VIDEO, {"prompt": "x", "duration_seconds": -1}, "duration_seconds"),
    (Tool.VIDEO, {"prompt": "x", "duration_seconds": math.nan}, "duration_seconds"),
    (Tool.VIDEO, {"prompt": "x", "duration_seconds": math.inf}, "duration_seconds"),
    (Tool.VIDEO, {"prompt": "x", "duration_seconds": "5"}, "duration_seconds"),
    (Tool.VIDEO, {"prompt": "x", "resolution": "1440p"}, "resolution"),
    (Tool.VIDEO, {"prompt": "x", "loop": 1}, "loop"),
    (Tool.VIDEO, {"prompt": "x", "mode": "image_to_video"}, "source_image"),
    (Tool.VIDEO, {"prompt": "x", "mode": "video_to_video", "source_image": "https://x"}, "source_video"),
    (Tool.VIDEO, {"prompt": "x", "seed": 1.5}, "seed"),
    (Tool.MUSIC, {"prompt": "x", "duration_seconds": 48}, "duration_seconds"),
    (Tool.MUSIC, {"prompt": "x", "duration_seconds": 48, "model": None}, "duration_seconds"),
    (Tool.MUSIC, {"prompt": "x", "duration_seconds": 61, "model": "fal-ai/minimax-music/v2"}, "duration_seconds"),
    (Tool.MUSIC, {"prompt": "x", "duration_seconds": 10**400}, "duration_seconds"),
    (Tool.MUSIC, {"prompt": "x", "mode": "audio_to_audio"}, "source_audio"),
    (Tool.MUSIC, {"prompt": "x", "model_inputs": "x"}, "model_inputs"),
    (Tool.IMAGE, {"prompt": "x", "n": 0}, "n"),
    (Tool.IMAGE, {"prompt": "x", "n": 11}, "n"),
    (Tool.IMAGE, {"prompt": "x", "style": "y" * 9000}, "style"),
    (Tool.IMAGE_EDIT, {"operation": "inpainting"}, "mask"),
    (Tool.TTS, {"input": "x" * 10_001}, "input"),
    (Tool.TTS, {"input": "x", "speed": 0.2}, "speed"),
    (Tool.TTS, {"input": "x", "speed": 4.1}, "speed"),
    (Tool.STT, {"file": ""}, "file"),
    (Tool.STT, {"file": "x", "timestamp_granularities": ["sentence"]}, "timestamp_granularities"),
    (Tool.STT, {"file": "x", "timestamp_granularities": "word"}, "timestamp_granularities"),
]


@pytest.mark.parametrize(("tool", "params", "name"), BAD, ids=lambda value: repr(value)[:40])
def test_what_is_obviously_bad_is_refused(tool, params, name):
    """The error names the parameter, says what is wrong in one line, and that nothing was billed."""
    with pytest.raises(InvalidParameterError, match="Nothing was sent or billed") as caught:
        check(tool, params)
    assert caught.value.parameter == name
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("params", [None, "A sunset", 5, ["prompt"]])
def test_parameters_are_a_mapping(params):
    """Anything else is refused, not stumbled over."""
    with pytest.raises(InvalidParameterError, match="dict"):
        check(Tool.VIDEO, params)


@pytest.mark.parametrize(
    ("tool", "params"),
    [
        (Tool.VIDEO, {"prompt": "x", "model": "brand/new"}),
        (Tool.VIDEO, {"prompt": "x", "brightness": 3}),
        (Tool.VIDEO, {"prompt": "x", "seed": None, "resolution": None}),
        (Tool.MUSIC, {"prompt": "x", "duration_seconds": 60, "model": "fal-ai/minimax-music/v2"}),
        (Tool.TTS, {"input": "x" * 10_000, "voice": "grandmother"}),
        (Tool.STT, {"file": "x", "language": "en", "timestamp_granularities": ("segment", "word")}),
        (Tool.IMAGE_EDIT, {"operation": "inpainting", "mask": "https://x"}),
    ],
)
def test_what_may_be_right_is_passed_on(tool, params):
    """The service's lists grow, so an unknown model, voice or parameter is its business."""
    check(tool, params)
    assert refusal(tool, {"image": "x", **params}) is None


@given(tool=st.sampled_from(Tool), data=st.data())
def test_no_parameters_crash_the_check(tool, data):
    """Whatever the values are, they pass or are refused with an InvalidParameterError."""
    names = st.sampled_from(list(PARAMETERS[tool])) | st.text(max_size=8)
    params = data.draw(st.dictionaries(names, JSON | st.sampled_from([10**400, object(), b"x"]), max_size=5))
    if data.draw(st.booleans()):
        params = {**NEEDED[tool], **params}
    try:
        check(tool, params)
    except InvalidParameterError as error:
        refused = error.parameter
    else:
        return
    assert refused in PARAMETERS[tool] or refused in params


@pytest.mark.parametrize(
    ("tool", "name", "meant"), [(Tool.VIDEO, "aspect_ration", "aspect_ratio"), (Tool.TTS, "voices", "voice")]
)
def test_a_slip_of_the_hand_is_told(tool, name, meant, widget_of):
    """A keyword that is nearly a documented one is a TypeError, which suggests the right one."""
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        check_names(tool, {name: 1})
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        call(tool, **{name: 1})
    check_names(tool, {"brightness": 1})


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ({"auto_start": False}, "autostart"),
        ({"re_use": True}, "reuse"),
        ({"time_out": 5}, "timeout"),
        ({"embeded": "link"}, "embed"),
        ({"clients": None}, "client"),
        ({"Timeout": 5}, "timeout"),
    ],
)
def test_a_slip_of_one_of_our_own_keywords_is_told(widget_of, slip, meant):
    """It would go to the service, billed, and not do what was meant. The message names what was called."""
    for call_it, name in (
        (lambda: short_forms.speech("A", **slip), "speech"),
        (lambda: short_forms.edit_image("A", **slip), "edit_image"),
    ):
        with pytest.raises(TypeError, match=f"^{name}\\(\\) got .* did you mean '{meant}'.*Nothing was sent or billed"):
            call_it()


@pytest.mark.parametrize(("name", "meant"), [("sise", "size"), ("szie", "size"), ("Size", "size"), ("modle", "model")])
def test_a_slip_in_a_short_name_is_told(widget_of, name, meant):
    """One letter of four is a quarter of them."""
    with pytest.raises(TypeError, match=rf"image\(\) got .* did you mean '{meant}'"):
        short_forms.image("A", **{name: "512x512"})


@pytest.mark.parametrize("name", ["task", "steps", "voice_style", "strength", "side_a", "loop_count", "guidance_scale"])
def test_what_is_like_no_name_is_passed_on(name):
    """The service may know it."""
    for tool in Tool:
        check_names(tool, {name: 1})


def test_what_the_service_does_not_take(widget_of):
    """A keyword of another of our functions, or one that would be a method."""
    with pytest.raises(TypeError, match=r"image\(\) got .*'max_running', which the service does not take"):
        short_forms.image("A", max_running=2)
    with pytest.raises(TypeError, match=r"append \.wait\(\) to the call"):
        short_forms.image("A", wait=True)


def test_none_says_nothing(widget_of):
    """A function of one's own passes its defaults on: they are left out, as what is not said is."""
    assert short_forms.image("A", seed=None, negative_prompt=None, brightness=None).params == {"prompt": "A"}
    with pytest.raises(InvalidParameterError, match="Enter a prompt"):
        short_forms.image(None)


def test_numbers_of_numpy_are_numbers(widget_of):
    """They are sent as Python's own, which JSON knows."""
    params = short_forms.video(
        "A",
        seed=np.int64(7),
        fps=np.int32(30),
        duration_seconds=np.float32(1.5),
        loop=np.bool_(True),
        extra=np.float64(2),
    ).params
    assert params == {"prompt": "A", "seed": 7, "fps": 30, "duration_seconds": 1.5, "loop": True, "extra": 2.0}
    assert {type(value) for value in params.values()} == {str, int, float, bool}
    with pytest.raises(InvalidParameterError, match="n must be at most 10, got 11"):
        short_forms.image("A", n=np.int64(11))


def test_without_the_prompt_python_says_so(widget_of):
    """The required argument is Python's own."""
    with pytest.raises(TypeError, match="prompt"):
        short_forms.video()


def test_parameters_are_a_copy_of_what_was_given():
    """However deep; but not of a text, which may be long."""
    text = "x" * 20_000
    given_ = {"prompt": "A", "model_inputs": {"deep": [1, (2, [text])]}}
    kept = uploads.checked(Tool.MUSIC, given_)
    assert kept == {"prompt": "A", "model_inputs": {"deep": [1, (2, [text])]}}
    assert kept["model_inputs"]["deep"][1][1][0] is text
    given_["model_inputs"]["deep"][1][1].append(3)
    given_["model_inputs"]["other"] = 4
    assert kept == {"prompt": "A", "model_inputs": {"deep": [1, (2, [text])]}}
    given_["model_inputs"]["itself"] = given_
    with pytest.raises(InvalidParameterError, match=r"music: model_inputs: it contains itself.*Nothing was sent"):
        uploads.checked(Tool.MUSIC, given_)


def test_what_was_made_sendable_stays_so():
    """However short a sound is: its base64 is not asked whether it is any, by a board that gets it from a batch."""
    once = uploads.checked(Tool.STT, {"file": b"123456"})
    assert once == uploads.checked(Tool.STT, once) == {"file": "MTIzNDU2"}
    with pytest.raises(InvalidParameterError, match="neither a URL nor base64"):
        uploads.checked(Tool.STT, {"file": "MTIzNDU2"})


def test_a_sound_from_this_machine(widget_of, tmp_path):
    """A path or bytes are sent as base64; text is sent as it is; what is too large or missing is refused."""
    sound = tmp_path / "a.mp3"
    sound.write_bytes(b"ID3 sound")
    assert short_forms.transcribe(sound).params == {"file": "SUQzIHNvdW5k"}
    assert short_forms.transcribe(b"ID3 sound").params == {"file": "SUQzIHNvdW5k"}
    assert short_forms.transcribe("https://x.example/a.mp3").params == {"file": "https://x.example/a.mp3"}
    with pytest.raises(InvalidParameterError, match="can't be read"):
        short_forms.transcribe(tmp_path / "missing.mp3")
    with pytest.raises(InvalidParameterError, match=r"it has 5\.1 MB, at most 5 MB"):
        short_forms.transcribe(bytes(uploads.MAX_UPLOAD_BYTES + 1))
    with sound.open("wb") as file:
        file.truncate(uploads.MAX_UPLOAD_BYTES + 1)
    with pytest.raises(InvalidParameterError, match=r"it has 5\.1 MB, at most 5 MB"):
        short_forms.transcribe(sound)
    with pytest.raises(InvalidParameterError, match="Choose an audio file"):
        short_forms.transcribe(b"")


@pytest.mark.parametrize(
    ("call_it", "name"),
    [
        (lambda text: short_forms.edit_image("A", image=text), "image"),
        (lambda text: short_forms.edit_image("A", image="https://x.example/a.png", mask=text), "mask"),
        (lambda text: short_forms.video("A", mode="image_to_video", source_image=text), "source_image"),
        (lambda text: short_forms.music("A", mode="audio_to_audio", source_audio=text), "source_audio"),
        (lambda text: short_forms.speech("A", reference_audio=text), "reference_audio"),
        (short_forms.transcribe, "file"),
    ],
)
@pytest.mark.parametrize(
    "text", ["house.png", "~/pics/a.png", r"C:\sounds\a.mp3", "interview", "podcasts", "file:///tmp/a.png"]
)
def test_a_file_is_no_text(widget_of, call_it, name, text):
    """Its name would be sent and paid for: it is refused, with what to write instead."""
    with pytest.raises(InvalidParameterError, match=r"for a file on this machine write pathlib.Path\(") as caught:
        call_it(text)
    assert repr(text) in str(caught.value)
    assert caught.value.parameter == name


@pytest.mark.parametrize("text", ["http://x.example/a", "HTTPS://x.example/a", "data:image/png;base64,AAAA"])
def test_an_address_is_text(widget_of, text):
    """Each that the service may fetch, as it is."""
    assert short_forms.edit_image("A", image=text).params["image"] == text
    assert short_forms.transcribe(text).params["file"] == text


@pytest.mark.parametrize("text", ["SUQzIHNvdW5k", "UklGRg==", "AAAA" * 16, "AAAA\n" * 16])
def test_a_sound_may_be_base64(widget_of, text):
    """For a transcription only, as the service documents."""
    assert short_forms.transcribe(text).params["file"] == text
    with pytest.raises(InvalidParameterError, match="is no URL"):
        short_forms.edit_image("A", image=text)


def test_a_picture_from_this_machine(widget_of, tmp_path):
    """A file, its bytes or a picture of Pillow is sent as a data URI; what is of another kind is refused."""
    picture = Image.new("RGB", (2, 2), "red")
    file = tmp_path / "red.png"
    picture.save(file)
    said = {"mode": "image_to_video", "prompt": "A"}
    uris = [
        short_forms.video(**said, source_image=one).params["source_image"] for one in (file, file.read_bytes(), picture)
    ]
    for uri in uris:
        head, _, encoded = uri.partition(",")
        assert head == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(encoded))).getpixel((0, 0)) == (255, 0, 0)
    assert short_forms.edit_image("A", image="https://x.example/a.png").params["image"] == "https://x.example/a.png"
    with pytest.raises(InvalidParameterError, match="video: source_video must be a video, got image/png"):
        short_forms.video("A", mode="video_to_video", source_video=file)
    with pytest.raises(InvalidParameterError, match="got an unknown format"):
        short_forms.edit_image("A", image=b"<html>")


def seen(picture):
    """Return the first pixel of a picture as the service sees it, with its opacity."""
    uri = uploads.checked(Tool.IMAGE_EDIT, {"image": picture})["image"]
    sent = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert "icc_profile" not in sent.info
    return sent.convert("RGBA").getpixel((0, 0))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"]
)
def test_a_picture_of_any_mode_is_sent(mode):
    """A photo for the press is in CMYK, which PNG does not have."""
    white = Image.new("RGB", (2, 2), "white")
    picture = white.convert("L").convert(mode) if mode in ("I", "F", "PA") else white.convert(mode)
    if mode == "LAB":
        picture = ImageCms.profileToProfile(
            white, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    assert picture.mode == mode
    assert all(part >= 254 for part in seen(picture))  # LAB is rounded


def test_a_pictures_transparency_and_profile():
    """The first is kept; a profile of colours that it does not have any more is not."""
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    palette = Image.new("P", (2, 2)).convert("PA")
    palette.putalpha(0)
    assert [seen(one)[3] for one in (clear, clear.convert("LA"), clear.convert("RGBa"), palette)] == [0] * 4
    press = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    press.info["icc_profile"] = b"of the inks"
    assert seen(press) == (255, 0, 0, 255)


def test_a_picture_of_16_bits_keeps_them():
    """Whether Pillow has read it as numbers of 16 bits or of 32."""
    for mode in ("I", "I;16"):
        uri = uploads.checked(Tool.IMAGE_EDIT, {"image": Image.new(mode, (2, 2), 40_001)})["image"]
        sent = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert sent.getpixel((0, 0)) == 40_001


def _closed():
    picture = Image.new("RGB", (2, 2))
    picture.close()
    return picture


def _cut_short():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:500]))


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (lambda: Image.new("RGB", (0, 0)), "(empty|outside)"),  # the latter from older versions of Pillow
        (lambda: Image.new("I", (0, 0)), "(empty|outside)"),
        (_closed, "closed"),
        (_cut_short, "truncated"),
        (lambda: Image.new("F", (2, 2), 0.5), "from 0.5 to 0.5"),
        (lambda: Image.new("I", (2, 2), 65_536), "from 65536 to 65536"),
        (lambda: Image.new("I", (2, 2), -1), "from -1 to -1"),
    ],
)
def test_a_picture_that_can_not_be_written_is_refused(picture, why):
    """One that would be black or white only, too: a refusal costs nothing."""
    with pytest.raises(InvalidParameterError, match=rf"image_edit: image .*PNG.*{why}.*Nothing was sent") as caught:
        uploads.checked(Tool.IMAGE_EDIT, {"image": picture()})
    assert caught.value.parameter == "image"


def test_what_is_sent_fits_into_the_answers(widget_of):
    """A service that repeats a job's files must not make its answers longer than what is read: all files of a job count."""
    sound = bytes(uploads.MAX_UPLOAD_BYTES)
    assert len(short_forms.transcribe(sound).params["file"]) < MAX_JSON_BYTES * 0.9
    half = b"\x89PNG\r\n\x1a\n" + bytes(2_550_000)
    with pytest.raises(InvalidParameterError, match=r"the files have 5\.2 MB, at most 5 MB .* billed"):
        short_forms.edit_image("A", image=half, mask=half)
    with pytest.raises(InvalidParameterError, match=r"image: it has 5\.1 MB"):
        short_forms.edit_image("A", image="data:image/png;base64," + "A" * 6_700_000)


@pytest.mark.parametrize("tool", list(Tool))
def test_the_line_that_asks_again_asks_for_the_same(tool, widget_of):
    """What a card offers for copying is Python that gives the same parameters."""
    import novakit_widgets

    params = {**NEEDED[tool], "extra": [1, None, "x'y"]}
    line = call_of(tool, params)
    if line.startswith("nk.JobWidget("):
        assert line == f"nk.JobWidget({tool.endpoint!r}, {params!r})"
    else:
        made = eval(line, {"nk": novakit_widgets})
        assert (made.tool, dict(made.params)) == (tool, params)
    for name in ("timeout", "class", "not a name", "auto_start", "wait"):
        line = call_of(tool, {**params, name: 1})
        assert line == f"nk.JobWidget({tool.endpoint!r}, { ({**params, name: 1})!r})"


def test_a_parameter_says_what_is_wrong():
    """A problem is a few words; no problem is None."""
    number = Parameter("x", float, minimum=0, maximum=1, unit="s")
    assert number.problem(0.5) is None
    assert number.problem(None) is None
    assert number.problem(2) == "x must be at most 1 s, got 2"
    assert number.problem(-1) == "x must be at least 0 s, got -1"
    assert number.problem("x" * 99).endswith("… (str)")
