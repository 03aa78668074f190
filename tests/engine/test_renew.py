"""A result whose address has expired, as the source of the next job: renewed or uploaded before anything is billed."""

from __future__ import annotations

import copy
import json
import pickle
from types import SimpleNamespace

import httpx
import pytest
from runs import until

import novakit_widgets as nk
from novakit_widgets import Job, JobStatus, JobWidget, Media, MediaExpiredError, NovaKitClient, Tool
from novakit_widgets.api.embedding import Kept
from novakit_widgets.api.sources import ResultAddress
from novakit_widgets.engine.renew import renewed
from novakit_widgets.engine.reuse import equal_job
from novakit_widgets.engine.run import JobRun
from novakit_widgets.job_history.jobs import JobHistory

KEY = "sk_" + "7" * 64
OLD, NEW = "https://media.example/a.png?sig=1", "https://media.example/a.png?sig=2"
PNG = b"\x89PNG\r\n\x1a\n0000"


class Web:
    """The service and a media host: what each address answers, and what was asked for with which key."""

    base_url = "https://novakit.example/api/v1"

    def __init__(self, statuses, job=None):
        self.statuses, self.job = statuses, job
        self.asked = []

    def __call__(self, request):
        self.asked.append((str(request.url), request.headers.get("authorization")))
        if request.url.host == "novakit.example":
            return httpx.Response(404 if self.job is None else 200, json=self.job or {"error": "no such job"})
        status = self.statuses[str(request.url)]
        if isinstance(status, Exception):
            raise status
        return httpx.Response(status, content=PNG)

    def client(self):
        return NovaKitClient(KEY, self.base_url, transport=httpx.MockTransport(self))


def job_at(*urls):
    """The answer about a finished job of these images."""
    images = [{"url": url} for url in urls]
    return {"id": "job_1", "status": "completed", "tool": "image", "outputData": {"images": images}}


async def sent(web, source, *, history=None, tool=Tool.VIDEO, name="source_image"):
    """Return what is sent for a source."""
    client = web.client()
    try:
        params = {"prompt": "x", name: source}
        return (await renewed(client, tool, params, history=history or JobHistory(None)))[name]
    finally:
        await client.aclose()


@pytest.mark.parametrize("gone", [400, 401, 403, 404, 410])
async def test_expired_address_is_replaced_by_the_one_of_the_job_now(gone):
    """Media hosts differ in what they answer for a signature whose time is over. Only the service gets the key."""
    web = Web({OLD: gone, NEW: 200}, job_at(NEW))
    assert await sent(web, ResultAddress.of(OLD, "job_1", 0)) == NEW
    assert web.asked == [(OLD, None), ("https://novakit.example/api/v1/jobs/job_1", f"Bearer {KEY}"), (NEW, None)]


@pytest.mark.parametrize("status", [200, 206, 429, 500, 503, httpx.ConnectError("no route"), httpx.ReadTimeout("slow")])
async def test_address_that_is_served_or_cannot_be_asked_is_sent_as_it_is(status):
    """A host that does not answer this machine may answer the service."""
    web = Web({OLD: status}, job_at(NEW))
    assert await sent(web, ResultAddress.of(OLD, "job_1", 0)) == OLD
    assert [url for url, _ in web.asked] == [OLD]


async def test_address_of_somebody_else_is_not_even_asked():
    """It is the user's, and what it answers here tells nothing about the service."""
    web = Web({}, job_at(NEW))
    assert await sent(web, OLD) == OLD
    assert web.asked == []


@pytest.mark.parametrize(
    "job", [None, job_at(OLD), job_at("https://media.example/b.png"), job_at()], ids=["unknown", "same", "gone", "none"]
)
async def test_expired_address_without_another_is_refused(job):
    """The job is not submitted: it would fail, and be billed."""
    web = Web({OLD: 410, "https://media.example/b.png": 403}, job)
    with pytest.raises(MediaExpiredError, match=r"source_image.*job_1.*Nothing was submitted or billed"):
        await sent(web, ResultAddress.of(OLD, "job_1", 0))


