"""The media: they play, they are what was asked for, and they are the same for the same request."""

from __future__ import annotations

import io

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from novakit_widgets.model.media import sniff
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox.studio import captions

VIDEO, MUSIC, IMAGE, EDIT, TTS, STT = Tool


def fetch(url, **headers):
    """Get a medium as a browser would, without a key."""
    return httpx.get(url, headers=headers, trust_env=False)


def urls(body):
    """Return the URLs of a finished job."""
    assert body["status"] == "completed", body
    output = body["outputData"]
    if "images" in output:
        return [image["url"] for image in output["images"]]
    return [next(iter(output.values()))["url"]]


def decoded(content):
    """Return a video's frames as arrays, its frame rate, and its seconds."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return frames, float(stream.average_rate), container.duration / 1e6, stream.codec_context


def heard(content):
    """Return a sound's samples and its rate."""
    with av.open(io.BytesIO(content)) as container:
        rate = container.streams.audio[0].rate
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    sound = np.concatenate(parts, axis=1).astype(float)
    if parts[0].dtype == np.int16:
        sound /= 32_768
    return sound, rate


@pytest.mark.parametrize(
    ("ratio", "resolution", "size"),
    [
        ("16:9", "720p", (1280, 720)),
        ("9:16", "720p", (720, 1280)),
        ("1:1", "1080p", (1080, 1080)),
        ("3:4", "4k", (2160, 2880)),
        ("4:3", "720p", (960, 720)),
    ],
)
def test_video_sizes(api, finish, ratio, resolution, size):
    """A video has the asked resolution and aspect ratio."""
    params = {"prompt": "x", "duration_seconds": 0.2, "aspect_ratio": ratio, "resolution": resolution}
    frames, *_ = decoded(fetch(urls(finish(api, VIDEO, params))[0]).content)
    assert frames[0].shape[1::-1] == size


@pytest.mark.parametrize("fps", [30, 60])
def test_a_video_plays(api, finish, fps):
    """It is h264 of the asked duration and frame rate, moves visibly, and starts before it has loaded."""
    body = finish(api, VIDEO, {"prompt": "A sunset over mountains", "duration_seconds": 2, "fps": fps})
    answer = fetch(urls(body)[0])
    assert answer.headers["content-type"] == "video/mp4"
    frames, rate, seconds, codec = decoded(answer.content)
    assert (codec.name, codec.pix_fmt, rate) == ("h264", "yuv420p", fps)
    assert seconds == pytest.approx(2, abs=0.05)
    assert len(frames) == 2 * fps
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 3
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")


def test_a_loop_ends_where_it_began(api, finish):
    """With ``loop`` the last frame leads over to the first."""
    params = {"prompt": "Rolling hills", "duration_seconds": 2, "loop": True}
    frames, *_ = decoded(fetch(urls(finish(api, VIDEO, params))[0]).content)
    first, middle, last = (frames[place][80:-120].astype(int) for place in (0, 15, -1))
    assert np.abs(first - last).mean() < np.abs(first - middle).mean() / 2


def test_a_video_shows_its_prompt(api, finish):
    """Two prompts of the same scene differ where the caption is."""
    shown = []
    for prompt in ("Sea", "Sea sea sea sea sea sea"):
        frames, *_ = decoded(fetch(urls(finish(api, VIDEO, {"prompt": prompt, "duration_seconds": 0.1}))[0]).content)
        shown.append(frames[0])
    # White letters on a dark panel, at the foot.
    bright = [(frame[600:700, 40:800].min(axis=2) > 200).sum() for frame in shown]
    assert 30 < bright[0] < bright[1]


