"""What a recording keeps, and what it never does."""

import json
import os
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import httpx
import pytest

import novakit_widgets as nk
from novakit_widgets import NovaKitClient
from novakit_widgets.lessons import archive
from novakit_widgets.lessons import lesson as lessons
from novakit_widgets.lessons.partial import Partial, recover
from novakit_widgets.sandbox import Fault

KEY = "sk_" + "c0ffee" * 10 + "beef"
CANARY = "canary-7f3a"


def test_record_keeps_calls_in_order(lesson):
    """Calls, progress, outcomes and media are there; the address of a recorded medium is its digest."""
    path, jobs, first = lesson
    found = lessons.read(path)
    assert [str(job.tool) for job in found.jobs] == ["image", "image_edit", "tts", "video"]
    assert [job.status for job in found.jobs] == ["completed", "completed", "completed", "failed"]
    assert [job.id for job in found.jobs[:3]] == [job.id for job in jobs]
    assert found.jobs[1].params["image"] == f"media:sha256:{found.jobs[0].media[0].sha256}"
    assert found.jobs[3].error == "The model could not generate a result for this prompt."
    assert found.jobs[0].answers[0].status == "pending"
    for recorded, content in zip(found.jobs, first, strict=False):
        entry = found.check(recorded.media[0])
        assert entry.size == len(content[0])
    assert [each.name for each in path.parent.iterdir() if each.name.startswith("lesson")] == [path.name]


def served(**changes):
    """A service whose answers are full of what a recording must not hold."""
    job = {
        "id": "job_1",
        "orgId": f"org-{CANARY}",
        "userId": f"user-{CANARY}",
        "tool": "image",
        "inputParams": {"prompt": "A boat", "token": CANARY, "image": f"https://{CANARY}.example/in.png"},
        "createdAt": "2026-11-28T12:00:00Z",
        "completedAt": "2026-11-28T12:00:09Z",
        "email": f"{CANARY}@example.org",
        **changes,
    }

    def answer(request):
        if request.url.host == f"{CANARY}.example":
            return httpx.Response(200, content=b"\x89PNG\r\n\x1a\n" + b"0" * 99, headers={"x-host": CANARY})
        if request.method == "POST":
            return httpx.Response(200, json={**job, "status": "pending", "completedAt": None})
        return httpx.Response(200, json=job)

    return NovaKitClient(KEY, f"https://api.{CANARY}.example/api/v1", transport=httpx.MockTransport(answer))


def told(path):
    """Return all bytes of a recording, and of whatever is beside it."""
    return b"".join(
        file.read_bytes() for file in path.parent.rglob("*") if file.is_file() and "history" not in file.name
    )


@pytest.mark.parametrize("status", ["completed", "failed", "attached"])
def test_record_holds_no_key_address_or_person(tmp_path, status):
    """Neither in the file nor in the folder of a recording that is being made."""
    message = f"{KEY} of org-{CANARY} (user-{CANARY}) at https://{CANARY}.example/x?token={CANARY} was refused"
    output = {
        "images": [
            {"url": f"https://{CANARY}.example/media/1.png?sig={CANARY}", "revised_prompt": message, "secret": CANARY}
        ]
    }
    client = served(
        status="failed" if status == "failed" else "completed",
        outputData=output if status != "failed" else None,
        errorMessage=message,
    )
    path = tmp_path / "made" / "lesson.novakit"
    recording = nk.record(path)
    if status == "attached":
        nk.attach("job_1", client=client).wait()
    elif status == "completed":
        job = nk.image(f"A boat {KEY}", client=client).wait()
        for address in (job.media[0].url, f"https://{CANARY}.example/other.png"):
            nk.edit_image(prompt=f"Like {job.media[0].url}", image=address, client=client).wait()
    else:
        with pytest.raises(nk.JobFailedError):
            nk.image(f"A boat {KEY}", client=client).wait()
    before = told(path)
    recording.stop()
    for content in (before, told(path)):
        assert b"A boat" in content
        assert CANARY.encode() not in content
        assert KEY.encode() not in content
        assert b"orgId" not in content
        assert b"userId" not in content


def test_record_refusals(tmp_path, serve):
    """A 402 is kept with its figures; a 429 that was followed by a success is not."""
    poor = serve(quotas={"image_generations": 1, "credits": 2000})
    client = NovaKitClient(poor.api_key, poor.base_url)
    poor.inject(Fault.status(429, retry_after=0), method="POST")
    path = tmp_path / "lesson.novakit"
    with nk.record(path):
        nk.image("One", client=client).wait()
        with pytest.raises(nk.QuotaExceededError):
            nk.image("Two", client=client).wait()
    found = lessons.read(path).jobs
    assert [(job.params["prompt"], job.refused and job.refused.status) for job in found] == [
        ("One", None),
        ("Two", 402),
    ]
    assert found[1].refused.figures["generations_needed"] == 1


def test_record_again_goes_on(tmp_path, source):
    """The same file is the same recording until it ends."""
    first = nk.record(tmp_path / "lesson.novakit")
    assert nk.record(tmp_path / "lesson.novakit") is first
    assert "0 jobs so far" in repr(first)
    nk.image("x", client=source).wait()
    assert first.stop() == tmp_path / "lesson.novakit"
    assert first.stop() == tmp_path / "lesson.novakit"
    assert "Recorded 1 job in" in repr(first)
    assert nk.record(tmp_path / "lesson.novakit") is not first


