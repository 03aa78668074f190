"""The past jobs on the page: a sequence, a table, and what can be done from there."""

from __future__ import annotations

import asyncio
import threading
from html import unescape
from pathlib import Path

import pytest
from loops import owning
from runs import until

import novakit_widgets
from novakit_widgets import (
    ConfigurationError,
    InvalidParameterError,
    Job,
    JobStatus,
    Sandbox,
    Tool,
    configure,
    image,
    speech,
)
from novakit_widgets.api.uploads import said
from novakit_widgets.job_history import queries
from novakit_widgets.job_history.jobs import JobHistory, default_history
from novakit_widgets.notebook.recover import Recovery
from novakit_widgets.widgets.history.widget import HistoryView, history

URL = "https://x.example/api/v1"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</td></table><iframe>"]


@pytest.fixture
def jobs(tmp_path):
    """A history with three jobs and a submission that never arrived."""
    kept = JobHistory(tmp_path / "history.sqlite3")
    for number, (tool, status) in enumerate(
        [(Tool.VIDEO, JobStatus.COMPLETED), (Tool.MUSIC, JobStatus.FAILED), (Tool.VIDEO, JobStatus.PROCESSING)]
    ):
        intent = kept.begin(tool, {"prompt": f"prompt {number}", "seed": number}, base_url=URL)
        kept.started(intent, Job(f"job_{number}", status, tool=str(tool)), base_url=URL)
    kept.unsent(kept.begin(Tool.IMAGE, {"prompt": "refused"}, base_url=URL), "no quota")
    return kept


def test_it_is_a_sequence_of_entries_newest_first(jobs):
    """It can be counted, indexed and walked through, and filtered on the way in."""
    view = HistoryView(jobs, None)
    assert len(view) == 4
    assert view[0].params["prompt"] == "refused"
    assert [entry.stage for entry in view] == ["unsent", "job", "job", "job"]
    assert [entry.job.id for entry in view[1:]] == ["job_2", "job_1", "job_0"]
    assert [entry.job.id for entry in HistoryView(jobs, None, tool="video", status="completed")] == ["job_0"]
    assert len(HistoryView(jobs, None, search="prompt 1")) == 1
    assert len(HistoryView(jobs, None, limit=2)) == 2


def test_its_filters_read_again(jobs):
    """Changing a filter changes the table and the sequence."""
    view = HistoryView(jobs, None)

    async def main():
        view._status.value = "failed"
        await until(lambda: [entry.job and entry.job.id for entry in view] == ["job_1"])
        assert "job_0" not in view._table.value
        view._search.value = "nothing like it"
        await until(lambda: view._pick.layout.display == "none")
        assert "No jobs match these filters." in view._table.value
        view._search.value, view._status.value = "", "any"
        await until(lambda: len(view) == 4)

    owning(main())
    assert "No jobs yet" in HistoryView(JobHistory(None), None)._table.value


def test_table_row_has_a_picture_and_the_call(tmp_path):
    """An image has a thumbnail, and each row the call that makes it again."""
    kept = JobHistory(tmp_path / "history.sqlite3")
    output = {"images": [{"url": "https://cdn.example/a.png"}]}
    kept.update(
        Job("job_1", JobStatus.COMPLETED, tool="image", params={"prompt": "<b>A boat</b>"}, output=output), base_url=URL
    )
    html = HistoryView(kept, None)._table.value
    assert 'src="https://cdn.example/a.png" alt="" loading="lazy"' in html
    assert "nk.image(&#39;&lt;b&gt;A boat&lt;/b&gt;&#39;)" in html


def test_it_writes_the_call_that_makes_a_job_again(jobs):
    """The button shows code, escaped."""
    view = HistoryView(jobs, None, tool="video", status="completed")
    view._code.click()
    assert "nk.video(&#39;prompt 0&#39;, seed=0)" in view._message.value


