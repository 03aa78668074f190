"""A recording instead of the service: the same results, in the recorded order, without a network."""

import json
import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from recordings import bytes_of

import novakit_widgets as nk
from novakit_widgets import settings
from novakit_widgets.errors import APIError, ConfigurationError, NovaKitError
from novakit_widgets.lessons import lesson as lessons
from novakit_widgets.lessons.contents import RecordedJob, Refused, Sample
from novakit_widgets.lessons.matching import Addresses
from novakit_widgets.lessons.script import LessonScript
from novakit_widgets.model.job import JobStatus
from novakit_widgets.model.tools import Tool
from novakit_widgets.sandbox.script import Part
from novakit_widgets.sandbox.slices import wanted

FILE = "https://example.org/x.mp3"


def written(folder, *jobs):
    """Write a recording of jobs without media."""
    path = folder / "made.novakit"
    lessons.save(path, jobs, {})
    return path


def told(text, **changes):
    """Return a recorded transcription."""
    values = {"status": JobStatus.COMPLETED, "seconds": 1.0, "text": text, **changes}
    return RecordedJob(tool=Tool.STT, params=Addresses().without({"file": FILE}), **values)


def test_replay_results_byte_for_byte(lesson):
    """The cells of the lesson get the recorded jobs, an edit of a recorded picture included."""
    path, jobs, first = lesson
    running = nk.replay(path, speed=100)
    picture = nk.image("A lighthouse").wait()
    edited = nk.edit_image(prompt="In winter", image=picture.media[0].url).wait()
    spoken = nk.speech("Hello there").wait()
    with pytest.raises(nk.JobFailedError, match="could not generate a result"):
        nk.video("fail please").wait()
    again = [picture, edited, spoken]
    assert [bytes_of(job) for job in again] == first
    assert [job.id for job in again] == [job.id for job in jobs]
    assert [(job.model, job.actual_credits) for job in again] == [(job.model, job.actual_credits) for job in jobs]
    assert [[(media.kind, media.width, media.seconds) for media in job.media] for job in again] == [
        [(media.kind, media.width, media.seconds) for media in job.media] for job in jobs
    ]
    assert running.unrecorded == ()
    assert repr(running).startswith("Replaying lesson.novakit (4 calls, 100x speed)")
    assert running.api_key not in repr(running)


def test_replay_defaults_and_order_of_parameters_match(lesson):
    """A documented default equals an omitted parameter."""
    nk.replay(lesson[0], speed=100)
    assert nk.image("A lighthouse", size="1024x1024", n=1).wait().ended


def test_replay_equal_calls_in_order_then_the_last(tmp_path):
    """The recorded results come one after another; the last one again, under a new id."""
    nk.replay(written(tmp_path, told("one", id="job_1"), told("two", id="job_2")), speed=100)
    found = [nk.transcribe(FILE).wait() for _ in range(4)]
    assert [job.text for job in found] == ["one", "two", "two", "two"]
    assert [job.id for job in found[:2]] == ["job_1", "job_2"]
    assert len({job.id for job in found}) == 4


def test_replay_again_begins_anew(tmp_path):
    """The same file and options: the same server, from the first result on; a changed file is opened again."""
    path = written(tmp_path, told("one"), told("two"))
    first = nk.replay(path, speed=100)
    assert nk.transcribe(FILE).wait().text == "one"
    assert nk.replay(path, speed=100) is first
    assert nk.transcribe(FILE).wait().text == "one"
    written(tmp_path, told("three"))
    assert nk.replay(path, speed=100) is not first
    assert nk.transcribe(FILE).wait().text == "three"


def test_replay_other_call_refused_with_the_difference(lesson):
    """Before anything else: the nearest recorded call and the parameter that differs."""
    running = nk.replay(lesson[0], speed=100)
    with pytest.raises(APIError) as caught:
        nk.image("A lighthouse at night").wait()
    assert "lesson.novakit" in caught.value.message
    assert "prompt is 'A lighthouse at night', recorded is 'A lighthouse'" in caught.value.message
    assert "Nothing was started or billed" in caught.value.message
    with pytest.raises(APIError, match="n is 2, recorded is not set"):
        nk.image("A lighthouse", n=2).wait()
    with pytest.raises(APIError, match="has no music job; it has image, image_edit, tts, video"):
        nk.music("x").wait()
    with pytest.raises(APIError, match="image is another address"):
        nk.edit_image(prompt="In winter", image="https://example.org/a.png").wait()
    assert len(running.unrecorded) == 4


