"""Sources: files, open files, pictures, arrays and results of this package are taken; a path as text is refused."""

from __future__ import annotations

import base64
import io
import tempfile
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import novakit_widgets as nk
from novakit_widgets.api.uploads import MAX_UPLOAD_BYTES, upload
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.job import Job
from novakit_widgets.model.media import Media
from novakit_widgets.model.tools import Tool
from novakit_widgets.notebook.batch import parse_items

URL = "https://cdn.example/a.png"


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 80)
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, "PNG")
    return file.getvalue()


def at_its_end(content: bytes) -> io.BytesIO:
    file = io.BytesIO()
    file.write(content)  # as after picture.save(file)
    return file


def spooled(content: bytes):
    file = tempfile.SpooledTemporaryFile(max_size=10_000_000)  # noqa: SIM115 # the test closes it
    file.write(content)
    return file


def in_a_zip(content: bytes):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a", content)
    return zipfile.ZipFile(archive).open("a")


class Stream:
    """A stream that can't seek, such as the body of an answer."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.mark.parametrize("make", [io.BytesIO, at_its_end, spooled, in_a_zip, Stream], ids=lambda make: make.__name__)
def test_open_file_is_taken_as_its_bytes(make) -> None:
    """From its beginning, where it can seek; for a transcription as base64, for a picture as a data URI."""
    sound, picture = make(wav()), make(png())
    assert base64.b64decode(upload(sound)) == wav()
    sent = upload(picture, tool=Tool.VIDEO, name="source_image")
    for file in (sound, picture):
        getattr(file, "close", lambda: None)()
    assert sent == f"data:image/png;base64,{base64.b64encode(png()).decode()}"


def test_open_file_on_disk_is_left_where_it_was(tmp_path: Path) -> None:
    """What the user does with it afterwards goes on."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav())
    with path.open("rb") as file:
        file.read(7)
        assert base64.b64decode(upload(file)) == wav()
        assert file.tell() == 7


def closed() -> io.BytesIO:
    file = io.BytesIO(b"RIFF")
    file.close()
    return file


class Asynchronous:
    """An open file whose reads are awaited."""

    async def read(self, size: int = -1) -> bytes:
        return b"RIFF"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (io.StringIO("RIFF"), "must be a file opened for bytes: open it with mode 'rb'"),
        (closed(), "can't be read from the open file"),
        (io.BytesIO(), "must not be empty"),
        (Asynchronous(), "must be an ordinary file"),
        (io.BytesIO(bytes(MAX_UPLOAD_BYTES + 100_000)), r"5\.1 MB, at most 5 MB"),
        (np.zeros(8000), "must be a file, not an array"),
        ("sound.wav", r"pathlib\.Path\('sound\.wav'\)"),
        ("~/sound.wav", r"pathlib\.Path\('~/sound\.wav'\)\.expanduser\(\)"),
    ],
)
def test_unreadable_source_is_refused_with_advice(value, message: str) -> None:
    """The message says what to do, and that nothing was billed."""
    with pytest.raises(InvalidParameterError, match=f"stt: file.*{message}.*Nothing was sent or billed"):
        upload(value)


PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


@pytest.mark.parametrize(
    ("array", "pixels"),
    [
        (PIXELS, PIXELS),
        (PIXELS[:, ::-1], PIXELS[:, ::-1]),
        (PIXELS.astype(np.int64), PIXELS),
        (PIXELS / 255, PIXELS),
        (PIXELS[..., 0], PIXELS[..., 0]),
        (np.dstack([PIXELS, PIXELS[..., :1]]), np.dstack([PIXELS, PIXELS[..., :1]])),
        (PIXELS[..., 0] > 30, (PIXELS[..., 0] > 30) * np.uint8(255)),
    ],
    ids=["rgb", "strided", "int64", "float", "grey", "rgba", "bool"],
)
def test_array_of_pixels_is_sent_as_png(array, pixels) -> None:
    """What Pillow reads of it are the pixels."""
    sent = upload(array, tool=Tool.IMAGE_EDIT, name="image")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(sent.partition(",")[2]))))
    assert (shown == pixels).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4, 5, 3)), r"one picture: .* got \(2, 4, 5, 3\)"),
        (np.zeros((3, 40, 50)), r"one picture: .* got \(3, 40, 50\)"),
        (np.zeros((0, 5, 3)), "one picture"),
        (PIXELS * 2.0, r"got float64 from 0 to 118"),
        (PIXELS.astype(np.int16) * 100, "got int16 from 0 to 5900"),
        (np.full((4, 5), np.nan), "got float64 from nan to nan"),
        (np.full((4, 5), "a"), "got <U1"),
    ],
)
def test_array_that_is_no_picture_is_refused(array, message: str) -> None:
    """Rather than guessed at, and billed."""
    with pytest.raises(InvalidParameterError, match=f"image_edit: image must be .*{message}"):
        upload(array, tool=Tool.IMAGE_EDIT, name="image")


def job_with(count: int = 1, status: str = "completed") -> Job:
    images = [{"url": f"https://cdn.example/{number}.png"} for number in range(count)]
    return Job.from_json({"id": "job_1", "status": status, "tool": "image", "outputData": {"images": images}})


def test_results_are_sent_as_their_address() -> None:
    """A Media, a Job, and anything with a job."""
    assert upload(Media(URL, "image"), tool=Tool.VIDEO, name="source_image") == URL
    assert upload(job_with(), tool=Tool.VIDEO, name="source_image") == "https://cdn.example/0.png"
    run = type("Run", (), {"job": job_with()})()
    assert upload(run, tool=Tool.IMAGE_EDIT, name="image") == "https://cdn.example/0.png"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Media("https://cdn.example/a.mp3", "audio"), "must be an image, got audio"),
        (job_with(status="processing"), "job_1 is still running: wait for it first"),
        (job_with(status="failed"), "job_1 has failed"),
        (job_with(count=4), r"job_1 has 4: choose one, such as job\.media\[0\]"),
        (job_with(count=0), "must be an image, and the result of job_1 has none"),
        (type("Run", (), {"job": None})(), "was not submitted yet"),
    ],
)
def test_result_that_is_not_one_image_is_refused(value, message: str) -> None:
    """Before anything is billed."""
    with pytest.raises(InvalidParameterError, match=f"video: source_image .*{message}.*Nothing was sent or billed"):
        upload(value, tool=Tool.VIDEO, name="source_image")


def test_card_is_taken_as_the_source_of_the_next_job(sandbox) -> None:
    """From a picture to a video, with the card itself; and to an edit, with its job."""
    client = nk.NovaKitClient(sandbox.api_key, sandbox.base_url)
    picture = nk.image("A lighthouse", size="512x512", client=client)
    picture.wait()
    (address,) = (one.url for one in picture.job.media)
    video = nk.video("Waves", mode="image_to_video", source_image=picture, client=client, autostart=False)
    assert video._run.params["source_image"] == address
    edit = nk.edit_image("Make it winter", image=picture.job, client=client, autostart=False)
    assert edit._run.params["image"] == address


def test_batch_of_transcriptions_takes_sources() -> None:
    """Each item may be any of them."""
    items = parse_items(Tool.STT, [wav(), io.BytesIO(wav()), Media("https://cdn.example/a.mp3", "audio")])
    assert items[0] == items[1]
    assert items[2] == {"file": "https://cdn.example/a.mp3"}
