"""Jobs, statuses and tools: what the service says, read with patience."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import JOB_FIELDS, JSON, RESULTS

from novakit_widgets.errors import InvalidParameterError, UnreadableAnswerError
from novakit_widgets.model.job import Job, JobStatus, is_job_id
from novakit_widgets.model.tools import Tool

DATES = st.sampled_from(
    ["2025-01-01T00:00:00Z", "2025-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.9999999-23:59"]
)
DOCUMENTED = {
    "id": "job_abc123",
    "orgId": "org_1",
    "userId": "user_1",
    "tool": "video",
    "status": "completed",
    "progress": 100,
    "inputParams": {"prompt": "A sunset"},
    "outputData": {"video": {"url": "https://cdn.example/a.mp4"}},
    "estimatedCredits": 12,
    "actualCredits": 10,
    "createdAt": "2025-06-01T10:00:00.000Z",
    "completedAt": "2025-06-01T10:01:30.500Z",
    "model": "fal-ai/minimax/video-01",
    "modelTier": "standard",
}


def test_a_documented_job_is_read_whole():
    """Every documented field has its place, and the whole answer is kept."""
    job = Job.from_json(DOCUMENTED)
    assert (job.id, job.status, job.progress, job.tool) == ("job_abc123", JobStatus.COMPLETED, 100.0, "video")
    assert job.params == {"prompt": "A sunset"}
    assert [media.url for media in job.media] == ["https://cdn.example/a.mp4"]
    assert job.created_at == datetime(2025, 6, 1, 10, tzinfo=timezone.utc)
    assert job.seconds == 90.5
    assert (job.estimated_credits, job.actual_credits, job.error) == (12.0, 10.0, None)
    assert job.raw["modelTier"] == "standard"
    assert job.ended


@given(body=JSON)
def test_no_json_is_worse_than_unreadable(body):
    """Whatever the service sends is a job or an UnreadableAnswerError."""
    try:
        job = Job.from_json(body)
    except UnreadableAnswerError:
        return
    assert job.id


@given(body=st.fixed_dictionaries({}, optional={**dict.fromkeys(JOB_FIELDS, JSON | DATES), "outputData": RESULTS}))
def test_one_odd_field_never_fails_a_job(body):
    """With an id and a status that are text there is a job, and all it derives can be read."""
    body = {**body, "id": "job_1", "status": body.get("status") if isinstance(body.get("status"), str) else "pending"}
    if not body["status"]:
        return
    job = Job.from_json(body)
    assert job.id == "job_1"
    assert job.progress is None or 0.0 <= job.progress <= 100.0
    assert job.seconds is None or job.seconds >= 0.0
    assert isinstance(job.media, tuple)
    assert job.text is None or isinstance(job.text, str)
    assert repr(job).startswith("<Job job_1")
    assert job.advanced(job) == job


HALF = "cut \ud83d"  # half an emoji: JavaScript cuts texts between the two


def test_half_a_character_can_be_written():
    """No page and no file can hold it, so it is replaced in all words; parameters stay as they are, by which a job is found."""
    told = {"status": HALF, "tool": HALF, "model": HALF, "errorMessage": HALF, "inputParams": {"prompt": HALF}}
    job = Job.from_json({"id": "job_1", **told, "outputData": {"text": HALF}})
    assert {job.status, job.tool, job.model, job.error, job.text} == {"cut \ufffd"}
    assert job.params == {"prompt": HALF}
    pictures = {"images": [{"url": "https://cdn.example/a.png", "revised_prompt": HALF}]}
    assert Job.from_json({**DOCUMENTED, "outputData": pictures}).media[0].caption == "cut \ufffd"


def test_an_id_with_half_a_character_is_none():
    """What it was can't be told of it, and another job must not be asked for in its place."""
    job = Job.from_json({"id": "job_\ud83d", "status": "completed"})
    job.id.encode()
    assert not is_job_id(job.id)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "list"),
        (None, "NoneType"),
        ({"status": "pending"}, "no id"),
        ({"id": "", "status": "pending"}, "no id"),
        ({"id": 5, "status": "pending"}, "no id"),
        ({"id": "job_1"}, "no status"),
        ({"id": "job_1", "status": None}, "no status"),
    ],
)
def test_without_id_or_status_it_is_no_job(body, told):
    """The error says what is missing."""
    with pytest.raises(UnreadableAnswerError, match=told):
        Job.from_json(body)


