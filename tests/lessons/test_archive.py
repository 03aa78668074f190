"""Files that are no recordings, are damaged, or mean harm: each is refused with its name, and nothing is written or unpacked."""

import json
import os
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as some
import pytest

from novakit_widgets.errors import NovaKitError
from novakit_widgets.lessons import archive, lesson

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


def manifest(**changes):
    """Return a manifest without jobs."""
    return {"format": "novakit-lesson", "version": 1, "created": "2026-11-28T12:00:00Z", "jobs": [], **changes}


def job(**changes):
    """Return a job as a manifest has it."""
    return {"tool": "image", "parameters": {"prompt": "x"}, "status": "completed", "seconds": 1.0, **changes}


def packed(path, body, *entries, compression=zipfile.ZIP_STORED):
    """Write a zip file with a manifest and other entries."""
    with zipfile.ZipFile(path, "w", compression) as made:
        made.writestr("manifest.json", body if isinstance(body, str | bytes) else json.dumps(body))
        for name, content in entries:
            made.writestr(name, content)
    return path


@pytest.fixture
def path(tmp_path):
    """A file to make."""
    return tmp_path / "lesson.novakit"


def digest(content, tmp_path):
    """Return the name of a medium."""
    file = tmp_path / "content"
    file.write_bytes(content)
    return archive.digest_of(file)


def refused(path):
    """Return why a file is refused; the message names it."""
    with pytest.raises(NovaKitError) as caught:
        lesson.read(path)
    assert str(path) in caught.value.message
    assert "Nothing was sent or billed" in caught.value.message
    return caught.value.message


def test_read_smallest_lesson_passes(path):
    """A manifest without jobs is a recording."""
    assert lesson.read(packed(path, manifest())).jobs == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no zip file"),
        (b"<html>", "no zip file"),
        (b"PK\5\6" + b"\0" * 18, "manifest"),
        (b"PK\5\6", "end is missing"),
    ],
)
def test_read_other_files_refused(path, content, why):
    """An empty file, another kind of file, and an empty zip file."""
    path.write_bytes(content)
    assert why in refused(path)


def test_read_missing_file_refused(path):
    """A file that is not there."""
    assert "There is no recording" in refused(path)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "media/../../x",
        "C:\\x",
        "media/",
        "media/short",
        "<script>alert(1)</script>",
        "media/" + "A" * 64,
    ],
)
def test_read_names_that_no_recording_has_refused(path, name):
    """Nothing is unpacked, and a name that a recording does not have is refused at once."""
    assert "which no recording has" in refused(packed(path, manifest(), (name, b"x")))
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_read_duplicate_entry_refused(path):
    """Two entries of one name could be read differently by different readers."""
    name = "media/" + "0" * 64
    assert "twice" in refused(packed(path, manifest(), (name, PNG), (name, PNG)))


def test_read_zip_bomb_refused_in_little_memory(path):
    """Compressed entries are refused before anything is unpacked."""
    bomb = packed(path, b" " * 200_000_000, compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        assert "compressed" in refused(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_read_long_index_refused_in_little_memory(path):
    """A list of entries of gigabytes, as the end of the file claims it, is not read."""
    whole = bytearray(packed(path, manifest()).read_bytes())
    at = whole.rfind(b"PK\5\6")
    struct.pack_into("<I", whole, at + 12, 2_000_000_000)
    path.write_bytes(whole)
    assert "list of entries is too long" in refused(path)


def test_read_large_manifest_refused(path, monkeypatch):
    """A manifest is bounded."""
    monkeypatch.setattr(lesson, "_MOST_MANIFEST", 100)
    assert "more than 100 bytes" in refused(packed(path, manifest(jobs=[job()] * 10)))


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        '"text"',
        '{"format": "novakit-lesson", "version": 1, "created": NaN, "jobs": []}',
        "[" * 100_000,
        {"format": "other"},
        manifest(version=2),
        manifest(version="1"),
        manifest(created="<script>"),
        manifest(jobs={}),
        manifest(jobs=[1]),
        manifest(jobs=[job(tool="virus")]),
        manifest(jobs=[job(tool=["image"])]),
        manifest(jobs=[job(parameters=[])]),
        manifest(jobs=[job(status="processing")]),
        manifest(jobs=[job(status={})]),
        manifest(jobs=[job(seconds=-1)]),
        manifest(jobs=[job(seconds=1e300)]),
        manifest(jobs=[job(seconds="1")]),
        manifest(jobs=[job(seconds=10**400)]),
        manifest(jobs=[job(actual=-(10**400))]),
        manifest(jobs=[job(id="../x")]),
        manifest(jobs=[job(id="<script>")]),
        manifest(jobs=[job(answers=[[1, "completed", 1]])]),
        manifest(jobs=[job(answers=[[2, "pending", 1], [1, "pending", 1]])]),
        manifest(jobs=[job(answers=[[1, [], 1]])]),
        manifest(jobs=[job(error=1)]),
        manifest(jobs=[job(url="http://example.org")]),
        manifest(jobs=[job(media=[{"sha256": "../x"}])]),
        manifest(jobs=[job(media=[{"sha256": "0" * 64, "mime": "text/html", "size": 1}])]),
        manifest(jobs=[job(media=[{"sha256": "0" * 64, "mime": ["x"], "size": 1}])]),
        manifest(jobs=[job(media=[{"sha256": "0" * 64, "mime": "image/png", "size": 1}])]),
        manifest(jobs=[job(media=[{"url": "http://example.org"}])]),
        manifest(jobs=[job(refused={"status": 200, "error": ""})]),
        manifest(jobs=[job(refused={"status": True, "error": ""})]),
        manifest(jobs=[job(refused={"status": 402, "error": "", "figures": {"generations_needed": "x"}})]),
    ],
    ids=lambda body: str(body)[-40:],
)
def test_read_wrong_manifest_refused(path, body):
    """A value of another type, an unknown field, or a medium that is missing."""
    refused(packed(path, body))


