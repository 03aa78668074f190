"""A job and a result as the last line of a cell."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hostile import HOSTILE

from novakit_widgets import Job, JobStatus, Media, image
from novakit_widgets.widgets.common import display

VIDEO = {"video": {"url": "https://cdn.example/a.mp4"}}


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser's parser would see them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, *attribute) for attribute in attrs)

    def handle_data(self, data):
        self.text += data


def shown(value):
    """Return what a notebook would show."""
    return Reader(value._repr_mimebundle_()["text/html"])


def test_job_in_a_cell_shows_its_result_and_its_call():
    """Prompt, status, player, cost and code; it starts no playback, and nothing is fetched."""
    job = Job("job_1", JobStatus.COMPLETED, tool="video", params={"prompt": "A boat"}, output=VIDEO, actual_credits=5.0)
    page = shown(job)
    for text in ("A boat", "Done", "5 credits", "nk.video('A boat')", "job_1"):
        assert text in page.text
    assert ("video", "src", "https://cdn.example/a.mp4") in page.attributes
    assert not {"autoplay", "loop"} & {name for _, name, _ in page.attributes}
    assert job._repr_mimebundle_(include=None, exclude=None)["text/plain"] == repr(job)


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (Job("job_1", JobStatus.FAILED, error="out of paint"), "out of paint"),
        (Job("job_1", JobStatus.COMPLETED, tool="stt", output={"text": "Hello\nthere"}), "Hellothere"),
        (Job("job_1", "paused"), "paused"),
        (Job(None, JobStatus.PENDING, tool="hologram"), "Queued"),
    ],
)
def test_job_without_media_shows_its_text(job, text):
    """A failure, a transcription, and a status or a tool that is newer than this package."""
    assert text in shown(job).text


def test_job_in_a_cell_is_bounded():
    """A thousand results or a megabyte of text do not fill the notebook."""
    many = [{"url": f"https://cdn.example/{number}.png"} for number in range(1000)]
    page = shown(Job("job_1", JobStatus.COMPLETED, tool="image", output={"images": many}))
    assert page.tags.count("img") == 12
    assert "988 more in job.media" in page.text
    text = Job("job_1", JobStatus.COMPLETED, tool="stt", output={"text": "words " * 200_000})
    assert len(text._repr_mimebundle_()["text/html"]) < 40_000


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_becomes_markup(text):
    """Whatever the service says, the tags are those of a harmless job."""
    values = {"tool": text, "model": text, "error": text, "params": {"prompt": text, text[:60]: text}}
    hostile, harmless = (
        shown(Job("job_1", JobStatus.FAILED, **values)),
        Job("job_1", JobStatus.FAILED, tool="x", model="x", error="x", params={"prompt": "x", "y": "x"}),
    )
    assert set(hostile.tags) <= {*shown(harmless).tags, "br"}
    assert not any(name.startswith("on") for _, name, _ in hostile.attributes)
    caption = shown(Media("https://cdn.example/a.png", "image", caption=text))
    assert set(caption.tags) == {"div", "style", "img", "p"}


def test_job_is_text_where_its_card_is_in_the_same_cell(client, monkeypatch):
    """`nk.image(…).wait()` shows the card; the job that it returns would be the same picture again."""
    monkeypatch.setattr(display, "this_cell", lambda: 7)
    card = image("A boat", size="512x512", client=client)
    job = card.wait()
    assert "text/html" in job._repr_mimebundle_()
    card._display._handles.cell = 7  # shown by the cell that runs
    assert job._repr_mimebundle_() == {"text/plain": repr(job)}
    card._display._handles.cell = 6
    assert "text/html" in job._repr_mimebundle_()
    card.close()


def test_media_in_a_cell_shows_itself():
    """A player or a picture in its own aspect ratio."""
    page = shown(Media("https://cdn.example/a.png", "image", width=512, height=256, caption="A boat"))
    assert ("img", "alt", "A boat") in page.attributes
    assert ("div", "style", "aspect-ratio: 512 / 256") in page.attributes
    assert "audio" in shown(Media("https://cdn.example/a.mp3", "audio")).tags