@pytest.mark.parametrize(
    ("said", "status", "ended"),
    [
        ("PENDING", JobStatus.PENDING, False),
        ("processing", JobStatus.PROCESSING, False),
        ("Completed", JobStatus.COMPLETED, True),
        ("failed", JobStatus.FAILED, True),
        ("cancelled", JobStatus.CANCELLED, True),
        ("queued_somewhere", "queued_somewhere", False),
    ],
)
def test_each_status(said, status, ended):
    """The five are known in any case of letters; an unknown one is kept as it is and counts as running."""
    job = Job.from_json({"id": "job_1", "status": said})
    assert job.status == status
    assert job.ended is ended


@pytest.mark.parametrize(
    ("said", "read"),
    [(-5, 0.0), (250, 100.0), ("40", 40.0), ("40 %", None), (True, None), (float("nan"), None), (10**400, None)],
)
def test_progress_is_percent_or_unknown(said, read):
    """What is out of range is brought into it, and what is no number is unknown."""
    assert Job.from_json({"id": "job_1", "status": "processing", "progress": said}).progress == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2025-06-01T10:00:00Z", datetime(2025, 6, 1, 10, tzinfo=timezone.utc)),
        ("2025-06-01T10:00:00.1234567Z", datetime(2025, 6, 1, 10, 0, 0, 123456, tzinfo=timezone.utc)),
        ("2025-06-01T10:00:00.5", datetime(2025, 6, 1, 10, 0, 0, 500000, tzinfo=timezone.utc)),
        ("2025-06-01T12:00:00+02:00", datetime(2025, 6, 1, 10, tzinfo=timezone.utc)),
        (0, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        (1e30, None),
        ("yesterday", None),
        (True, None),
    ],
)
def test_times_have_a_zone(said, read):
    """ISO 8601 with or without fraction and zone, or unix seconds; all of them aware of their zone."""
    assert Job.from_json({"id": "job_1", "status": "pending", "createdAt": said}).created_at == read


def test_a_job_that_ended_before_it_began_took_no_time():
    """Clocks of a service that disagree make no negative durations."""
    job = Job.from_json({**DOCUMENTED, "completedAt": "2025-06-01T09:00:00Z"})
    assert job.seconds == 0.0
    assert Job.from_json({**DOCUMENTED, "completedAt": None}).seconds is None


STATUSES = st.sampled_from([*JobStatus, "queued_somewhere"])
ANSWERS = st.builds(
    Job,
    st.just("job_1"),
    STATUSES,
    progress=st.none() | st.floats(0, 100),
    model=st.none() | st.just("m"),
    error=st.none() | st.just("e"),
)


@given(answers=st.lists(ANSWERS, min_size=2, max_size=8))
def test_a_job_never_goes_back(answers):
    """In whatever order answers arrive: the first final status stays, and progress never falls."""
    job = answers[0]
    ended = job.status if job.ended else None
    for answer in answers[1:]:
        before, job = job, job.advanced(answer)
        if ended is not None:
            assert job.status == ended
        elif job.ended:
            ended = job.status
        elif before.progress is not None:
            assert job.progress is not None
            assert job.progress >= before.progress
        if before.status == JobStatus.PROCESSING:
            assert job.status != JobStatus.PENDING
        assert job.model == (before.model or job.model)