@pytest.mark.parametrize(
    ("tool", "params"),
    [
        (Tool.STT, {"file": b"RIFF" + bytes(20_000), "language": "en"}),
        (Tool.IMAGE_EDIT, {"prompt": "A red door", "image": b"\x89PNG\r\n\x1a\n" + bytes(20_000)}),
        (Tool.TTS, {"input": "Hello. " * 2_000}),
        (Tool.IMAGE, {"prompt": "A boat", "notes\nimport os": ["x" * 20_000]}),
    ],
)
def test_code_never_sends_a_digest(tmp_path, tool, params):
    """What the history does not keep is to be named: until it is, the code fails here, before anything is sent."""
    kept = JobHistory(tmp_path / "history.sqlite3")
    kept.begin(tool, said(tool, params), base_url=URL)
    view = HistoryView(kept, None)
    view._code.click()
    code = unescape(view._message.value.removeprefix("<pre>").removesuffix("</pre>"))
    assert "sha256" not in code
    assert "the history does not keep the content of" in code
    assert "\nimport os" not in code
    with pytest.raises((InvalidParameterError, FileNotFoundError), match="name-the-file-of-"):
        eval(code.splitlines()[-1], {"nk": novakit_widgets, "Path": Path})


def test_words_from_outside_stay_words(tmp_path):
    """Prompts, ids and models with markup in them are shown as text, in the widget and in the plain table."""
    kept = JobHistory(tmp_path / "history.sqlite3")
    for text in HOSTILE:
        kept.update(Job(text, JobStatus.COMPLETED, tool=text, params={"prompt": text}), base_url=URL)
    view = HistoryView(kept, None)
    for html in (view._table.value, view._repr_mimebundle_()["text/html"]):
        assert "<script" not in html
        assert "<img" not in html
        assert "<iframe" not in html
        assert html.count("<tr>") == 1 + len(HOSTILE)


def test_jobs_that_only_the_service_knows_are_merged_in(sandbox, client, tmp_path):
    """A job that was started elsewhere with the same key appears, and can be shown again."""
    configure(history=str(tmp_path / "mine.sqlite3"))
    elsewhere = image("From elsewhere", size="512x512", client=client, autostart=False)
    elsewhere._run.history = JobHistory(None)
    job_id = elsewhere.wait().id

    async def main():
        view = history(client=client)
        while not len(view):
            await asyncio.sleep(0.01)
        assert view[0].job.id == job_id
        view._show.click()
        (card,) = view._result.children
        assert (await card).id == job_id
        view.close()
        await client.aclose()

    owning(main())
    assert default_history().find(job_id, base_url=client.base_url) is not None


def test_jobs_with_files_are_merged_in_as_far_as_they_can_be_read(sandbox, client, tmp_path):
    """A hundred jobs with their files are too long for one answer; then the newest are shown, and nothing is missing."""
    configure(history=str(tmp_path / "mine.sqlite3"))
    file = "data:image/png;base64," + "iVBORw0KGgo" * 200_000  # of 2.2 MB

    async def main():
        for number in range(4):
            await client.submit("image_edit", {"prompt": f"edit {number}", "operation": "edit", "image": file})
        view = HistoryView(default_history(), client)
        while not (len(view) or view._message.value):
            await asyncio.sleep(0.01)
        assert view._message.value == ""
        assert view[0].job.id == list(sandbox.jobs)[-1]
        view.close()
        await client.aclose()

    owning(main())


def test_without_a_key_there_is_still_what_is_kept(jobs, monkeypatch):
    """No client can be made: the table is there all the same."""
    monkeypatch.delenv("NOVAKIT_API_KEY", raising=False)
    configure(api_key=None, history=str(jobs.path))
    view = history()
    assert len(view) == 4
    assert repr(view) == "<HistoryView 4 jobs>"


@pytest.mark.parametrize(
    ("status", "hint"), [("complete", "Did you mean 'completed'"), ("queued", "use one of pending")]
)
def test_a_status_that_is_none_is_refused_in_words(jobs, status, hint):
    """A slip of the hand gets the right word, and no error of a dropdown's."""
    with pytest.raises(ConfigurationError, match=hint):
        HistoryView(jobs, None, status=status)


def test_submissions_in_question_are_named_on_top(sandbox, client, tmp_path):
    """The view says how many there are and what to do; its button looks them up, and then the line is gone."""
    kept = JobHistory(tmp_path / "mine.sqlite3")
    where = {"base_url": client.base_url, "account": client.account}
    lost = kept.begin(Tool.IMAGE, {"prompt": "lost"}, **where)
    kept.uncertain(lost, "its answer was lost")
    kept.begin(Tool.IMAGE, {"prompt": "on its way"}, **where)
    other = kept.begin(Tool.IMAGE, {"prompt": "another key's"}, base_url=client.base_url, account="another")
    kept.uncertain(other, "its answer was lost")
    view = HistoryView(kept, client)
    assert "1 unresolved submission" in view._unresolved_line.value
    assert "1 unresolved submission" in view._repr_mimebundle_()["text/html"]
    assert view._table.value.count("Answer lost") == 2
    assert view._table.value.count("Submitting") == 1
    assert [entry.params["prompt"] for entry in HistoryView(kept, client, status="intent")] == ["on its way"]

    async def main():
        job = await client.submit("image", {"prompt": "lost"})
        view._look.click()
        while view._unresolved_line.value:
            await asyncio.sleep(0.01)
        assert kept.find(job.id, base_url=client.base_url).intent == lost
        assert "1 found" in view._message.value
        assert view._unresolved.layout.display == "none"
        view.close()
        await client.aclose()

    owning(main())


