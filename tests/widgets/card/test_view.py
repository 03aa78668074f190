"""What a card says, in every phase, and that no markup from outside survives in its HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from core_fixtures import _no_waiting, _served, client, nothing_left, sandbox, serve, small  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st

from novakit_widgets import settings
from novakit_widgets.engine.run import JobRun
from novakit_widgets.engine.state import Phase
from novakit_widgets.engine.stopwatch import Stopwatch
from novakit_widgets.errors import (
    APIError,
    JobFailedError,
    NotFoundError,
    NovaKitConnectionError,
    RateLimitError,
    SubmissionUncertainError,
)
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import Clock
from novakit_widgets.widgets.card.html import body, figures, head, icon, message, pill
from novakit_widgets.widgets.card.view import Samples, View
from novakit_widgets.widgets.common.labels import label_of, prompt_of, shortened
from novakit_widgets.widgets.common.shape import Shape, shape_of
from novakit_widgets.widgets.common.times import duration

PARAMS = {"prompt": "A sunset"}


def run_in(phase, *, tool=Tool.VIDEO, params=PARAMS, **state):
    """A run in some state, without a service."""
    run = JobRun(tool, params, client=SimpleNamespace(base_url="https://x.example"))
    run.phase = phase
    for name, value in state.items():
        setattr(run, name, value)
    return run


def view_of(phase, **state):
    return View.of(run_in(phase, **state), Samples())


def job_in(status, **more):
    return Job("job_1", status, tool="video", **more)


DONE = job_in(JobStatus.COMPLETED, output={"video": {"url": "https://cdn.example/a.mp4"}})
FAILED = job_in(JobStatus.FAILED, error="No machine")
WORDS = job_in(JobStatus.COMPLETED, output={"text": "Hello"})
RESULTLESS = job_in(JobStatus.COMPLETED, output={"odd": 1})


@pytest.mark.parametrize(
    ("phase", "state", "status", "color", "action"),
    [
        (Phase.NEW, {}, "Not submitted", "quiet", "start"),
        (Phase.SUBMITTING, {}, "Submitting", "waiting", "cancel"),
        (Phase.SUBMITTING, {"_strategy": SimpleNamespace(attached_to="job_1")}, "Reconnecting", "waiting", "cancel"),
        (Phase.SUBMITTING, {"trouble": NovaKitConnectionError("x")}, "Reconnecting", "waiting", "cancel"),
        (Phase.SUBMITTING, {"trouble": SubmissionUncertainError("x")}, "Answer lost", "waiting", "cancel"),
        (Phase.WATCHING, {"job": job_in(JobStatus.PENDING)}, "Queued", "waiting", "cancel"),
        (Phase.WATCHING, {"job": job_in(JobStatus.PROCESSING)}, "Generating", "running", "cancel"),
        (Phase.WATCHING, {"job": job_in("queued <b>x</b>")}, "queued <b>x</b>", "running", "cancel"),
        (
            Phase.WATCHING,
            {"job": job_in(JobStatus.PENDING), "trouble": RateLimitError("x", 429)},
            "Waiting for rate limit",
            "waiting",
            "cancel",
        ),
        (Phase.WATCHING, {"job": job_in(JobStatus.PENDING), "cancelling": True}, "Cancelling", "waiting", "cancel"),
        (Phase.LEFT, {"job": job_in(JobStatus.PROCESSING)}, "Not watched", "waiting", "watch"),
        (Phase.LEFT, {"job": DONE, "reused": True}, "Not watched", "waiting", "watch"),
        (Phase.LEFT, {"error": NotFoundError("x", 404)}, "Not found", "bad", ""),
        (
            Phase.LEFT,
            {"error": NotFoundError("x", 404), "job": job_in(JobStatus.PROCESSING)},
            "Not found",
            "bad",
            "watch",
        ),
        (Phase.UNCERTAIN, {}, "Answer lost", "bad", "look"),
        (Phase.UNCERTAIN, {"reused": True}, "Answer lost", "bad", "look"),
        (Phase.REFUSED, {}, "Not submitted", "bad", "again"),
        (Phase.ENDED, {"job": DONE}, "Done", "good", "save"),
        (Phase.ENDED, {"job": DONE, "reused": True}, "Done", "good", "anew"),
        (Phase.ENDED, {"job": WORDS}, "Done", "good", "save"),
        (Phase.ENDED, {"job": RESULTLESS}, "Done", "good", ""),
        (Phase.ENDED, {"job": FAILED}, "Failed", "bad", "again"),
        (Phase.ENDED, {"job": FAILED, "tool": None}, "Failed", "bad", ""),
        (Phase.ENDED, {"job": job_in(JobStatus.CANCELLED)}, "Cancelled", "quiet", "again"),
    ],
)
def test_each_phase_in_words(phase, state, status, color, action):
    """Status, color and the one button that makes sense."""
    view = view_of(phase, **state)
    assert (view.status, view.color) == (status, color)
    assert view.action == action
    assert view.moving is (phase in (Phase.SUBMITTING, Phase.WATCHING))
    assert view.busy is state.get("cancelling", False)


def test_percent_is_what_the_service_says_and_whole_when_done():
    """Unknown stays unknown."""
    assert view_of(Phase.SUBMITTING).percent is None
    assert view_of(Phase.WATCHING, job=job_in(JobStatus.PENDING)).percent is None
    assert view_of(Phase.WATCHING, job=job_in(JobStatus.PROCESSING, progress=40.0)).percent == 40.0
    assert view_of(Phase.ENDED, job=DONE).percent == 100.0


def test_what_went_wrong_comes_before_a_note():
    """An error, else a trouble; and then the note."""
    run = run_in(Phase.ENDED, job=DONE)
    assert View.of(run, Samples(), note="Saved.").message == "Saved."
    run.trouble = NovaKitConnectionError("No answer.")
    assert View.of(run, Samples(), note="Saved.").message == "No answer. Retrying automatically. Saved."
    run.trouble = APIError("NovaKit could not show the job (502). Try again later.", 502)
    assert View.of(run, Samples()).message == "NovaKit could not show the job (502). Retrying automatically."
    run.trouble = RateLimitError("Slower, please.", 429, job_id="job_1", retry_after=75)
    assert "Retrying automatically in 1 min 15 s." in View.of(run, Samples()).message
    run.trouble = SubmissionUncertainError("Lost. Look for it before you submit it again.")
    assert "nothing is submitted twice" in View.of(run, Samples()).message
    run.error = JobFailedError("It failed.")
    assert View.of(run, Samples(), note="Saved.").message == "It failed. Saved."


def test_times_in_words():
    """Elapsed, what is usual, what is left, and nothing before the beginning."""
    settings.configure(speed=1.0)
    now = 0.0
    watch = Stopwatch(Clock(monotonic=lambda: now))
    run = run_in(Phase.WATCHING, job=job_in(JobStatus.PROCESSING), _time=watch)
    samples = Samples()
    assert View.of(run, samples).times == ""
    watch.start()
    now = 7.0
    assert View.of(run, samples).times == "7 s · usually 30 to 120 s"
    now = 40.0
    assert View.of(run, samples).times == "40 s"
    samples.add(10.0, 20.0)
    samples.add(40.0, 50.0)
    assert View.of(run, samples).times == "40 s · about 50 s left"
    now = 41.0
    watch.stop()
    now = 50.0
    run.phase = Phase.LEFT
    assert View.of(run, samples).times == "41 s so far"
    run.phase = Phase.ENDED
    assert View.of(run, samples).times == "41 s"
    watch.go_on()
    run.phase, run.tool, now = Phase.WATCHING, None, 3700.0
    assert View.of(run, Samples()).times == "1 h 2 min"


def test_a_remaining_time_needs_a_pace():
    """Two points, some percent and some seconds apart; otherwise it says nothing."""
    samples = Samples()
    assert samples.remaining(1.0) is None
    samples.add(None, 5.0)
    samples.add(1.0, None)
    samples.add(1.0, 10.0)
    assert samples.remaining(1.0) is None
    samples.add(2.0, 12.0)
    assert samples.remaining(2.0) is None
    samples.add(2.5, 90.0)
    assert samples.remaining(2.5) is None
    samples.add(5.0, 90.0)
    samples.add(11.0, 91.0)
    assert samples.remaining(None) is None
    assert samples.remaining(11.0) is None
    assert samples.remaining(99.0) is None


@given(steps=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), max_size=30), now=st.floats(0, 1e7))
def test_a_remaining_time_is_never_nonsense(steps, now):
    """Whatever the progress was: no time, or a positive one."""
    samples = Samples()
    for seconds, percent in steps:
        samples.add(seconds, percent)
    left = samples.remaining(now)
    assert left is None or left > 0.0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"prompt": "A sunset", "input": "x"}, "A sunset"),
        ({"prompt": "", "input": "Hello"}, "Hello"),
        ({"file": "https://x.example/media/A%20talk.mp3?signed=1"}, "A talk.mp3"),
        ({"file": "https://x.example"}, "https://x.example"),
        ({"file": "https://[x.example/a.mp3"}, "https://[x.example/a.mp3"),
        ({"file": "SUQz"}, "an uploaded file"),
        ({"image": "data:image/png;base64,AAAA"}, "an uploaded file"),
        ({"prompt": 5}, ""),
        ({}, ""),
    ],
)
def test_the_words_that_it_was_asked_for_with(params, words):
    """The prompt, the text, or the file's name; all of its address stands among the parameters, and base64 is not shown."""
    assert prompt_of(params) == words