def test_read_html_as_media_refused(path, tmp_path):
    """A page can't be served as a result, whatever its type is said to be."""
    page = b"<html><script>alert(1)</script></html>"
    name = digest(page, tmp_path)
    medium = {"sha256": name, "mime": "image/png", "size": len(page)}
    assert "is no image/png" in refused(packed(path, manifest(jobs=[job(media=[medium])]), (f"media/{name}", page)))


def test_read_another_size_refused(path, tmp_path):
    """The manifest and the entry tell the same size."""
    name = digest(PNG, tmp_path)
    medium = {"sha256": name, "mime": "image/png", "size": 5}
    assert "another size" in refused(packed(path, manifest(jobs=[job(media=[medium])]), (f"media/{name}", PNG)))


@pytest.fixture
def good(path, tmp_path):
    """A recording with a picture."""
    name = digest(PNG, tmp_path)
    medium = {"sha256": name, "mime": "image/png", "size": len(PNG)}
    return packed(path, manifest(jobs=[job(media=[medium])]), (f"media/{name}", PNG))


def test_check_changed_bytes_refused(good):
    """Bytes that are not those of the digest are found when they are used, not when the file is opened."""
    whole = good.read_bytes()
    good.write_bytes(whole.replace(b"0" * 50, b"1" * 50, 1))
    found = lesson.read(good)
    with pytest.raises(NovaKitError, match=r"lesson\.novakit .* damaged"):
        found.check(found.jobs[0].media[0])


def test_read_cut_anywhere_refused(good):
    """A file that was not copied to its end."""
    whole = good.read_bytes()
    for size in range(0, len(whole), 7):
        good.write_bytes(whole[:size])
        refused(good)


@hypothesis.example(place=-4, byte=1)  # where the list of entries begins
@hypothesis.given(place=some.integers(0, 10_000), byte=some.integers(0, 255))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_read_any_byte_changed_is_read_or_refused(good, place, byte):
    """Whatever is changed, the file is read or refused, and nothing else is raised."""
    whole = good.read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] = byte
    good.write_bytes(changed)
    try:
        found = lesson.read(good)
        for recorded in found.jobs:
            for medium in recorded.media:
                found.check(medium)
    except NovaKitError:
        pass
    finally:
        good.write_bytes(whole)


def test_read_only_share(good):
    """It is only read."""
    good.chmod(stat.S_IRUSR)
    good.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert len(lesson.read(good).jobs) == 1
    finally:
        good.parent.chmod(stat.S_IRWXU)


def test_read_two_gigabytes_in_little_memory(path, tmp_path):
    """A large file is not loaded to be opened, whatever its size."""
    size = 2_100_000_000
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom")
        file.truncate(size)  # sparse: it takes no room
    name = "0" * 64
    medium = {"sha256": name, "mime": "video/mp4", "size": size}
    body = json.dumps(manifest(jobs=[job(tool="video", media=[medium])])).encode()
    head = len(body) + 30 + len("manifest.json") + 30 + len(f"media/{name}")
    _sparse_zip(path, body, f"media/{name}", size)
    tracemalloc.start()
    try:
        found = lesson.read(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert found.media[name].size == size
    assert found.media[name].offset == head


def _sparse_zip(path, body, name, size):
    """Write a zip file with a large entry of zeros, without writing the zeros."""
    head = b"\0\0\0\x18ftypisom"
    encoded = name.encode()
    with path.open("wb") as file:
        file.write(
            struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, len(body), len(body), 13, 0)
            + b"manifest.json"
            + body
        )
        second = file.tell()
        file.write(
            struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, size, size, len(encoded), 0) + encoded + head
        )
        file.seek(size - len(head), os.SEEK_CUR)
        index = file.tell()
        for place, length, called in ((0, len(body), b"manifest.json"), (second, size, encoded)):
            file.write(
                struct.pack(
                    "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, length, length, len(called), 0, 0, 0, 0, 0, place
                )
                + called
            )
        end = file.tell()
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, end - index, index, 0))


def test_write_replaces_only_when_whole(path, tmp_path, monkeypatch):
    """An error while writing leaves the earlier file, and nothing beside it."""
    path.write_bytes(b"earlier")
    medium = tmp_path / "medium"
    medium.write_bytes(PNG)
    with pytest.raises(FileNotFoundError):
        archive.write(path, b"{}", [("0" * 64, medium), ("1" * 64, tmp_path / "missing")])
    assert path.read_bytes() == b"earlier"
    assert {found.name for found in tmp_path.iterdir()} == {"lesson.novakit", "medium"}
    archive.write(path, b"{}", [("0" * 64, medium)])
    assert set(archive.read_index(path)) == {"manifest.json", "media/" + "0" * 64}
    assert Path(path).stat().st_size < 1_000