async def test_record_async(tmp_path, sandbox):
    """`async with` and `aclose`, on the test's own loop; jobs that run are waited for."""
    async with NovaKitClient(sandbox.api_key, sandbox.base_url) as client:
        recording = nk.record(tmp_path / "lesson.novakit")
        nk.image("x", client=client)
        card = nk.image("y", client=client)
        await card
        await recording.aclose(wait=30)
    assert {job.status for job in lessons.read(tmp_path / "lesson.novakit").jobs} == {"completed"}


def test_record_sync_answers(tmp_path, serve):
    """A result without a job is kept too."""
    at_once = serve(sync_tools=("tts", "stt"))
    client = NovaKitClient(at_once.api_key, at_once.base_url)
    with nk.record(tmp_path / "lesson.novakit"):
        spoken = nk.speech("Hello", client=client).wait()
        words = nk.transcribe(spoken.media[0].url, client=client).wait()
    one, two = lessons.read(tmp_path / "lesson.novakit").jobs
    assert one.at_once
    assert one.id is None
    assert two.text == words.text
    assert two.params["file"] == f"media:sha256:{one.media[0].sha256}"


SCRIPT = """
import os, signal, sys
import novakit_widgets as nk
link = nk.use_sandbox(speed=1000, media="canned")
recording = nk.record(sys.argv[1])
job = nk.image("x").wait()
from novakit_widgets.runtime.loop import run_blocking
run_blocking(recording._recorder.fetched)
recording._recorder._disk.submit(lambda: None).result()
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(
    not hasattr(signal, "SIGKILL") or not Path("/proc/self/stat").exists(), reason="tells processes apart by /proc"
)
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_record_process_ends_nothing_lost(tmp_path, end):
    """A process that is killed leaves a folder, of which the next one makes the recording; one that ends makes the file."""
    path = tmp_path / "lesson.novakit"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), end], capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == (-signal.SIGKILL if end == "kill" else 0), ended.stderr
    assert path.exists() == (end == "exit")
    if end == "kill":
        assert nk.replay(path).jobs == 1
    found = lessons.read(path)
    found.check(found.jobs[0].media[0])
    assert found.jobs[0].status == "completed"
    assert [each for each in tmp_path.iterdir() if ".part-" in each.name] == []


def test_recover_beside_an_existing_file(tmp_path, lesson, monkeypatch):
    """What was cut off does not replace a file."""
    path, _, _ = lesson
    before = path.read_bytes()
    partial = Partial(path)
    partial.job(0, lessons.read(path).jobs[3])
    with (partial.folder / "log.jsonl").open("ab") as file:
        file.write(b'{"n": 1, "job": {"tool": "im')
    assert recover(path) == []  # this process lives
    log = partial.folder / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(str(os.getpid()).encode(), b"999999999", 1))
    with pytest.warns(UserWarning, match="lesson-recovered-1.novakit"):
        nk.record(path)
    assert path.read_bytes() == before
    assert [job.status for job in lessons.read(path.with_name("lesson-recovered-1.novakit")).jobs] == ["failed"]


def test_record_full_disk_can_be_stopped_again(tmp_path, source, monkeypatch):
    """An error while writing keeps what was recorded, and `stop` works once there is room."""
    recording = nk.record(tmp_path / "lesson.novakit")
    nk.image("x", client=source).wait()
    with monkeypatch.context() as full:
        full.setattr(archive.os, "fsync", no_room)
        with pytest.raises(OSError, match="No space"):
            recording.stop()
    assert not (tmp_path / "lesson.novakit").exists()
    assert len(lessons.read(recording.stop()).jobs) == 1


def no_room(_file):
    """Fail as a full disk does."""
    raise OSError(28, "No space left on device")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_record_forked_child_leaves_it_alone(tmp_path):
    """A child that ends in order neither packs nor removes what its parent records."""
    code = """
import os, sys
import novakit_widgets as nk
recording = nk.record(sys.argv[1])
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert recording._recorder.partial.folder.is_dir()
    assert not os.path.exists(sys.argv[1])
"""
    path = tmp_path / "lesson.novakit"
    command = [sys.executable, "-W", "error", "-c", code, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert lessons.read(path).jobs == ()


def test_record_media_that_can_not_be_fetched(tmp_path, serve):
    """The job is kept, the recording says what it lacks, and the replay's job fails with the reason."""
    sandbox = serve()
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    sandbox.inject(Fault.status(404), path="/media/*", times=None)
    path = tmp_path / "lesson.novakit"
    recording = nk.record(path)
    nk.image("x", client=client).wait()
    with pytest.warns(UserWarning, match="lacks 1 results"):
        recording.stop()
    nk.replay(path, speed=100)
    with pytest.raises(nk.JobFailedError, match="could not be fetched when it was recorded"):
        nk.image("x").wait()


def test_file_is_a_plain_zip(lesson):
    """Any zip program reads it."""
    with zipfile.ZipFile(lesson[0]) as archive, warnings.catch_warnings():
        assert archive.testzip() is None
        assert json.loads(archive.read("manifest.json"))["version"] == 1
