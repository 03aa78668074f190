"""Where a finished job's media go: into the notebook, beside it, or nowhere; what fails is told, not raised."""

from __future__ import annotations

import pytest
from media_host import MOVIE, Host, files

from novakit_widgets.api import embedding
from novakit_widgets.api.embedding import check_embed, keep
from novakit_widgets.errors import ConfigurationError, MediaError, MediaExpiredError
from novakit_widgets.model.job import Job, JobStatus


def job_of(count=1):
    urls = [f"https://c.example/{n}.mp4" for n in range(count)]
    return Job("job_1", JobStatus.COMPLETED, tool="video", output={"images": [{"url": url} for url in urls]})


async def test_small_media_go_into_the_notebook(tmp_path):
    """With auto and inline the bytes come, with the type that they have."""
    for embed in ("auto", "inline"):
        (kept,) = await keep(Host(), job_of(), embed, folder=tmp_path)
        assert (kept.content, kept.mime, kept.path, kept.error) == (MOVIE, "video/mp4", None, None)
    assert files(tmp_path) == []


async def test_large_media_go_beside_the_notebook(tmp_path, monkeypatch):
    """With auto, all media of a job share the room; what does not fit becomes a file."""
    monkeypatch.setattr(embedding, "EMBED_BYTES", len(MOVIE) + 10)
    first, second = await keep(Host(), job_of(2), "auto", folder=tmp_path)
    assert first.content == MOVIE
    assert second.content is None
    assert second.path == tmp_path / "novakit-media" / "novakit-job_1-2.mp4"
    assert second.path.read_bytes() == MOVIE


async def test_a_file_is_fetched_once(tmp_path):
    """Shown again, the job's file is found where it was left."""
    host = Host()
    (first,) = await keep(host, job_of(), "file", folder=tmp_path)
    (second,) = await keep(host, job_of(), "file", folder=tmp_path)
    assert first.path == second.path
    assert host.starts == [0]


async def test_a_link_fetches_nothing(tmp_path):
    """The service's address is all there is."""
    host = Host()
    (kept,) = await keep(host, job_of(), "link", folder=tmp_path)
    assert (kept.content, kept.path, kept.error) == (None, None, None)
    assert host.starts == []


async def test_what_fails_is_told(tmp_path, monkeypatch):
    """An expired address, a result too large, a folder that can't be written: the job is done all the same."""
    (kept,) = await keep(Host(status=410), job_of(), "auto", folder=tmp_path)
    assert isinstance(kept.error, MediaExpiredError)
    monkeypatch.setattr(embedding, "INLINE_BYTES", 10)
    (kept,) = await keep(Host(), job_of(), "inline", folder=tmp_path)
    assert isinstance(kept.error, MediaError)
    assert "too large" in str(kept.error)
    (tmp_path / "novakit-media").write_bytes(b"")
    (kept,) = await keep(Host(), job_of(), "file", folder=tmp_path)
    assert isinstance(kept.error, OSError)


def test_a_way_that_there_is_not():
    """It is refused before anything is billed."""
    assert [check_embed(embed) for embed in ("auto", "inline", "file", "link")] == ["auto", "inline", "file", "link"]
    assert check_embed(None) == "auto"  # the setting
    for embed in ("Auto", "", 5, []):
        with pytest.raises(ConfigurationError, match="embed must be one of"):
            check_embed(embed)
