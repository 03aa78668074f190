"""Record the jobs of this process while they run.

A recording sees each exchange with the service (`novakit_widgets.api.observers`). What it keeps is a list of what may be kept, not
what must not: parameters without addresses, statuses, progress, the documented results, and messages without secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..api import downloads
from ..api.bodies import job_of_submission
from ..api.media_stream import open_stream
from ..api.observers import Exchange, observe
from ..api.transfers import OpensMedia
from ..config.redaction import redact_anything_secret
from ..engine import signals
from ..engine.submitting import under_way
from ..errors import APIError, MediaError, NovaKitError
from ..model.canonical import canonical
from ..model.job import Job, JobStatus
from ..model.parameters import PARAMETERS
from ..model.parsing import number, readable
from ..model.tools import Tool
from ..runtime.loop import spawn
from ..runtime.worker import DiskThread
from .contents import FIGURES, Medium, RecordedJob, Refused, Sample, Segment
from .matching import Addresses
from .partial import Partial, pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from ..api.connections import Connections
    from ..api.transfers import MediaStream


__all__ = ["Recorder"]

_ADDRESS = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://\S+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_RETRIED = (429, 503)
_LONGEST_MESSAGE = 2_000  # characters
_LONGEST_TEXT = 100_000
_PERSONAL = ("orgId", "userId")
_SHORTEST_ID = 4  # characters; a shorter one can't be told from the words around it


class _Client(OpensMedia, Protocol):
    """What a recording needs of a client."""

    @property
    def account(self) -> str:
        """Tells one key and address from another."""
        ...


@dataclass(frozen=True, slots=True)
class _Observed:
    """The client of an exchange."""

    account: str
    connections: Connections

    def open_media(
        self, url: str, *, start: int = 0, version: str | None = None
    ) -> AbstractAsyncContextManager[MediaStream]:
        return open_stream(self.connections, url, start=start, version=version)


@dataclass(slots=True, eq=False)
class _Call:
    """A call that is being recorded: its place, what is known of it, and since when."""

    number: int
    job: RecordedJob
    accepted_at: float
    lost: bool = False


class Recorder:
    """Keeps the jobs of this process from now on. Use it on the job loop.

    Args:
        path: the file that will be made.
        monotonic: the time in seconds.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.partial = Partial(path)
        self.missing: list[str] = []
        self._monotonic = monotonic
        self._process = os.getpid()
        self._calls: dict[int, _Call] = {}
        self._by_id: dict[tuple[str, str], _Call] = {}
        self._next = 0
        self._addresses = Addresses()
        self._personal: set[str] = set()
        self._fetching: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Event | None = None
        self._disk = DiskThread("novakit-recording")
        self._stop_observing = observe(self._heard)
        self._stop_listening = signals.listen(self._ended_here)

    @property
    def count(self) -> int:
        """How many calls it has."""
        return len(self._calls)

    @property
    def running(self) -> int:
        """How many of its jobs have not ended."""
        return sum(
            call.job.refused is None and call.job.status is None and not call.lost for call in self._calls.values()
        )

    def stop(self) -> None:
        """See no further exchanges."""
        self._stop_observing()
        self._stop_listening()

    async def ended(self) -> None:
        """Wait until no job of this process is being submitted, and none of the recorded ones runs."""
        while (submitting := {task for task in under_way if not task.done()}) or self.running:
            self._changed = self._changed or asyncio.Event()
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({*submitting, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()

    async def fetched(self) -> None:
        """Wait until all media of jobs that have ended are there."""
        while self._fetching:
            await asyncio.wait(tuple(self._fetching))

    async def pack(self) -> None:
        """Make the file, in the thread that has written what was recorded so far.

        Raises:
            OSError: it can't be written. What was recorded stays in its folder.
        """
        await self._disk.run(self.pack_now)

    def pack_now(self) -> None:
        """Make the file."""
        pack(self.partial.folder, self.path)
        self.partial.remove()

    def _write(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # Python is ending
            self._disk.submit(work)

    def _heard(self, exchange: Exchange) -> None:
        if self._process != os.getpid():
            return  # a forked child's jobs are not this process's
        body = exchange.result.response if isinstance(exchange.result, NovaKitError) else exchange.result.body
        self._note_personal(body)
        client = _Observed(exchange.account, exchange.connections)
        if exchange.method == "POST":
            tool = next((tool for tool in Tool if tool.endpoint == exchange.path), None)
            if tool is not None and exchange.content is not None:
                self._posted(tool, json.loads(exchange.content), exchange)
        elif exchange.method == "GET" and isinstance(body, Mapping):
            entries = body.get("jobs") if exchange.path == "jobs" else [body]
            for entry in entries if isinstance(entries, list) else []:
                known = (
                    self._by_id.get((exchange.account, str(entry.get("id")))) if isinstance(entry, Mapping) else None
                )
                if known is not None:
                    with contextlib.suppress(NovaKitError):
                        self._told(known, client, Job.from_json(entry))

    def _note_personal(self, body: object) -> None:
        """Remember the ids of persons and organisations, to keep them out of messages."""
        for entry in [
            body,
            *(body.get("jobs") or [] if isinstance(body, Mapping) and isinstance(body.get("jobs"), list) else []),
        ]:
            if isinstance(entry, Mapping):
                found = {str(entry.get(name) or "") for name in _PERSONAL}
                self._personal |= {text for text in found if len(text) >= _SHORTEST_ID}

    def _posted(self, tool: Tool, sent: Mapping[str, Any], exchange: Exchange) -> None:
        params = json.loads(canonical(tool, self._addresses.without(sent)))
        self._drop_retried(tool, params)
        if isinstance(exchange.result, NovaKitError):
            self._refused(RecordedJob(tool=tool, params=params), exchange.result)
            return
        try:
            job = job_of_submission(tool, sent, exchange.result)
        except NovaKitError:
            return
        call = self._add(RecordedJob(tool=tool, params=params, id=_id(job.id), at_once=job.id is None))
        if job.id is not None:
            self._by_id[exchange.account, job.id] = call
        else:
            call.accepted_at -= exchange.seconds
        self._told(call, _Observed(exchange.account, exchange.connections), job)

    def _add(self, job: RecordedJob, *, lost: bool = False) -> _Call:
        call = self._calls[self._next] = _Call(self._next, job, self._monotonic(), lost)
        self._next += 1
        self._write(lambda: self.partial.job(call.number, job))
        return call

    def _drop_retried(self, tool: Tool, params: Mapping[str, Any]) -> None:
        """Forget that a call was put off: it is made again now."""
        for call in list(self._calls.values()):
            refused = call.job.refused
            if (
                refused is not None
                and refused.status in _RETRIED
                and call.job.tool is tool
                and call.job.params == params
            ):
                self._drop(call)

    def _drop(self, call: _Call) -> None:
        del self._calls[call.number]
        self._write(lambda: self.partial.drop(call.number))

    def _refused(self, job: RecordedJob, error: NovaKitError) -> None:
        if not isinstance(error, APIError) or error.status_code is None:
            self._add(job, lost=True)  # perhaps a job of it is found
            return
        body = error.response if isinstance(error.response, Mapping) else {}
        figures = {name: found for name in FIGURES if (found := _figure(body.get(name))) is not None}
        said = body.get("error")
        if isinstance(said, Mapping):
            said = said.get("message")
        refused = Refused(
            error.status_code, self._message(said) or "", getattr(error, "retry_after", None), figures or None
        )
        self._add(replace(job, refused=refused))

    def _told(self, call: _Call, client: _Client, told: Job) -> None:
        """Keep what an answer says of a job."""
        if call.job.status is not None:
            return
        for index, media in enumerate(told.media):
            self._addresses.add(media.url, f"media:job:{call.number}:{index}")
        seconds = max(0.0, self._monotonic() - call.accepted_at)
        if told.ended:
            self._ended(call, client, told, seconds)
            return
        status = JobStatus.PENDING if told.status == JobStatus.PENDING else JobStatus.PROCESSING
        sample = Sample(round(seconds, 3), status, told.progress)
        last = call.job.answers[-1] if call.job.answers else None
        if last is None or (last.status, last.progress) != (sample.status, sample.progress):
            call.job = replace(call.job, answers=(*call.job.answers, sample))
            self._write(lambda: self.partial.sample(call.number, sample))

    def _ended(self, call: _Call, client: _Client, told: Job, noticed: float) -> None:
        seconds = round(told.seconds or noticed, 3)
        assert isinstance(told.status, JobStatus)  # for the type checker
        transcript = _transcript(told.output)
        call.job = replace(
            call.job,
            status=told.status,
            seconds=seconds,
            # The end is noticed later than it comes.
            answers=tuple(replace(sample, seconds=min(sample.seconds, seconds)) for sample in call.job.answers),
            error=self._message(told.error),
            media=tuple(
                Medium("", "", 0, media.width, media.height, media.seconds, self._message(media.caption))
                for media in told.media
            ),
            text=self._text(told.text),
            segments=self._segments(transcript.get("segments")),
            language=self._message(transcript.get("language")),
            model=self._message(told.model),
            tier=self._message(told.raw.get("modelTier") or told.raw.get("model_tier")),
            estimated=told.estimated_credits,
            actual=told.actual_credits,
        )
        job = call.job
        self._write(lambda: self.partial.job(call.number, job))
        if told.media:
            task = spawn(self._fetch(call, client, told))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)
        if self._changed is not None:
            self._changed.set()

    async def _fetch(self, call: _Call, client: _Client, told: Job) -> None:
        for index, media in enumerate(told.media):
            file = self.partial.folder / f"{call.number}-{index}"
            try:
                await downloads.save(client, media.url, file, kind=media.kind)
                if await self._disk.run(_kept(self.partial, call.number, index, file)) is None:
                    raise MediaError("It has a type that a recording does not keep.")
            except (NovaKitError, OSError) as error:
                self.missing.append(f"{told.id or told.tool}: {self._message(str(error))}")

    def _ended_here(self, client: _Client, told: Job) -> None:
        """Keep a job that this process has watched but not submitted: its answer was lost, or it was attached."""
        tool = Tool.known(told.tool)
        if self._process != os.getpid() or told.id is None or tool is None or (client.account, told.id) in self._by_id:
            return
        self._note_personal(told.raw)
        # The service may have added names of its own, so only documented ones are kept.
        documented = {name: value for name, value in (told.params or {}).items() if name in PARAMETERS[tool]}
        params = json.loads(canonical(tool, self._addresses.without(documented)))
        lost = next(
            (
                call
                for call in self._calls.values()
                if call.lost and call.job.tool is tool and call.job.params == params
            ),
            None,
        )
        if lost is None:
            lost = next(
                (
                    call
                    for call in self._calls.values()
                    if call.job.refused is not None
                    and call.job.refused.status >= 500
                    and call.job.tool is tool
                    and call.job.params == params
                ),
                None,
            )
        if lost is None:
            lost = self._add(RecordedJob(tool=tool, params=params))
        lost.lost = False
        lost.job = RecordedJob(tool=tool, params=params, id=_id(told.id))
        self._by_id[client.account, told.id] = lost
        self._told(lost, client, told)

    def _message(self, text: object) -> str | None:
        """Return a text of the service without keys, addresses, and ids of persons and organisations."""
        if not isinstance(text, str) or not text:
            return None
        return self._safe(_ADDRESS.sub("(address)", text))[:_LONGEST_MESSAGE]

    def _text(self, text: object) -> str | None:
        return self._safe(text)[:_LONGEST_TEXT] if isinstance(text, str) else None

    def _safe(self, text: str) -> str:
        for word in self._personal:
            text = text.replace(word, "…")
        return redact_anything_secret(readable(text))

    def _segments(self, value: object) -> tuple[Segment, ...] | None:
        if not isinstance(value, list):
            return None
        return tuple(
            Segment(
                _at(item.get("start")),
                _at(item.get("end")),
                self._text(item.get("text")) or "",
                self._message(item.get("speaker")),
            )
            for item in value
            if isinstance(item, Mapping)
        )


def _kept(partial: Partial, call: int, index: int, file: Path) -> Callable[[], Medium | None]:
    return lambda: partial.medium(call, index, file)


def _id(text: str | None) -> str | None:
    return text if text is not None and _ID.fullmatch(text) else None


def _figure(value: object) -> float | None:
    return None if isinstance(value, str) else number(value)


def _at(value: object) -> float | None:
    found = None if isinstance(value, str) else number(value)
    return found if found is not None and found >= 0 else None


def _transcript(output: object) -> Mapping[str, Any]:
    if not isinstance(output, Mapping):
        return {}
    data = output.get("data")
    return data if isinstance(data, Mapping) and "text" in data else output