def test_a_video_from_an_image(api, finish):
    """``image_to_video`` starts from the given picture."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture, "PNG")
    import base64

    source = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    params = {"prompt": "x", "duration_seconds": 0.2, "mode": "image_to_video", "source_image": source}
    frames, *_ = decoded(fetch(urls(finish(api, VIDEO, params))[0]).content)
    assert np.allclose(np.median(frames[0].reshape(-1, 3), axis=0), (200, 30, 30), atol=12)


@pytest.mark.parametrize("format_name", ["mp3", "wav"])
def test_music_plays(api, finish, format_name):
    """Music has the asked length and format, two channels, and is heard throughout without clipping."""
    params = {"prompt": "Slow jazz, brushed drums", "duration_seconds": 6, "output_format": format_name}
    answer = fetch(urls(finish(api, MUSIC, params))[0])
    assert answer.headers["content-type"] == {"mp3": "audio/mpeg", "wav": "audio/wav"}[format_name]
    sound, rate = heard(answer.content)
    samples = sound if format_name == "mp3" else sound.reshape(-1, 2).T
    assert samples.shape[0] == 2
    assert samples.shape[1] / rate == pytest.approx(6, abs=0.1)
    loudness = [np.sqrt((part**2).mean()) for part in np.array_split(samples.mean(axis=0), 6)]
    assert min(loudness[:5]) > 0.02
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize(
    ("format_name", "mime"), [("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("opus", "audio/ogg"), ("aac", "audio/aac")]
)
def test_speech_formats(api, finish, format_name, mime):
    """Speech comes in every documented format, with its type, and decodes."""
    body = finish(api, TTS, {"input": "Hello there.", "response_format": format_name})
    answer = fetch(urls(body)[0])
    assert answer.headers["content-type"] == mime
    sound, rate = heard(answer.content)
    assert sound.size / rate == pytest.approx(body["outputData"]["audio"]["duration_seconds"], abs=0.15)


def test_speech_follows_text_and_speed(api, finish):
    """Twice the text takes about twice as long, twice the speed half as long, and a voice has its pitch."""

    def seconds(**params):
        return finish(api, TTS, params)["outputData"]["audio"]["duration_seconds"]

    sentence = "The quick brown fox jumps over the lazy dog. "
    once = seconds(input=sentence)
    assert seconds(input=sentence * 2) == pytest.approx(2 * once, rel=0.1)
    assert seconds(input=sentence, speed=2.0) == pytest.approx(once / 2, rel=0.1)
    assert 2 < once < 5


@pytest.mark.parametrize("size", ["1024x1024", "512x512", "1792x1024", "1024x1536"])
def test_image_sizes(api, finish, size):
    """An image is a PNG of exactly the asked size."""
    body = finish(api, IMAGE, {"prompt": "A fox", "size": size})
    answer = fetch(urls(body)[0])
    assert answer.headers["content-type"] == "image/png"
    width, height = (int(part) for part in size.split("x"))
    assert Image.open(io.BytesIO(answer.content)).size == (width, height)
    assert body["outputData"]["images"][0] == {"url": urls(body)[0], "width": width, "height": height}


def test_several_and_larger_images(api, finish):
    """``n`` images differ, and ``upscale`` enlarges them."""
    body = finish(api, IMAGE, {"prompt": "A fox", "size": "512x512", "n": 3, "upscale": "2x"})
    images = [fetch(url).content for url in urls(body)]
    assert len(set(images)) == 3
    assert Image.open(io.BytesIO(images[0])).size == (1024, 1024)


@pytest.mark.parametrize(
    "operation", ["edit", "inpainting", "outpainting", "remove_background", "upscale", "variation"]
)
def test_edits_start_from_the_given_image(api, finish, operation):
    """An edit works on the image that it was given, the sandbox's own or a data URI."""
    source = urls(finish(api, IMAGE, {"prompt": "A fox", "size": "512x512"}))[0]
    params = {"prompt": "Winter", "image": source, "operation": operation, "mask": source}
    after = Image.open(io.BytesIO(fetch(urls(finish(api, EDIT, params))[0]).content))
    assert after.size == {"outpainting": (768, 512), "upscale": (1024, 1024)}.get(operation, (512, 512))
    before = Image.open(io.BytesIO(fetch(source).content))
    assert np.asarray(after.resize((64, 64))).tolist() != np.asarray(before.resize((64, 64))).tolist()