def test_what_can_not_be_told_can_be_dismissed(sandbox, client, tmp_path):
    """After it was looked up in vain a button ends the question; the row stays, and says what it is."""
    kept = JobHistory(tmp_path / "mine.sqlite3")
    lost = kept.begin(Tool.TTS, {"input": "lost"}, base_url=client.base_url, account=client.account)
    kept.uncertain(lost, "its answer was lost")
    view = HistoryView(kept, client)
    assert view._dismiss.layout.display == "none"

    async def main():
        view._look.click()
        while view._dismiss.layout.display == "none":
            await asyncio.sleep(0.01)
        assert "1 unclear" in view._message.value
        view._dismiss.click()
        await until(lambda: view._unresolved.layout.display == "none")
        await client.aclose()

    owning(main())
    assert (view._unresolved_line.value, view._unresolved.layout.display, view._dismiss.layout.display) == (
        "",
        "none",
        "none",
    )
    assert kept.lost() == []
    assert "Discarded" in view._table.value
    assert [entry.intent for entry in HistoryView(kept, client, status="dismissed")] == [lost]
    view.close()


def test_a_result_that_came_at_once_is_shown_from_its_row(tmp_path):
    """There is no id to attach to: the card is made of what was kept, with its player."""
    with Sandbox(speed=200.0, limits="off", seed=1, media="canned", sync_tools=("tts",)) as sandbox:
        configure(api_key=sandbox.api_key, base_url=sandbox.base_url, history=str(tmp_path / "mine.sqlite3"))
        job = speech("Good morning").wait()

        async def main():
            view = history()
            view._show.click()
            (card,) = view._result.children
            assert (await card).media == job.media
            await view._client.aclose()
            view.close()

        owning(main())
        assert sum(request.method == "POST" for request in sandbox.requests) == 1


@pytest.mark.parametrize("event", ["filter", "refresh", "dismiss"])
def test_event_does_not_wait_for_a_locked_file(jobs, monkeypatch, event):
    """While the disk hangs the loop turns, and what was read is shown when it is there."""
    view = HistoryView(jobs, None)
    asked, answers = threading.Event(), threading.Event()
    read = queries.filtered

    def hang(*args):
        asked.set()
        assert answers.wait(60), "the loop waited for the disk"
        return read(*args)

    monkeypatch.setattr(queries, "filtered", hang)
    clicks = {"refresh": view._fresh.click, "dismiss": view._dismiss.click}

    async def main():
        if event == "filter":
            view._status.value = "failed"
        else:
            clicks[event]()
        await until(asked.is_set)
        answers.set()
        await until(lambda: view._asked == 1 and len(view) == (1 if event == "filter" else 4))
        await jobs.off_loop(lambda: None)

    owning(main())


def test_recovery_dismisses_without_waiting_for_a_locked_file(tmp_path, monkeypatch):
    """On a loop; without one it is done when the call returns."""
    kept = JobHistory(tmp_path / "mine.sqlite3")
    lost = [kept.begin(Tool.TTS, {"input": str(number)}, base_url=URL) for number in range(2)]
    for intent in lost:
        kept.uncertain(intent, "its answer was lost")
    first, second = kept.lost()
    answers = threading.Event()

    async def main():
        holds = asyncio.ensure_future(kept.off_loop(lambda: answers.wait(60)))
        await asyncio.sleep(0)
        Recovery((), (), (first,), ("?",), (), None, kept).dismiss()
        answers.set()  # not reached if it waited
        await holds
        assert [entry.intent for entry in await kept.off_loop(kept.lost)] == [second.intent]

    owning(main())
    Recovery((), (), (second,), ("?",), (), None, kept).dismiss()
    assert kept.lost() == []
