"""The plain HTML that a saved notebook keeps."""

from __future__ import annotations

import base64
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from novakit_widgets import Job, JobStatus, Media, MediaExpiredError, NovaKitClient, Tool
from novakit_widgets.api.embedding import Kept
from novakit_widgets.engine.messages import error_of_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.widgets.card.plain import plain, running, summary
from novakit_widgets.widgets.common.style import PLAIN

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
    "br",
    "svg",  # the tool's icon
    "path",
    "a",  # the link that downloads
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
    for fact in ("job_1", "seed", "nk.video('A lighthouse', seed=7)", "4 credits", "m/1", "Done"):
        assert fact in text


def called(html):
    """Run the code of a card, and return what it would have sent."""
    (code,) = re.findall(r"<pre>(.*?)</pre>", str(html), re.DOTALL)
    sent = []

    def video(prompt, **others):
        sent.append({"prompt": prompt, **others})

    exec(unescape(code), {"nk": SimpleNamespace(video=video)})
    return sent[0]


@given(prompt=st.text(min_size=1), seed=st.integers())
@example("two  spaces\nand a line", 7)
@example("x" * 20_000, 7)
def test_the_code_asks_for_exactly_the_same(prompt, seed):
    """Not a blank of it is lost, however long it is."""
    params = {"prompt": prompt, "seed": seed}
    assert called(plain(ended(params), [Kept(VIDEO, "video/mp4")])) == params


def test_code_that_would_be_too_long_is_not_cut():
    """Half a call would be no Python, so there is none, and the card says why."""
    html = plain(ended({"prompt": "x" * 60_000}), [Kept(VIDEO, "video/mp4")])
    assert "<pre>" not in html
    assert "too long to show" in html


def test_what_was_sent_from_this_machine_is_named_as_a_file():
    """The code is Python, says what belongs into the file, and neither it nor the table holds the upload."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20_000)
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    html = plain(
        ended({"prompt": "A boat", "mode": "image_to_video", "source_image": source}), [Kept(VIDEO, "video/mp4")]
    )
    sent = called(html)
    assert sent["source_image"].suffix == ".png"
    assert "the file that was sent, 20,008 bytes" in html
    assert "(image/png, sent as" in html
    assert len(html.replace(PLAIN, "")) < 5_000


def test_a_text_keeps_its_lines():
    """Without `pre`, in which an untrusted notebook breaks words; words from outside are still text."""
    html = str(plain(ended({"prompt": "x"}, output={"text": "Hello,\n<b>you</b>"}), []))
    assert '<p class="nk-text" dir="auto">Hello,<br>&lt;b&gt;you&lt;/b&gt;</p>' in html


def test_what_could_not_be_fetched_has_no_player():
    """The note says why; there is no empty frame, and nothing is said to be shown from where it is not."""
    gone = Kept(VIDEO, "video/mp4", error=MediaExpiredError("It is no longer served."))
    html = str(plain(ended({"prompt": "x"}), [gone], note=str(gone.error)))
    assert "<video" not in html
    assert "temporary" not in html
    assert "It is no longer served." in html


def test_a_job_whose_end_nobody_saw_can_be_found_again():
    """What a notebook shows without a kernel that was saved before the job ended."""
    run = ended({"prompt": "A <b>boat</b>"})
    assert "<code>nk.attach(&#39;job_1&#39;)</code>" in running(run)
    run.job = None
    assert "nk.history(search=&#39;A &lt;b&gt;boat&lt;/b&gt;&#39;)" in running(run)


@pytest.mark.parametrize(
    ("tool", "params"),
    [
        (Tool.IMAGE, {"prompt": "A lighthouse in a storm, woodcut, two colours, very dark"}),
        (Tool.IMAGE, {"prompt": "x" * 50 + " and more"}),
        (Tool.TTS, {"input": "It's a “quoted”\nSTRASSE,  Straße"}),
        (Tool.IMAGE, {"prompt": f"My key is {KEY}"}),
        (Tool.STT, {"file": "https://example.org/a.mp3"}),
        (Tool.IMAGE_EDIT, {"image": "data:image/png;base64,AAAA"}),
    ],
)
def test_the_advice_of_a_saved_notebook_finds_the_job(tool, params, tmp_path):
    """Half of a word with an ellipsis is no word of the prompt, and a file's name is none at all."""
    history = JobHistory(tmp_path / "history.sqlite3")
    history.begin(tool, params, base_url="https://x.example/api/v1")
    run = JobRun(tool, params, client=NovaKitClient(KEY))
    advice = unescape(re.search(r"<code>(.*?)</code>", str(running(run)))[1])
    nk = SimpleNamespace(history=history.entries)
    assert len(eval(advice, {"nk": nk})) == 1
    assert ("search=" in advice) is (tool not in (Tool.STT, Tool.IMAGE_EDIT))


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_what_went_wrong_is_told(status):
    """A failed and a cancelled job have a plain card too."""
    run = ended({"prompt": "x"}, status, error="out of paint")
    text = "".join(Reader(plain(run, [])).text)
    assert run.error.message in text
    assert str(status).capitalize() in summary(run)


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
    sources = {value for _, attribute, value in reader.attributes if attribute in ("src", "href")}
    assert sources == {"https://cdn.example/aaaaa"}
    assert {name for tag, name, _ in reader.attributes if tag == "a"} == {"href", "download"}