def test_own_speech_is_understood(api, finish):
    """A transcription of the sandbox's speech returns its text, in the asked form."""
    url = urls(finish(api, TTS, {"input": "Good morning. How are you?"}))[0]
    body = api.post(STT.endpoint, json={"file": url, "timestamp_granularities": ["word"], "diarization": True}).json()
    assert body["text"] == "Good morning. How are you?"
    assert [part["text"] for part in body["segments"]] == ["Good morning.", "How are you?"]
    assert [part["speaker"] for part in body["segments"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert [word["word"] for word in body["words"]] == ["Good", "morning.", "How", "are", "you?"]
    assert body["segments"][-1]["end"] == pytest.approx(body["duration"], abs=0.01)
    srt = api.post(STT.endpoint, json={"file": url, "response_format": "srt"}).json()["text"]
    assert srt.startswith("1\n00:00:00,000 --> 00:00:0")
    vtt = api.post(STT.endpoint, json={"file": url, "response_format": "vtt"}).json()["text"]
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")


@pytest.mark.parametrize("tool", [VIDEO, MUSIC, IMAGE, EDIT, TTS])
def test_the_same_request_gives_the_same_bytes(serve, client_of, finish, small, tool):
    """Two sandboxes make the same of the same request, and something else with another prompt."""
    made = [fetch(urls(finish(client_of(serve(seed=seed)), tool, small[tool]))[0]).content for seed in (1, 2)]
    assert made[0] == made[1]
    name = "input" if tool is TTS else "prompt"
    client = client_of(serve())
    assert fetch(urls(finish(client, tool, {**small[tool], name: "Something else"}))[0]).content != made[0]
    if tool in (VIDEO, IMAGE):
        seeded = [fetch(urls(finish(client, tool, {**small[tool], "seed": seed}))[0]).content for seed in (5, 5, 6)]
        assert seeded[0] == seeded[1]
        assert len({made[0], *seeded}) == 3


@pytest.mark.parametrize("tool", [VIDEO, MUSIC, IMAGE, TTS])
def test_bytes_are_what_their_type_says(api, finish, small, tool):
    """The package's own sniffing agrees with the content type."""
    answer = fetch(urls(finish(api, tool, small[tool]))[0])
    assert sniff(answer.content) == answer.headers["content-type"]


def test_ranges(api, finish, small):
    """A player can seek: ranges are served, for any page and without a key, each job at a URL of its own."""
    first, second = (urls(finish(api, TTS, small[TTS]))[0] for _ in range(2))
    assert first != second
    whole = fetch(first)
    part = fetch(first, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert fetch(first, Range="bytes=-5").content == whole.content[-5:]
    assert fetch(first, Range="bytes=99999999-").status_code == 416
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["access-control-allow-origin"] == "*"
    assert int(httpx.head(first, trust_env=False).headers["content-length"]) == len(whole.content)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_expired_media(serve, client_of, finish, small, status):
    """URLs expire on demand, with a web page as an answer; renewed ones are in the job's next answer."""
    sandbox = serve()
    client = client_of(sandbox)
    job, other = (finish(client, TTS, small[TTS]) for _ in range(2))
    assert sandbox.expire_media(job["id"], status=status, renew=True) == 1
    answer = fetch(urls(job)[0])
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert fetch(urls(other)[0]).status_code == 200
    renewed = urls(client.get(f"jobs/{job['id']}").json())[0]
    assert renewed != urls(job)[0]
    assert fetch(renewed).status_code == 200
    assert sandbox.expire_media(status=status) == 2
    assert fetch(renewed).status_code == status


def test_unknown_media(shared):
    """A guessed URL leads nowhere."""
    for name in ("guess/output.mp4", "../../etc/passwd", "%2e%2e/output.mp4"):
        assert fetch(f"{shared.origin}/media/{name}").status_code == 404


def test_canned_media(serve, client_of, finish):
    """For measuring, one small medium serves for all."""
    client = client_of(serve(media="canned"))
    made = {fetch(urls(finish(client, VIDEO, {"prompt": str(number)}))[0]).content for number in range(3)}
    assert len(made) == 1


def test_the_files_go_with_the_sandbox(serve, client_of, finish, small):
    """Nothing is left on the disk."""
    sandbox = serve()
    finish(client_of(sandbox), IMAGE, small[IMAGE])
    path = next(iter(sandbox.jobs.values())).artifacts[0].path
    assert path.exists()
    sandbox.stop()
    assert not path.parent.exists()


@pytest.mark.parametrize("text", ["q" * 100_000, "word " * 20_000, "\u200b" * 100_000, "", " "])
def test_a_caption_measures_no_more_than_can_be_seen(text):
    """However long the prompt is, with spaces or without: it is cut to what fits, and measured a few dozen times."""

    class Counting:
        """A font whose letters are ten pixels wide."""

        measured = 0

        def getlength(self, written):
            self.measured += len(written)
            return 10.0 * len(written)

    font = Counting()
    lines = captions._wrap(text, font, 400.0)
    assert len(lines) <= captions._MOST_LINES
    assert all(len(line) <= 40 for line in lines)
    assert lines[-1].endswith("…") is (len(text) > 200)
    assert font.measured < 50_000