def test_the_repr_is_one_line():
    """Percent while it runs, media when it is done, never the prompt."""
    running = Job("job_1", JobStatus.PROCESSING, progress=40.0, tool="video", params={"prompt": "private"})
    assert repr(running) == "<Job job_1 video processing 40 %>"
    assert repr(Job.from_json(DOCUMENTED)) == "<Job job_abc123 video completed 1 media>"
    assert "without id" in repr(Job(None, JobStatus.COMPLETED))


def test_a_result_at_once_is_a_finished_job():
    """A generation answered without a job is one without an id, with the time the service gave."""
    body = {"created": 1_700_000_000, "data": [{"url": "https://cdn.example/a.png"}], "model": "fal-ai/flux/dev"}
    job = Job.from_result(Tool.IMAGE, {"prompt": "x"}, body)
    assert (job.id, job.status, job.tool, job.model) == (None, JobStatus.COMPLETED, "image", "fal-ai/flux/dev")
    assert job.completed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert len(job.media) == 1
    assert Job.from_result(Tool.STT, {}, {"text": "Hello", "created": "soon"}).text == "Hello"


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("video", Tool.VIDEO),
        ("/videos/generations/", Tool.VIDEO),
        ("SPEECH", Tool.TTS),
        ("transcribe", Tool.STT),
        ("edit_image", Tool.IMAGE_EDIT),
        ("image_edit", Tool.IMAGE_EDIT),
        (Tool.MUSIC, Tool.MUSIC),
    ],
)
def test_a_tool_has_several_names(name, tool):
    """A tool is found by its name, its endpoint, or its short form."""
    assert Tool.of(name) is tool


@pytest.mark.parametrize("name", ["", "videos", "chat/completions", "video generations", 5, None])
def test_no_such_tool(name):
    """The error names those that there are."""
    with pytest.raises(InvalidParameterError, match="videos/generations") as caught:
        Tool.of(name)
    assert caught.value.parameter == "tool"


def test_tools_and_statuses_read_as_the_service_writes_them():
    """They are text, in format strings too."""
    assert f"{Tool.VIDEO} {JobStatus.PENDING}" == "video pending"
    assert Tool.known("video") is Tool.VIDEO
    assert Tool.known("hologram") is None
    assert Tool.known(None) is None
    assert Tool.VIDEO.timeout == 300.0
    assert Tool.MUSIC.timeout == 180.0


def test_a_snapshot_is_immutable():
    """Neither its fields nor its parameters can be changed."""
    job = Job.from_json(DOCUMENTED)
    with pytest.raises(AttributeError):
        job.status = JobStatus.FAILED
    with pytest.raises(TypeError):
        job.params["prompt"] = "another"
    assert job == Job.from_json({**DOCUMENTED, "extra": 1})
    assert timedelta(seconds=job.seconds) == job.completed_at - job.created_at


def test_jobs_can_be_in_a_set():
    """Equal ones are one there, and those that differ in what can't be hashed are two."""
    read, again = Job.from_json(DOCUMENTED), Job.from_json({**DOCUMENTED, "orgId": "org_2"})
    other = Job.from_json({**DOCUMENTED, "inputParams": {"prompt": ["another"]}})
    assert {read, again, other} == {read, other}
    assert len({read, again, other}) == 2
    assert {read: "first"}[again] == "first"
    assert hash(Job("job_1", "completed")) == hash(Job("job_1", JobStatus.COMPLETED))


def test_a_job_can_be_pickled_and_copied():
    """A snapshot goes to another process, or into a cache, and comes back equal."""
    job = Job.from_json(
        {"id": "job_1", "status": "completed", "inputParams": {"prompt": "x"}, "outputData": {"a": [1]}}
    )
    for copied in (pickle.loads(pickle.dumps(job)), copy.deepcopy(job)):
        assert copied == job
        assert copied.raw == job.raw
        with pytest.raises(TypeError):
            copied.params["prompt"] = "y"
