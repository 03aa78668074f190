"""The past jobs on the page: a sequence, a table, and what can be done from there."""

from __future__ import annotations

import asyncio

import pytest

from novakit_widgets import Job, JobStatus, Tool, configure, image
from novakit_widgets.jobhistory import JobHistory, default_history
from novakit_widgets.widgets.history import HistoryView, history

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
    view._status.value = "failed"
    assert [entry.job.id for entry in view] == ["job_1"]
    assert "job_0" not in view._table.value
    view._search.value = "nothing like it"
    assert view._show.disabled
    assert "No jobs yet" in view._table.value


def test_it_writes_the_call_that_makes_a_job_again(jobs):
    """The button shows code, escaped."""
    view = HistoryView(jobs, None, tool="video", status="completed")
    view._code.click()
    assert "nk.video(&#39;prompt 0&#39;, seed=0)" in view._said.value


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
    elsewhere = image("From elsewhere", size="512x512", client=client)
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

    asyncio.run(main())
    assert default_history().find(job_id, base_url=client.base_url) is not None


def test_without_a_key_there_is_still_what_is_kept(jobs, monkeypatch):
    """No client can be made: the table is there all the same."""
    monkeypatch.delenv("NOVAKIT_API_KEY", raising=False)
    configure(api_key=None, history=str(jobs.path))
    view = history()
    assert len(view) == 4
    assert repr(view) == "<HistoryView 4 jobs>"
