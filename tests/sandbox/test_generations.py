"""The generation endpoints: what they take, refuse and answer."""

from __future__ import annotations

import pytest

from novakit_widgets.model.job import Job
from novakit_widgets.model.tools import Tool

VIDEO, MUSIC, IMAGE, EDIT, TTS, STT = Tool
PROMPT = {"prompt": "A sunset"}


@pytest.mark.parametrize("tool", list(Tool))
def test_a_job_is_made_and_ends(api, finish, small, tool):
    """With ``?async=true`` every tool answers with a job, which completes with every documented field."""
    submitted = api.post(tool.endpoint, params={"async": "true"}, json=small[tool])
    assert submitted.json().keys() == {"id", "status"}
    assert submitted.json()["status"] == "pending"
    body = finish(api, tool, small[tool])
    assert {
        "id",
        "orgId",
        "userId",
        "tool",
        "status",
        "progress",
        "inputParams",
        "outputData",
        "estimatedCredits",
        "actualCredits",
        "createdAt",
        "completedAt",
        "model",
        "modelTier",
    } == body.keys()
    assert (body["status"], body["progress"], body["tool"]) == ("completed", 100, tool.value)
    assert body["inputParams"] == small[tool]
    assert body["createdAt"].endswith("Z")
    assert body["completedAt"] > body["createdAt"]
    job = Job.from_json(body)
    assert job.media or job.text


def test_output_shapes(api, finish, small):
    """The result of each tool has the shape that is documented, or that the sandbox picked."""
    output = {tool: finish(api, tool, small[tool])["outputData"] for tool in Tool}
    assert output[VIDEO]["video"].keys() == {"url"}
    assert output[MUSIC]["audio"].keys() == output[TTS]["audio"].keys() == {"url", "duration_seconds"}
    assert output[IMAGE]["images"][0].keys() == {"url", "width", "height"}
    assert output[EDIT]["images"][0].keys() == {"url", "width", "height"}
    assert output[STT].keys() == {"text", "segments"}
    assert output[STT]["segments"][0].keys() == {"start", "end", "text", "speaker"}


@pytest.mark.parametrize("tool", list(Tool))
def test_a_synchronous_answer(api, small, tool):
    """Without ``async`` the connection is held and answered in the documented shape."""
    body = api.post(tool.endpoint, json=small[tool]).json()
    assert {"created", "model", "model_tier"} < body.keys()
    if tool is TTS:
        assert body["character_count"] == len(small[TTS]["input"])
        assert {"audio_url", "duration_seconds"} < body.keys()
    elif tool is STT:
        assert {"text", "segments", "language", "duration"} < body.keys()
    else:
        assert {"data", "usage"} < body.keys()
    job = Job.from_result(tool, small[tool], body)
    assert job.media or job.text


def test_synchronous_bodies(api, small):
    """The data and the usage of video, music and images are as documented."""
    video = api.post(VIDEO.endpoint, json=small[VIDEO]).json()
    assert {"url", "duration_seconds"} < video["data"].keys()
    music = api.post(MUSIC.endpoint, json=small[MUSIC]).json()
    assert music["data"].keys() == {"audio_url", "duration_seconds"}
    assert music["usage"].keys() == {"tracks_used", "quota_multiplier", "tracks_remaining"}
    images = api.post(IMAGE.endpoint, json={**small[IMAGE], "n": 2}).json()
    assert [item.keys() for item in images["data"]] == [{"url", "revised_prompt", "width", "height"}] * 2


def test_tools_that_answer_at_once(serve, client_of, small):
    """``sync_tools`` answer synchronously even with ``?async=true``, as the documentation of TTS and STT has it."""
    sandbox = serve(sync_tools=("tts", "stt"))
    client = client_of(sandbox)
    speech = client.post(TTS.endpoint, params={"async": "true"}, json=small[TTS]).json()
    assert "audio_url" in speech
    assert "text" in client.post(STT.endpoint, params={"async": "true"}, json=small[STT]).json()
    assert client.post(VIDEO.endpoint, params={"async": "true"}, json=small[VIDEO]).json()["status"] == "pending"


