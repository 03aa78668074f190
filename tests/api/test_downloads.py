"""Downloads: taken up where they broke, bounded, checked, and never a half or a strange file."""

from __future__ import annotations

import hashlib
import os
from contextlib import asynccontextmanager

import httpx
import pytest
from media_host import MOVIE, Host, files

from novakit_widgets import NovaKitClient, settings
from novakit_widgets.api import downloads
from novakit_widgets.api.transfers import MediaStream
from novakit_widgets.errors import MediaError, MediaExpiredError
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.sandbox import Fault

KEY = "sk_" + "a" * 64
URL = "https://cdn.example/../../etc/evil.exe?name=x"


async def test_a_result_is_saved_from_the_sandbox(client, tmp_path):
    """Into a file of the user's name, or into a folder under a name of ours with the ending its bytes have."""
    job = await client.get((await client.submit("image", {"prompt": "x"})).id, poll=True)
    file = await client.download(job.media[0].url, tmp_path / "deep" / "picture.png")
    assert file == tmp_path / "deep" / "picture.png"
    assert file.read_bytes().startswith(b"\x89PNG")
    in_folder = await client.download(job.media[0].url, tmp_path)
    assert in_folder.parent == tmp_path
    assert in_folder.name == f"novakit-{hashlib.sha256(job.media[0].url.encode()).hexdigest()[:12]}.png"
    assert in_folder.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_break_is_taken_up_where_it_broke(tmp_path, ranges):
    """By Range where the host knows it; where it starts again, so do we, and no progress is told twice."""
    host = Host(gives=[1_000, 3_000, 4_050], ranges=ranges)
    seen = []
    file = await downloads.save(host, URL, tmp_path / "a.mp4", on_progress=lambda *there: seen.append(there))
    assert file.read_bytes() == MOVIE
    assert host.starts == ([0, 1_000, 4_000, 8_050] if ranges else [0, 1_000, 3_000, 4_050])
    assert seen[-1] == (len(MOVIE), len(MOVIE))
    assert [there for there, _ in seen] == sorted({there for there, _ in seen})
    assert host.open == 0


async def test_a_real_connection_that_breaks(client, sandbox, tmp_path):
    """The sandbox cuts the answer in the middle; the rest is asked for with a Range."""
    job = await client.get((await client.submit("image", {"prompt": "x"})).id, poll=True)
    whole = await client.download(job.media[0].url, tmp_path / "whole.png")
    injected = sandbox.inject(Fault.truncated(), path="/media/*")
    file = await client.download(job.media[0].url, tmp_path / "again.png")
    assert injected.hits == 1
    assert file.read_bytes() == whole.read_bytes()


async def test_it_gives_up_after_some_breaks(tmp_path):
    """A host that always breaks is an error, and nothing is left."""
    host = Host(gives=[10] * 20)
    with pytest.raises(MediaError, match="broke"):
        await downloads.save(host, URL, tmp_path / "a.mp4")
    assert len(host.starts) == 4
    assert files(tmp_path) == []


async def test_a_host_that_restarts_is_given_time(tmp_path):
    """Between the attempts there are growing pauses, at the sandbox's pace, and none before the first."""
    settings.configure(speed=2.0)
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    host = Host(gives=[1_000, 0, 10])
    file = await downloads.save(host, URL, tmp_path / "a.mp4", sleep=sleep)
    assert file.read_bytes() == MOVIE
    assert pauses == [0.25, 0.75, 2.0]
    assert await downloads.fetch(Host(gives=[10]), URL, limit=20_000, sleep=sleep)
    assert pauses == [0.25, 0.75, 2.0, 0.25]


