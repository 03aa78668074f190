"""Observe what the service's documentation leaves open, and write it down. Submits two small images, which are billed.

    NOVAKIT_LIVE=1 NOVAKIT_API_KEY=sk_… python -m pytest tests/live

The tests fail only where the service does not do what is documented; what is undocumented is noted in ``novakit-live.md``, or in
the file that ``NOVAKIT_LIVE_FILE`` names.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timezone

import httpx
import pytest

from novakit_widgets.config.redaction import redact_anything_secret

SMALL = {"prompt": "A lighthouse", "size": "512x512"}
ENDED = {"completed", "failed", "cancelled"}
LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after")
LONGEST = 180.0  # seconds for an image


class Notes:
    """What was observed, by heading; the file is written anew after each note, so that a failure loses none."""

    def __init__(self, base_url, file):
        self.file = file
        self.sections = {}
        self.head = f"# Observations of {base_url}\n\n{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC\n"

    def note(self, section, what, found):
        """Add a line; what is no text is written as JSON."""
        shown = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        self.sections.setdefault(section, []).append(f"- {what}: {shown}")
        parts = [self.head, *(f"## {title}\n\n" + "\n".join(lines) + "\n" for title, lines in self.sections.items())]
        self.file.write_text(redact_anything_secret("\n".join(parts)), encoding="utf-8")


@pytest.fixture(scope="module")
def notes(live):
    """The notes of this run."""
    _, base_url, file = live
    return Notes(base_url, file)


@pytest.fixture
async def service(live):
    """Connections to the API that send the key."""
    key, base_url, _ = live
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60.0) as http:
        yield http


def limits_of(response):
    """Return the headers about the rate limit, as they are."""
    return {name: response.headers[name] for name in LIMIT_HEADERS if name in response.headers}


async def submit(service):
    """Submit a small image, and return its answer."""
    response = await service.post("/images/generations", params={"async": "true"}, json=SMALL)
    assert response.status_code < 300, response.text
    assert {"id", "status"} <= set(response.json()), response.text
    return response


async def until_ended(service, job_id):
    """Ask every two seconds until a job has ended."""
    until = time.monotonic() + LONGEST
    while True:
        job = (await service.get(f"/jobs/{job_id}")).json()
        if job["status"] in ENDED:
            return job
        assert time.monotonic() < until, job
        await asyncio.sleep(2.0)


def order_of(jobs):
    """Say in which order jobs stand in a list."""
    times = [job["createdAt"] for job in jobs if job.get("createdAt")]
    if len(set(times)) < 2:
        return "can't be told: fewer than two different times"
    if times == sorted(times, reverse=True):
        return "newest first"
    return "oldest first" if times == sorted(times) else "neither newest nor oldest first"


async def test_answer_has_the_documented_rate_limit_headers(service, notes):
    """Of a question for the quota, which also tells the names of the buckets and the service's clock."""
    response = await service.get("/quota")
    assert response.status_code == 200, response.text
    limits = limits_of(response)
    assert "x-ratelimit-limit" in limits
    quotas = response.json()["quotas"]
    notes.note("Quota", "buckets and their fields", {name: sorted(bucket or {}) for name, bucket in quotas.items()})
    notes.note("Headers", "of a question", limits)
    notes.note(
        "Headers", "Date", f"{response.headers.get('date')}, our clock {datetime.now(timezone.utc):%H:%M:%S} UTC"
    )


async def test_held_poll_and_the_requests_beside_it(service, notes):
    """Hold a poll, and ask for the list meanwhile: when does the held request count, and when do its headers come?"""
    submitted = await submit(service)
    job_id = submitted.json()["id"]
    notes.note("Submission", "status code and fields", [submitted.status_code, sorted(submitted.json())])
    began = time.monotonic()
    beside = [[0.0, (await service.get("/jobs", params={"limit": 1})).headers.get("x-ratelimit-remaining")]]

    async def held():
        async with service.stream("GET", f"/jobs/{job_id}", params={"poll": "true"}) as response:
            headers_after = time.monotonic() - began
            await response.aread()
            return response, headers_after, time.monotonic() - began

    polling = asyncio.ensure_future(held())
    while not polling.done() and len(beside) < 8:
        await asyncio.wait({polling}, timeout=1.0)
        listed = await service.get("/jobs", params={"limit": 1})
        beside.append([round(time.monotonic() - began, 1), listed.headers.get("x-ratelimit-remaining")])
    response, headers_after, body_after = await polling
    assert response.status_code == 200, response.text
    after = await service.get("/jobs", params={"limit": 1})
    section = "A held poll"
    notes.note(section, "headers came after, body after (s)", [round(headers_after, 1), round(body_after, 1)])
    notes.note(section, "its own headers", limits_of(response))
    notes.note(section, "[seconds, x-ratelimit-remaining] of lists beside it, the first before it", beside)
    notes.note(
        section, "x-ratelimit-remaining after it", after.headers.get("x-ratelimit-remaining") or "no such header"
    )
    notes.note(section, "status at its end", response.json()["status"])
    job = await until_ended(service, job_id)
    notes.note("An ended job", "status and fields", [job["status"], sorted(job)])
    notes.note("An ended job", "createdAt, completedAt", [job.get("createdAt"), job.get("completedAt")])
    notes.note("An ended job", "fields of outputData", sorted(job.get("outputData") or {}))


async def test_deletion_of_a_running_and_of_an_ended_job(service, notes):
    """What the answer is, what the job becomes, whether it stays in the list, and what it costs."""
    section = "A deletion"
    before = (await service.get("/quota")).json()["quotas"].get("image_generations")
    job_id = (await submit(service)).json()["id"]
    for what in ("of a running job", "again at once"):
        deleted = await service.delete(f"/jobs/{job_id}")
        notes.note(section, what, [deleted.status_code, deleted.text[:300]])
        if what == "of a running job":
            assert "success" in deleted.json(), deleted.text
    shown = await service.get(f"/jobs/{job_id}")
    notes.note(section, "the job afterwards", [shown.status_code, shown.json().get("status")])
    listed = (await service.get("/jobs", params={"limit": 100})).json()["jobs"]
    notes.note(section, "in the list afterwards", any(job["id"] == job_id for job in listed))
    if shown.status_code == 200:
        ended = await until_ended(service, job_id)
        late = await service.delete(f"/jobs/{job_id}")
        notes.note(section, "of the ended job", [late.status_code, late.text[:300]])
        notes.note(
            section, "credits", {name: ended.get(name) for name in ("status", "estimatedCredits", "actualCredits")}
        )
    after = (await service.get("/quota")).json()["quotas"].get("image_generations")
    notes.note(section, "quota of images before the submission and after the deletion", [before, after])


async def test_order_of_lists(service, notes):
    """All jobs, those of a tool, and those that run; and what a limit above the documented one does."""
    for what, query in {"all": {}, "one tool": {"tool": "image"}, "pending": {"pending": "true"}}.items():
        response = await service.get("/jobs", params={"limit": 100, **query})
        assert response.status_code == 200, response.text
        jobs = response.json()["jobs"]
        notes.note("Lists", what, f"{len(jobs)} jobs, {order_of(jobs)}")
    above = await service.get("/jobs", params={"limit": 101})
    notes.note("Lists", "limit=101", f"status {above.status_code}")