def test_replay_long_prompts_shown_where_they_differ(tmp_path):
    """Of a long text the message shows the part that differs."""
    before = "word " * 100 + "sunset " + "end " * 50
    script = LessonScript(lessons.read(written(tmp_path, RecordedJob(tool=Tool.IMAGE, params={"prompt": before}))))
    refusal = script.next(Tool.IMAGE, {"prompt": before.replace("sunset", "sunrise")})
    assert "sunrise end" in refusal.body["error"]
    assert len(refusal.body["error"]) < 400


def test_replay_missing_made_by_the_sandbox(lesson):
    """Other calls get a job of the sandbox, also an edit of a recorded picture."""
    running = nk.replay(lesson[0], speed=1000, missing="sandbox")
    recorded = nk.image("A lighthouse")
    picture = recorded.wait()
    card = nk.edit_image(prompt="At night", image=picture.media[0].url)
    made = card.wait()
    assert made.media
    assert "Generated by the sandbox" in card._run.remarks
    assert "Generated by the sandbox" not in recorded._run.remarks
    assert bytes_of(made)[0].startswith(b"\x89PNG")
    assert len(running.unrecorded) == 1


def test_replay_refusals(tmp_path):
    """A refused call is refused again, with its figures."""
    refused = Refused(402, "Quota exceeded: image_generations", figures={"generations_needed": 2})
    nk.replay(written(tmp_path, RecordedJob(tool=Tool.IMAGE, params={"prompt": "x"}, refused=refused)), speed=100)
    with pytest.raises(nk.QuotaExceededError, match="generations needed: 2") as caught:
        nk.image("x").wait()
    assert caught.value.response["error"] == "Quota exceeded: image_generations"


def test_replay_result_without_a_job(tmp_path):
    """What the service answered at once is answered at once."""
    nk.replay(written(tmp_path, told("one", at_once=True)), speed=100)
    job = nk.transcribe(FILE).wait()
    assert (job.id, job.text) == (None, "one")


def test_replay_pace(tmp_path):
    """The recorded duration, divided by the speed; the progress that was told at each share of it."""
    answers = (
        Sample(0.0, JobStatus.PENDING, None),
        Sample(3.0, JobStatus.PROCESSING, 10.0),
        Sample(15.0, JobStatus.PROCESSING, 60.0),
    )
    path = written(tmp_path, told("one", seconds=30.0, answers=answers))
    part = LessonScript(lessons.read(path), speed=10).next(Tool.STT, {"file": FILE})
    assert isinstance(part, Part)
    assert part.seconds == 30.0
    shares = (0.0, 0.05, 0.1, 0.49, 0.5, 0.99)
    assert [part.at(share)[1] for share in shares] == [None, None, 10.0, 10.0, 60.0, 60.0]
    assert part.at(0.2)[0] == "processing"
    nk.replay(path, speed=100)
    began = time.monotonic()
    assert nk.transcribe(FILE).wait().text == "one"
    assert time.monotonic() - began >= 0.3


def test_replay_job_that_was_still_running(tmp_path):
    """Whoever waits for it gets an error that says why, not a wait without an end."""
    nk.replay(written(tmp_path, told(None, status=None)), speed=100)
    with pytest.raises(nk.JobFailedError, match="recording ended before"):
        nk.transcribe(FILE).wait()


def test_replay_cancelled_job_waits_for_its_cancellation(tmp_path):
    """A notebook that cancels a job can do so at any speed."""
    running = nk.replay(written(tmp_path, told(None, status=JobStatus.CANCELLED, id="job_1")), speed=1000)
    with httpx.Client(base_url=running.base_url, headers={"Authorization": f"Bearer {running.api_key}"}) as http:
        answer = http.post("audio/transcriptions?async=true", json={"file": FILE}).json()
        assert answer["id"] == "job_1"
        assert http.delete("jobs/job_1").json() == {"success": True}
        assert http.get("jobs/job_1?poll=true").json()["status"] == "cancelled"


def test_replay_attach_to_a_recorded_job(lesson):
    """A recorded id can be attached without its submission."""
    path, jobs, first = lesson
    nk.replay(path)
    job = nk.attach(jobs[0].id).wait()
    assert bytes_of(job) == first[0]
    with pytest.raises(nk.NotFoundError):
        nk.attach("job_unknown").wait()