@pytest.mark.parametrize(("kind", "refused"), [("video", True), ("audio", True), ("image", False), (None, False)])
async def test_a_picture_is_never_saved_as_a_video(tmp_path, kind, refused):
    """An error that is served as a picture is none of what was paid for; what was asked for as media of any kind is kept."""
    host = Host(b"\x89PNG\r\n\x1a\n" + bytes(100))
    if not refused:
        assert (await downloads.save(host, URL, tmp_path, kind=kind)).suffix == ".png"
        return
    for work in (
        lambda: downloads.save(host, URL, tmp_path / "boat.mp4", kind=kind),
        lambda: downloads.fetch(host, URL, limit=1_000, kind=kind),
        lambda: downloads.save_all(host, Job("job_1", JobStatus.COMPLETED, output={kind: URL}), tmp_path),
    ):
        with pytest.raises(MediaError, match="a picture"):
            await work()
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 0-9/{'9' * 5_000}"},
        {"Content-Range": f"bytes {'9' * 5_000}-9/*"},
        {"Content-Length": "9" * 5_000},
    ],
)
async def test_no_number_in_a_header_breaks_a_download(nothing_left, tmp_path, headers):
    """One of thousands of digits, which Python would not read, is as good as none."""

    async def content():
        yield MOVIE

    def answer(_request):
        return httpx.Response(206, content=content(), headers=headers)

    client = NovaKitClient(KEY, transport=httpx.MockTransport(answer))
    assert (await client.download("https://cdn.example/a", tmp_path / "a.mp4")).read_bytes() == MOVIE
    await client.aclose()


async def test_an_end_that_comes_too_early(tmp_path):
    """Fewer bytes than announced, without any error of the connection, are not taken for the whole."""

    class Short(Host):
        @asynccontextmanager
        async def open_media(self, url, *, start=0, version=None):
            async with super().open_media(url, start=start) as stream:
                yield MediaStream(stream.status, "", len(MOVIE) + 1, stream.chunks)

    with pytest.raises(MediaError, match="several times"):
        await downloads.save(Short(), URL, tmp_path / "a.mp4")
    assert files(tmp_path) == []


async def test_a_length_that_nobody_told(tmp_path):
    """Without a length the end of the answer is the end of the file."""
    assert (await downloads.save(Host(total=False), URL, tmp_path / "a.mp4")).read_bytes() == MOVIE


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html><h1>404</h1></html>", b"{}", b"", b"MZ" + bytes(5_000)])
async def test_an_error_page_is_never_saved_as_a_video(tmp_path, content):
    """What is no media is refused whatever the server calls it, and a file that was there stays."""
    target = tmp_path / "a.mp4"
    target.write_bytes(b"yesterday's")
    with pytest.raises(MediaError, match="error page"):
        await downloads.save(Host(content), URL, target)
    assert target.read_bytes() == b"yesterday's"
    assert files(tmp_path) == ["a.mp4"]
    with pytest.raises(MediaError, match="error page"):
        await downloads.fetch(Host(content), URL, limit=10_000)


@pytest.mark.parametrize("total", [True, False])
async def test_a_size_has_a_bound(tmp_path, total):
    """More bytes than the limit are refused, announced or not, and the connection is closed at once."""
    host = Host(total=total)
    with pytest.raises(MediaError, match="larger than"):
        await downloads.save(host, URL, tmp_path / "a.mp4", limit=500)
    assert host.open == 0
    assert files(tmp_path) == []
    assert await downloads.fetch(host, URL, limit=500) is None
    assert host.open == 0
    content, mime = await downloads.fetch(host, URL, limit=len(MOVIE))
    assert (content, mime) == (MOVIE, "video/mp4")


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_address_whose_time_is_over(tmp_path, status):
    """It is said at once, and not asked for again."""
    host = Host(status=status)
    with pytest.raises(MediaExpiredError, match="no longer served") as caught:
        await downloads.save(host, URL, tmp_path / "a.mp4")
    assert caught.value.status_code == status
    assert host.starts == [0]
    host = Host(status=451)
    with pytest.raises(MediaError, match="451"):
        await downloads.save(host, URL, tmp_path / "a.mp4")
    assert host.starts == [0]
    assert files(tmp_path) == []


