"""The plain HTML that a saved notebook keeps."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import Job, JobStatus, Media, NovaKitClient, Tool
from novakit_widgets.embedding import Kept
from novakit_widgets.run import JobRun, Phase, error_of_job
from novakit_widgets.widgets.plain import plain, summary

KEY = "sk_" + "0" * 64
OURS = {
    "div",
    "style",
    "p",
    "strong",
    "span",
    "video",
    "audio",
    "img",
    "details",
    "summary",
    "table",
    "tr",
    "th",
    "td",
    "pre",
}


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser's parser would see them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, *attribute) for attribute in attrs)

    def handle_data(self, data):
        self.text.append(data)


def ended(params, status=JobStatus.COMPLETED, **facts):
    """A run whose job has ended."""
    run = JobRun(Tool.VIDEO, params, client=NovaKitClient(KEY))
    run.job = Job("job_1", status, tool="video", params=params, **facts)
    run.error = error_of_job(run.job)
    run.phase = Phase.ENDED
    return run


VIDEO = Media("https://cdn.example/a.mp4", "video")


@pytest.mark.parametrize(
    ("kept", "source"),
    [
        (Kept(VIDEO, "video/mp4", content=b"1234"), "data:video/mp4;base64,MTIzNA=="),
        (
            Kept(VIDEO, "video/mp4", path=Path("/x/novakit-media/novakit-job_1-1.mp4")),
            "novakit-media/novakit-job_1-1.mp4",
        ),
        (Kept(VIDEO, "video/mp4"), "https://cdn.example/a.mp4"),
    ],
)
def test_the_source_stands_on_the_media_tag_itself(kept, source):
    """The sanitiser drops <source src>, so there is none; nothing starts or repeats by itself."""
    reader = Reader(plain(ended({"prompt": "A lighthouse"}), [kept]))
    assert ("video", "src", source) in reader.attributes
    names = {name for tag, name, _ in reader.attributes if tag == "video"}
    assert "controls" in names
    assert not names & {"autoplay", "loop"}
    assert "source" not in reader.tags


def test_a_card_tells_all_that_it_takes_to_make_the_job_again():
    """Parameters, job id, and the call."""
    html = plain(ended({"prompt": "A lighthouse", "seed": 7}, actual_credits=4.0, model="m/1"), [])
    text = "".join(Reader(html).text)
    for fact in ("job_1", "seed", "nk.video('A lighthouse', seed=7)", "4 credits", "m/1", "completed"):
        assert fact in text


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_what_went_wrong_is_told(status):
    """A failed and a cancelled job have a plain card too."""
    run = ended({"prompt": "x"}, status, error="out of paint")
    text = "".join(Reader(plain(run, [])).text)
    assert run.error.message in text
    assert str(status) in summary(run)


hostile = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            '"><svg onload=alert(1)>',
            "javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "</pre></details><iframe src=//evil>",
            "\u202eevil",
            "{0} {label} %s",
            "x" * 100_000,
        ]
    ),
)


@given(prompt=hostile, model=hostile, error=hostile, name=hostile, job_id=hostile)
def test_nothing_from_outside_becomes_markup(prompt, model, error, name, job_id):
    """Whatever the words are, the tags and attributes of the card are ours."""
    run = ended({"prompt": prompt, name: error}, JobStatus.FAILED, model=model, error=error)
    run.job = Job(job_id, JobStatus.FAILED, model=model, error=error, tool=model)
    kept = [Kept(Media("https://cdn.example/" + "a" * 5, "image", caption=error), "image/png")]
    reader = Reader(plain(run, kept, note=error))
    assert set(reader.tags) <= OURS
    assert not any(attribute.startswith("on") for _, attribute, _ in reader.attributes)
    assert {value for _, attribute, value in reader.attributes if attribute == "src"} == {"https://cdn.example/aaaaa"}