@pytest.mark.parametrize(
    ("tool", "params", "text"),
    [
        (VIDEO, {}, "prompt is required"),
        (VIDEO, {"prompt": "  "}, "prompt is required"),
        (VIDEO, {"prompt": 5}, "prompt must be a string"),
        (VIDEO, {**PROMPT, "fps": 29}, "Invalid fps. Must be one of: 30, 60"),
        (VIDEO, {**PROMPT, "fps": "30"}, "fps must be an integer"),
        (VIDEO, {**PROMPT, "resolution": "8k"}, "Invalid resolution. Must be one of: 720p, 1080p, 4k"),
        (VIDEO, {**PROMPT, "aspect_ratio": "2:1"}, "Invalid aspect_ratio. Must be one of: 16:9, 9:16, 1:1, 4:3, 3:4"),
        (VIDEO, {**PROMPT, "duration_seconds": 0}, "duration_seconds must be greater than 0"),
        (VIDEO, {**PROMPT, "duration_seconds": 121}, "duration_seconds must be at most 120"),
        (VIDEO, {**PROMPT, "mode": "image_to_video"}, "source_image is required for image_to_video"),
        (VIDEO, {**PROMPT, "loop": "yes"}, "loop must be a boolean"),
        (MUSIC, {**PROMPT, "duration_seconds": 48}, "duration_seconds must be at most 47 for fal-ai/stable-audio"),
        (
            MUSIC,
            {**PROMPT, "duration_seconds": 61, "model": "beatoven/music-generation"},
            "duration_seconds must be greater than 0 and at most 60",
        ),
        (MUSIC, {**PROMPT, "output_format": "ogg"}, "Invalid output_format. Must be one of: mp3, wav"),
        (MUSIC, {**PROMPT, "model_inputs": 1}, "model_inputs must be an object"),
        (IMAGE, {**PROMPT, "n": 11}, "n must be between 1 and 10"),
        (IMAGE, {**PROMPT, "style": "loud"}, "Invalid style. Must be one of: vivid, natural"),
        (EDIT, {"operation": "erase", "image": "https://example.org/a.png"}, "Invalid operation"),
        (EDIT, {"operation": "inpainting", "image": "https://example.org/a.png"}, "mask is required for inpainting"),
        (EDIT, {}, "image is required"),
        (TTS, {"input": "x" * 10_001}, "input must be at most 10000 characters"),
        (TTS, {"input": "Hello", "speed": 5}, "speed must be between 0.25 and 4"),
        (STT, {}, "file is required"),
        (
            STT,
            {"file": "https://example.org/a.mp3", "timestamp_granularities": "word"},
            "timestamp_granularities must be an array",
        ),
    ],
)
def test_bad_parameters(api, tool, params, text):
    """What the documentation forbids is a 400 that says so, with ``async`` and without."""
    for query in ({"async": "true"}, {}):
        answer = api.post(tool.endpoint, params=query, json=params)
        assert (answer.status_code, answer.json()) == (400, {"error": text})


def test_unknown_parameters_pass(api, finish, small):
    """A model or a parameter that nobody has heard of yet is no error."""
    body = finish(api, IMAGE, {**small[IMAGE], "model": "new/model", "glow": True, "seed": None})
    assert (body["status"], body["model"]) == ("completed", "new/model")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "Invalid JSON body"),
        (b"[]", "Request body must be a JSON object"),
        (b"", "Request body must be a JSON object"),
    ],
)
def test_bad_json(api, content, text):
    """A body that is no JSON object is a 400."""
    answer = api.post(VIDEO.endpoint, content=content)
    assert (answer.status_code, answer.json()) == (400, {"error": text})


def test_the_failing_phrase(api, finish):
    """A prompt with the magic words fails in mid-work, with a message, and costs nothing."""
    body = finish(api, VIDEO, {"prompt": "A sunset, but Fail Please"})
    assert body["status"] == "failed"
    assert body["errorMessage"] == "The model could not generate a result for this prompt."
    assert 0 < body["progress"] < 100
    assert (body["outputData"], body["actualCredits"]) == (None, 0)
    answer = api.post(VIDEO.endpoint, json={"prompt": "fail please"})
    assert (answer.status_code, answer.json()) == (500, {"error": body["errorMessage"]})


def test_a_broken_renderer_fails_the_job(serve, client_of, finish, caplog):
    """When the media can't be made, the job fails and says so; it never hangs."""
    sandbox = serve()
    params = {"prompt": "x", "operation": "edit", "image": "data:image/png;base64,bm8gaW1hZ2U="}
    body = finish(client_of(sandbox), EDIT, params)
    assert (body["status"], body["errorMessage"]) == ("failed", "Internal error while rendering the result.")
    assert "could not make the media" in caplog.text


def test_unknown_addresses(api):
    """Anything else is a 404 or a 405, in the service's shape."""
    assert (api.get("nothing").status_code, api.get("nothing").json()) == (404, {"error": "Not found"})
    assert (api.get(VIDEO.endpoint).status_code, api.put("quota").json()) == (405, {"error": "Method not allowed"})