class Web:
    """A media host: each entry is the status, the headers and the bytes of an answer."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.pauses = []
        self.client = NovaKitClient(KEY, transport=httpx.MockTransport(self._answer))

    def _answer(self, request):
        self.asked.append({name: request.headers[name] for name in ("range", "if-range") if name in request.headers})
        status, headers, content = self.answers.pop(0)
        return httpx.Response(status, headers=headers, stream=_Sent(content))

    async def sleep(self, seconds):
        self.pauses.append(seconds)

    async def saved(self, folder):
        try:
            file = await downloads.save(self.client, URL, folder / "a.mp4", sleep=self.sleep)
            return file.read_bytes()
        finally:
            await self.client.aclose()


class _Sent(httpx.AsyncByteStream):
    """Bytes, and then a connection that breaks where ``...`` follows them."""

    def __init__(self, content):
        self.content = content if isinstance(content, tuple) else (content,)

    async def __aiter__(self):
        for piece in self.content:
            if piece is ...:
                raise httpx.ReadError("broken")
            yield piece


OTHER = MOVIE[:16] + bytes(len(MOVIE) - 16)
LENGTH = {"Content-Length": str(len(MOVIE))}


def part(content, *, first=1_000, **headers):
    """Answer with a file from a byte on."""
    told = f"bytes {first}-{len(content) - 1}/{len(content)}"
    return 206, {"Content-Range": told, **headers}, content[first:]


def whole(content, **headers):
    """Answer with a whole file."""
    return 200, {"Content-Length": str(len(content)), **headers}, content


def broken(**headers):
    """Answer with the first thousand bytes, and break off."""
    return 200, {**LENGTH, **headers}, (MOVIE[:1_000], ...)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("resumed", [False, True])
async def test_a_host_that_can_not_for_the_moment_is_asked_again(nothing_left, tmp_path, status, resumed):
    """As after a connection that broke, and from where that was; not before the host said, and not for ever."""
    settings.configure(speed=1.0)
    before = [broken()] if resumed else []
    web = Web(*before, (status, {"Retry-After": "3"}, b"busy"), part(MOVIE) if resumed else whole(MOVIE))
    assert await web.saved(tmp_path) == MOVIE
    assert web.pauses == ([0.5, 3.0] if resumed else [3.0])
    assert web.asked[-1] == ({"range": "bytes=1000-"} if resumed else {})
    web = Web(*[(status, {}, b"busy")] * 4)
    with pytest.raises(MediaError, match=str(status)) as caught:
        await web.saved(tmp_path / "again")
    assert caught.value.status_code == status
    assert web.pauses == [0.5, 1.5, 4.0]


@pytest.mark.parametrize(("told", "pauses"), [("30", [30.0]), ("31", None), ("soon", [0.5])])
async def test_a_host_that_asks_for_long_is_not_waited_for(nothing_left, tmp_path, told, pauses):
    """To come before it said would be in vain, and nobody waits for minutes."""
    settings.configure(speed=1.0)
    web = Web((503, {"Retry-After": told}, b"busy"), whole(MOVIE))
    if pauses is None:
        with pytest.raises(MediaError, match="503"):
            await web.saved(tmp_path)
    else:
        assert await web.saved(tmp_path) == MOVIE
        assert web.pauses == pauses


async def test_only_a_refusal_says_when_to_come_back(nothing_left, tmp_path):
    """What an answer that has the file says of it is of no account when the connection breaks: it could be for ever."""
    settings.configure(speed=1.0)
    web = Web(broken(**{"Retry-After": "86400"}), part(MOVIE))
    assert await web.saved(tmp_path) == MOVIE
    assert web.pauses == [0.5]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"ETag": '"a"', "Last-Modified": "Sun, 01 Jun 2025 10:00:00 GMT"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "Sun, 01 Jun 2025 10:00:00 GMT"}, "Sun, 01 Jun 2025 10:00:00 GMT"),
        ({"ETag": 'W/"a"'}, None),
    ],
)
async def test_what_broke_off_is_taken_up_of_the_same_file_only(nothing_left, tmp_path, headers, said):
    """The host is told which file the rest belongs to, and sends all of another."""
    web = Web(broken(**headers), whole(OTHER, ETag='"b"'))
    assert await web.saved(tmp_path) == OTHER
    assert web.asked == [{}, {"range": "bytes=1000-", **({} if said is None else {"if-range": said})}]


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        (part(OTHER, ETag='"b"'), OTHER),  # it minds no If-Range
        (part(OTHER + b"x"), OTHER),
        ((416, {"Content-Range": "bytes */900"}, b""), OTHER),
        (part(MOVIE, ETag='"a"'), MOVIE),
        (part(MOVIE), MOVIE),
    ],
)
async def test_two_files_are_never_joined(nothing_left, tmp_path, rest, wanted):
    """A rest that is known to be another file's is left, and that file asked for from its beginning."""
    web = Web(broken(ETag='"a"'), rest, whole(OTHER, ETag='"b"'))
    assert await web.saved(tmp_path) == wanted
    assert web.asked[2:] == ([{}] if wanted is OTHER else [])