@given(text=st.text(), length=st.integers(2, 50))
def test_a_shortened_text_is_one_short_line(text, length):
    """Never longer than asked, never more than one line, and whole where it fits."""
    line = shortened(text, length)
    assert len(line) <= length
    assert len(line.splitlines()) <= 1
    whole = " ".join(text.split())
    if len(whole) <= length and len(text) <= length * 8:
        assert line == whole


def test_labels_and_durations():
    """A tool that is newer than this package is shown as it is."""
    assert label_of(Tool.TTS) == "Speech"
    assert label_of("hologram") == "hologram"
    assert label_of(None) == "Job"
    assert [duration(seconds) for seconds in (0.4, 59.6, 3599.9)] == ["0 s", "1 min", "1 h"]
    assert icon("hologram") == icon("")


class Parsed(HTMLParser):
    """What a browser would make of some HTML: tags with the names of their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.values = [], "", {}
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values.update({(tag, name): value for name, value in attrs})

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.tags.append(("!--", ()))

    def handle_pi(self, data):
        self.tags.append(("?", ()))

    def handle_decl(self, decl):
        self.tags.append(("!", ()))


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "<script>",
                "<img src=x onerror=alert(1)>",
                *"\"'><& ",
                "&lt;",
                "</span>",
                "-->",
                "<!--",
                "{}",
                "{0}",
                "%s",
                "x",
            ]
        ),
        max_size=8,
    ).map("".join),
)


def plain_view(**more):
    values = {
        "tool": "video",
        "label": "x",
        "prompt": "x",
        "full_prompt": "x",
        "status": "x",
        "color": "good",
        "percent": 40.0,
        "moving": True,
        "times": "x",
        "shape": None,
        "done": False,
        "message": "x",
        "action": "cancel",
        "busy": False,
    }
    return View(**{**values, **more})


@given(words=HOSTILE)
def test_no_markup_from_outside_survives(words):
    """Wherever a string from outside stands, the HTML has the same tags as with a harmless one, and says those words."""
    hostile = dict.fromkeys(("label", "prompt", "full_prompt", "status", "times", "message", "tool"), words)
    view, harmless = plain_view(**hostile), plain_view(tool="")
    for show in (head, pill, figures, *([body] if words else [])):
        shown = Parsed(show(view))
        assert shown.tags == Parsed(show(harmless)).tags
    said = words.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    shown = Parsed(head(view))
    assert said in shown.text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if words:
        told = Parsed(message(words))
        assert told.tags == Parsed(message("x")).tags


def test_body_keeps_the_place_of_the_result_until_it_is_there():
    """A place of the requested shape for each result while it is made, and none for a job that has failed or is done."""
    images = {"tool": Tool.IMAGE, "params": {"prompt": "x", "n": 4, "size": "512x512"}}
    moving = str(body(View.of(run_in(Phase.WATCHING, job=job_in(JobStatus.PENDING), **images), Samples())))
    assert moving.count("aspect-ratio: 512 / 512") == 4
    assert "aspect-ratio: 9 / 16" in body(view_of(Phase.SUBMITTING, params={"aspect_ratio": "9:16"}))
    done = run_in(Phase.ENDED, job=DONE)
    assert "nk-empty" in body(View.of(done, Samples(), fetching=True))
    assert View.of(done, Samples()).done
    for ended in (DONE, FAILED, job_in(JobStatus.CANCELLED)):
        assert body(view_of(Phase.ENDED, job=ended)) == ""


def test_view_while_the_result_is_fetched_has_no_message():
    """A message that comes and goes would make the card jump."""
    view = View.of(run_in(Phase.ENDED, job=DONE), Samples(), note="Fetching the result.", fetching=True)
    assert (view.times, view.message) == ("Fetching the result.", "")


@pytest.mark.parametrize(
    ("tool", "params", "shape"),
    [
        (None, {}, Shape("picture", 16, 9, 1)),
        (Tool.VIDEO, {}, Shape("picture", 16, 9, 1)),
        (Tool.VIDEO, {"aspect_ratio": "1:1"}, Shape("picture", 1, 1, 1)),
        (Tool.VIDEO, {"aspect_ratio": "0:1"}, Shape("picture", 16, 9, 1)),
        (Tool.VIDEO, {"aspect_ratio": "wide; color: red"}, Shape("picture", 16, 9, 1)),
        (Tool.IMAGE, {"size": "1536x1024", "n": 2}, Shape("picture", 1536, 1024, 2)),
        (Tool.IMAGE, {"n": 10**9}, Shape("picture", 1024, 1024, 10)),
        (Tool.IMAGE, {"n": "many"}, Shape("picture", 1024, 1024, 1)),
        (Tool.TTS, {}, Shape("sound")),
        (Tool.STT, {}, Shape("text")),
    ],
)
def test_shape_of_parameters_is_what_was_requested(tool, params, shape):
    """The requested shape, else the documented default, else 16:9; nothing else gets into the style."""
    assert shape_of(tool, params) == shape


def test_the_prompt_is_in_the_tooltip_too():
    """Whole, where the line shows it shortened."""
    view = View.of(run_in(Phase.NEW, params={"prompt": '"><script>' + "x" * 500}), Samples())
    shown = Parsed(head(view))
    assert shown.values["span", "title"].startswith('"><script>')
    assert len(shown.values["span", "title"]) > 500
    assert "script" not in [tag for tag, _ in shown.tags]


def test_a_bar_for_those_who_do_not_see_it():
    """Percent and times as text, and no value where it is unknown."""
    known = Parsed(figures(plain_view(percent=40.4, times="7 s")))
    assert known.values["span", "aria-valuenow"] == "40"
    assert known.text.strip() == "40 % · 7 s"
    assert known.values["span", "aria-valuetext"] == "40 % · 7 s"
    left = Parsed(figures(plain_view(percent=40.4, times="7 s · about 9 s left")))
    assert left.text == "40 % · 7 s about 9 s left"
    assert left.values["span", "aria-valuetext"] == "40 % · 7 s · about 9 s left"
    unknown = Parsed(figures(plain_view(percent=None, times="")))
    assert ("span", "aria-valuenow") not in unknown.values
    assert unknown.values["span", "aria-valuetext"] == "x"
    assert unknown.text.strip() == ""  # the status is shown already
    assert message("") == ""