def test_replay_ranges(lesson):
    """A player can seek: parts of a medium are read where they are in the file."""
    nk.replay(lesson[0], speed=100)
    job = nk.speech("Hello there").wait()
    url, whole = job.media[0].url, lesson[2][2][0]
    with httpx.Client() as http:
        assert http.get(url).content == whole
        part = http.get(url, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
        assert http.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
        head = http.head(url)
        assert (head.headers["content-length"], head.content) == (str(len(whole)), b"")
        assert head.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-", (0, 9)),
        ("bytes=0-100", (0, 9)),
        ("bytes=-100", (0, 9)),
        ("bytes=-0", None),
        ("bytes=5-4", None),
        ("x", (0, 9)),
    ],
)
def test_wanted_ranges(header, span):
    """Ranges as RFC 9110 has them; what is no range is the whole file."""
    assert wanted(header, 10) == span


def test_replay_damaged_media_fails_the_job(lesson):
    """The bytes of a result are compared with their digest when they are used."""
    path = lesson[0]
    found = lessons.read(path)
    entry = found.media[found.jobs[0].media[0].sha256]
    with path.open("r+b") as file:
        file.seek(entry.offset + entry.size - 5)
        file.write(b"wrong")
    nk.replay(path, speed=100)
    with pytest.raises(nk.JobFailedError, match="damaged"):
        nk.image("A lighthouse").wait()


def test_replay_settings_return(lesson):
    """Stopping it restores what was configured."""
    settings.configure(speed=7.0)
    running = nk.replay(lesson[0], speed=3)
    assert settings.base_url().value == running.base_url
    assert settings.speed().value == 3.0
    running.stop()
    assert settings.speed().value == 7.0
    assert settings.base_url().source == "default"


@pytest.mark.parametrize(
    "options",
    [{"missing": "maybe"}, {"speed": 0}, {"speed": "fast"}, {"speed": float("inf")}, {"speed": True}],
    ids=str,
)
def test_replay_options_checked(lesson, options):
    """An option that is not valid is named."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        nk.replay(lesson[0], **options)


def test_replay_no_file(tmp_path):
    """A file that is not there."""
    with pytest.raises(NovaKitError, match=r"There is no recording .*lesson\.novakit"):
        nk.replay(tmp_path / "lesson.novakit")


async def test_replay_awaited_on_own_loop(tmp_path):
    """`await` works as with the service."""
    nk.replay(written(tmp_path, told("one")), speed=100)
    assert (await nk.transcribe(FILE)).text == "one"


# A student's notebook as a script, in which only this machine can be reached.
STUDENT = """
import asyncio, hashlib, json, socket, sys
connect, look_up = socket.socket.connect, socket.getaddrinfo

def guarded(sock, address):
    assert sock.family == socket.AF_UNIX or address[0] == "127.0.0.1", address
    return connect(sock, address)

def guarded_look_up(host, *rest, **named):
    assert host in ("127.0.0.1", None), host
    return look_up(host, *rest, **named)

socket.socket.connect, socket.getaddrinfo = guarded, guarded_look_up
socket.socket.connect_ex = None
import novakit_widgets as nk
from novakit_widgets.api import downloads

async def lesson():
    picture = await nk.image("A lighthouse")
    edited = await nk.edit_image(prompt="In winter", image=picture.media[0].url)
    return [picture, edited]

CELLS
jobs = asyncio.run(lesson())
jobs += nk.batch("image", ["one", "two"]).wait()
jobs += nk.sweep("tts", input=["a", "b"], confirm=False).wait()
jobs.append(nk.speech("Hello there").wait())

async def fetch(url):
    return (await downloads.fetch(nk.NovaKitClient(), url, limit=10**8))[0]

print(json.dumps([hashlib.sha256(asyncio.run(fetch(media.url))).hexdigest() for job in jobs for media in job.media]))
"""


def student(folder, cells):
    """Run the notebook, and return the digests of its media."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOVAKIT_")}
    environment["NOVAKIT_HISTORY"] = str(folder / "history.sqlite3")
    command = [sys.executable, "-W", "error", "-c", STUDENT.replace("CELLS", cells)]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_replay_two_students_without_network(tmp_path):
    """One file on a share that can't be written, two processes at a time, ten times as fast: await, wait, batch and sweep."""
    share = tmp_path / "share"
    share.mkdir()
    path = share / "lesson.novakit"
    first = student(tmp_path / "teacher", f"nk.use_sandbox(speed=200); recording = nk.record({str(path)!r})")
    assert len(first) == 7
    assert [found.name for found in share.iterdir()] == ["lesson.novakit"]
    path.chmod(stat.S_IRUSR)
    share.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with ThreadPoolExecutor(2) as both:
            cells = f"nk.replay({str(path)!r}, speed=10)"
            found = list(both.map(lambda name: student(tmp_path / name, cells), ("anna", "ben")))
    finally:
        share.chmod(stat.S_IRWXU)
    assert found == [first, first]