async def test_another_file_that_is_empty_is_not_taken_for_the_first(nothing_left, tmp_path):
    """Nothing of what was there before is left."""
    web = Web(broken(), whole(b""))
    with pytest.raises(MediaError, match="no video, sound or image"):
        await web.saved(tmp_path)
    assert files(tmp_path) == []


async def test_a_file_in_memory_is_not_joined_either(nothing_left, tmp_path):
    """`fetch` begins anew as `save` does."""
    web = Web(broken(), whole(OTHER))
    assert await downloads.fetch(web.client, URL, limit=100_000, sleep=web.sleep) == (OTHER, "video/mp4")
    await web.client.aclose()


async def test_what_is_no_address_is_not_fetched(client, tmp_path):
    """A file, a script, a key's own host name: nothing but http and https."""
    for url in ("file:///etc/passwd", "javascript:alert(1)", "", "https://", "https://127.0.0.1:99999999/x"):
        with pytest.raises(MediaError, match="no http or https"):
            await client.download(url, tmp_path)
    for url in ("http://127.0.0.1:1/x", "https://cdn.example/\x7f", "https://xn--/", "https://xn--a\u00fc.example/x"):
        with pytest.raises(MediaError, match="could not be fetched"):
            await client.download(url, tmp_path)
    assert files(tmp_path) == []


async def test_a_fault_of_the_caller_leaves_nothing(tmp_path):
    """A callback that raises, or a folder that is a file, leaves no part behind and no connection open."""
    host = Host()
    with pytest.raises(ZeroDivisionError):
        await downloads.save(host, URL, tmp_path / "a.mp4", on_progress=lambda *_: 1 / 0)
    assert host.open == 0
    assert files(tmp_path) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        await downloads.save(host, URL, tmp_path / "file" / "a.mp4")


async def test_the_service_never_chooses_a_path(tmp_path):
    """Neither the address nor the id makes a name; only what is fit for one does."""
    for url in (URL, "https://cdn.example/%2e%2e%2fa.mp4", "https://cdn.example/" + "a" * 5_000):
        file = await downloads.save(Host(), url, tmp_path)
        assert file.parent == tmp_path
        assert file.suffix == ".mp4"
        assert file.name.startswith("novakit-")
    for job_id in ("../../x", "a/b", "", None, "x" * 100, "a\0b", "con.exe", "ä"):
        stem = downloads.stem_of(Job(job_id, "completed"))
        assert stem.startswith("novakit-")
        assert len(stem) == len("novakit-") + 12
    assert downloads.stem_of(Job("job_abc-1", "completed")) == "novakit-job_abc-1"


def _job(*urls, job_id="job_1"):
    return Job(job_id, JobStatus.COMPLETED, tool="image", output={"images": [{"url": url} for url in urls]})