@pytest.mark.parametrize("held", ["bytes", "beside", "save_to", "file"])
async def test_expired_address_without_another_is_uploaded_where_the_media_are_here(held, tmp_path):
    """The bytes that the notebook has, or the saved file."""
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    web = Web({OLD: 410})
    kept = Kept(Media(OLD, "image"), "image/png", content=PNG if held == "bytes" else None, path=file)
    sources = {"bytes": SimpleNamespace(kept=(kept,)), "beside": SimpleNamespace(kept=(kept,)), "file": file}
    sources["save_to"] = SimpleNamespace(kept=None, run=SimpleNamespace(saved=(file,)))
    address = ResultAddress.of(OLD, "job_1", 0, sources[held])
    assert await sent(web, address) == "data:image/png;base64,iVBORw0KGgowMDAw"


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_each_of_several_results_is_replaced_by_its_own(number):
    """By its place in the result, which does not change."""
    old, new = [f"{OLD}&n={n}" for n in range(3)], [f"{NEW}&n={n}" for n in range(3)]
    web = Web({**dict.fromkeys(old, 403), **dict.fromkeys(new, 200)}, job_at(*new))
    media = Job.from_json(job_at(*old)).media[number]
    run = JobRun(Tool.IMAGE_EDIT, {"prompt": "x", "image": media}, client=web.client(), history=JobHistory(None))
    assert run.params["image"] == media
    address = ResultAddress.of(media.url, media.job_id, media.number)
    assert await sent(web, address, tool=Tool.IMAGE_EDIT, name="image") == new[number]


def in_history(history, web, files=()):
    """Note a finished job at its old address."""
    intent = history.begin(Tool.IMAGE, {"prompt": "x"}, base_url=web.base_url)
    history.started(intent, Job.from_json(job_at(OLD)), base_url=web.base_url)
    history.saved("job_1", files, base_url=web.base_url)


async def test_address_as_text_is_known_from_the_history(tmp_path):
    """Such as one of a row that is generated again, or of a batch that goes on in another kernel."""
    web = Web({OLD: 403, NEW: 200}, job_at(NEW))
    history = JobHistory(tmp_path / "history.sqlite3")
    in_history(history, web)
    assert await sent(web, OLD, history=history) == NEW
    assert await sent(web, f"{OLD}0", history=history) == f"{OLD}0"  # another one, of somebody else


async def test_address_as_text_is_replaced_by_the_saved_file(tmp_path):
    """Where the service no longer knows the job."""
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    web = Web({OLD: 410})
    history = JobHistory(tmp_path / "history.sqlite3")
    in_history(history, web, [file])
    assert (await sent(web, OLD, history=history)).startswith("data:image/png;base64,")
    file.unlink()
    with pytest.raises(MediaExpiredError):
        await sent(web, OLD, history=history)


async def picture(client, history):
    """A finished picture's run."""
    run = JobRun(Tool.IMAGE, {"prompt": "A lighthouse"}, client=client, history=history)
    await run.wait()
    return run


def taken_as(run, kind):
    """The result of a run in each form that a source may have."""
    return {"run": run, "job": run.job, "media": run.job.media[0], "text": run.job.media[0].url}[kind]


@pytest.mark.parametrize("kind", ["run", "job", "media", "text"])
async def test_job_is_submitted_with_the_new_address(client, sandbox, tmp_path, kind):
    """And the history's row has what was sent, so that a lost answer is found by it."""
    history = JobHistory(tmp_path / "history.sqlite3")
    first = await picture(client, history)
    sandbox.expire_media(first.job_id, renew=True)
    now = (await client.get(first.job_id)).media[0].url
    card = JobWidget(
        "video",
        {"prompt": "Waves", "mode": "image_to_video", "source_image": taken_as(first, kind)},
        client=client,
        autostart=False,
    )
    second = JobRun(Tool.VIDEO, card.run.params, client=client, history=history)
    card.close()
    assert (await second.wait()).status == JobStatus.COMPLETED
    assert second.job.params["source_image"] == now
    assert history.find(second.job_id, base_url=client.base_url).params["source_image"] == now
    json.dumps(dict(second.params))


@pytest.mark.parametrize("kind", ["run", "job", "media", "text"])
async def test_job_with_an_expired_source_is_not_submitted(client, sandbox, tmp_path, kind):
    """Nothing is billed, and the history has no row of it."""
    history = JobHistory(tmp_path / "history.sqlite3")
    first = await picture(client, history)
    sandbox.expire_media(first.job_id)
    before, rows = len(sandbox.jobs), len(history.entries())
    card = JobWidget("image_edit", {"prompt": "x", "image": taken_as(first, kind)}, client=client, autostart=False)
    run = JobRun(Tool.IMAGE_EDIT, card.run.params, client=client, history=history)
    card.close()
    with pytest.raises(MediaExpiredError, match="Nothing was submitted or billed"):
        await run.wait()
    assert len(sandbox.jobs) == before
    assert len(history.entries()) == rows


async def test_card_whose_picture_is_in_the_notebook_is_uploaded(client, sandbox):
    """The bytes that it shows are the source, where the service has no address for them any more."""
    card = JobWidget("image", {"prompt": "A lighthouse"}, client=client, embed="inline")
    await card
    await until(lambda: card.kept)
    content = card.kept[0].content
    sandbox.expire_media(card.job_id)
    video = JobWidget(
        "video", {"prompt": "Waves", "mode": "image_to_video", "source_image": card}, client=client, embed="link"
    )
    job = await video
    assert job.params["source_image"].startswith("data:image/png;base64,")
    assert content is not None
    assert len(job.params["source_image"]) > len(content)
    card.close()
    video.close()


async def test_items_of_a_batch_are_renewed_too(client, sandbox):
    """Also what is common to all, and what a sweep varies; an item without another address alone is refused."""
    first, second = [await client.get((await client.submit("image", {"prompt": p})).id, poll=True) for p in "ab"]
    sandbox.expire_media(first.id, renew=True)
    now = (await client.get(first.id)).media[0].url
    board = nk.batch("image_edit", [{"prompt": "x"}, {"prompt": "y"}], image=first, client=client)
    assert [job.params["image"] for job in await board] == [now, now]
    board.close()
    sandbox.expire_media(second.id)
    board = nk.sweep("image_edit", prompt="x", image=[first, second], client=client, confirm=False)
    assert [job.params["image"] for job in await board] == [now]
    assert {number: type(error) for number, error in board.failed.items()} == {1: MediaExpiredError}
    board.close()


async def test_source_that_has_expired_is_not_asked_where_an_equal_job_is_reused(client, sandbox, tmp_path):
    """Restart and Run All shows the results of last week, whose sources are gone."""
    history = JobHistory(tmp_path / "history.sqlite3")
    first = await picture(client, history)
    params = {"prompt": "x", "image": first.job.media[0].url}
    made = JobRun(Tool.IMAGE_EDIT, params, client=client, history=history)
    await made.wait()
    sandbox.expire_media(first.job_id)
    again = JobRun(Tool.IMAGE_EDIT, params, client=client, history=history, earlier=equal_job)
    assert (await again.wait()).id == made.job_id


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copied_address_is_plain_text(copied):
    """So that parameters stay plain data, whatever their source was."""
    found = copied(ResultAddress.of(OLD, "job_1", 0, object()))
    assert (type(found), found) == (str, OLD)


def test_media_know_their_job():
    """It is no part of what they are: two equal ones are equal, whatever their job."""
    media = Job.from_json(job_at(OLD, NEW)).media
    assert [(one.job_id, one.number) for one in media] == [("job_1", 0), ("job_1", 1)]
    assert media[1] == Media(NEW, "image")