async def test_unfinished_files_of_killed_processes_are_removed(tmp_path):
    """A day after their last byte. Those of a download that is under way, and the user's own files, stay."""
    old = {".novakit-0123.part": False, ".novakit-4567.part": True, "mine.part": True, ".novakit-notes.txt": True}
    for name in old:
        file = tmp_path / name
        file.write_bytes(b"x")
        age = 3_600 if name == ".novakit-4567.part" else 200_000
        os.utime(file, (file.stat().st_mtime - age,) * 2)
    await downloads.save(Host(), "https://cdn.example/a.mp4", tmp_path / "a.mp4")
    assert files(tmp_path) == sorted([name for name, stays in old.items() if stays] + ["a.mp4"])


async def test_all_results_of_a_job(tmp_path):
    """Into a folder, which is made; several do not fit into one file; none is an error."""
    job = _job("https://c.example/a", "https://c.example/b")
    saved = await downloads.save_all(Host(), job, tmp_path / "new")
    assert [file.name for file in saved] == ["novakit-job_1-1.mp4", "novakit-job_1-2.mp4"]
    with pytest.raises(MediaError) as refused:
        await downloads.save_all(Host(), job, tmp_path / "one.mp4")
    assert f"save({str(tmp_path / 'one')!r})" in str(refused.value)
    assert f"job.media[0].save({str(tmp_path / 'one.mp4')!r})" in str(refused.value)
    one = await downloads.save_all(Host(), _job("https://c.example/a"), tmp_path / "one.mp4")
    assert one == [tmp_path / "one.mp4"]
    with pytest.raises(MediaError, match="no media to save"):
        await downloads.save_all(Host(), _job(), tmp_path)


async def test_an_expired_address_is_renewed(client, sandbox, tmp_path):
    """The service is asked for the job once more; where it has new addresses the result is saved all the same."""
    job = await client.get((await client.submit("image", {"prompt": "x"})).id, poll=True)
    sandbox.expire_media(job.id, renew=True)
    saved = await downloads.save_all(client, job, tmp_path)
    assert saved[0].read_bytes().startswith(b"\x89PNG")
    sandbox.expire_media(job.id)
    with pytest.raises(MediaExpiredError):
        await downloads.save_all(client, job, tmp_path / "again")
    with pytest.raises(MediaExpiredError):
        await downloads.save_all(client, Job(None, JobStatus.COMPLETED, output=job.output), tmp_path / "none")


async def test_media_are_asked_for_without_the_key(nothing_left, tmp_path):
    """No header has it, also after a redirect; and nothing is compressed on the way."""
    asked = []

    def answer(request):
        asked.append(request)
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"Location": "https://other.example/a.mp4"})
        return httpx.Response(200, content=MOVIE)

    client = NovaKitClient(KEY, "https://cdn.example", transport=httpx.MockTransport(answer))
    await client.download("https://cdn.example/moved", tmp_path / "a.mp4")
    assert [str(request.url) for request in asked] == ["https://cdn.example/moved", "https://other.example/a.mp4"]
    assert all(KEY not in str(request.headers.raw) for request in asked)
    assert all(request.headers["accept-encoding"] == "identity" for request in asked)
    await client.aclose()


async def test_a_host_that_compresses_all_the_same(nothing_left, tmp_path):
    """The length it tells is not that of the bytes that we see, so it does not count."""
    import gzip

    packed = gzip.compress(MOVIE)
    client = NovaKitClient(
        KEY,
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"}),
        ),
    )
    assert (await client.download("https://cdn.example/a", tmp_path / "a.mp4")).read_bytes() == MOVIE
    await client.aclose()


def test_saving_blocks_in_a_plain_script(sandbox, tmp_path):
    """job.save and media.save need no await."""
    import asyncio

    async def make():
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)
        job = await client.get((await client.submit("image", {"prompt": "x"})).id, poll=True)
        await client.aclose()
        return job

    job = asyncio.run(make())
    client = NovaKitClient(sandbox.api_key, sandbox.base_url)
    assert [file.suffix for file in job.save(tmp_path / "all", client=client)] == [".png"]
    assert job.media[0].save(tmp_path / "one.png", client=client).stat().st_size > 0
    job_loop.run_blocking(client.aclose)
    assert not client._connections
