"""Media of a result: found in every shape the service is known to use, told by their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import RESULTS

from novakit_widgets.model.media import Media, find_media, find_text, is_web_address, sniff, suffix_of
from novakit_widgets.widgets.card.plain import shown_size

A, B = "https://cdn.example/a", "https://cdn.example/b"


@pytest.mark.parametrize(
    ("tool", "output", "found"),
    [
        ("video", {"video": {"url": A}}, [(A, "video")]),
        ("video", {"data": {"url": A, "duration_seconds": 5}}, [(A, "video")]),
        ("video", {"video_url": A}, [(A, "video")]),
        ("video", {"url": A}, [(A, "video")]),
        ("music", {"audio": {"url": A, "duration_seconds": 5}}, [(A, "audio")]),
        ("music", {"data": {"audio_url": A, "duration_seconds": 5}}, [(A, "audio")]),
        ("tts", {"audio_url": A, "duration_seconds": 5, "character_count": 3}, [(A, "audio")]),
        ("image", {"images": [{"url": A}, {"url": B}]}, [(A, "image"), (B, "image")]),
        ("image", {"data": [{"url": A, "revised_prompt": "x"}]}, [(A, "image")]),
        ("image", [{"url": A}, B], [(A, "image"), (B, "image")]),
        ("image_edit", {"image": {"url": A}}, [(A, "image")]),
        (None, {"url": A}, []),
        (None, {"url": f"{A}.mp3"}, [(f"{A}.mp3", "audio")]),
        (None, {"url": f"{A}.zip"}, []),
        ("stt", {"text": "Hello"}, []),
        ("video", {"video": {"url": A}, "url": A}, [(A, "video")]),
        ("video", {"video": None, "images": {"url": A}, "data": "x"}, []),
        ("video", None, []),
    ],
)
def test_each_shape(tool, output, found):
    """Each documented and each likely shape gives its URLs, in order and once."""
    assert [(media.url, media.kind) for media in find_media(output, tool=tool)] == found


@given(output=RESULTS, tool=st.none() | st.sampled_from(["video", "stt", "x"]))
def test_whatever_a_result_is(output, tool):
    """No JSON breaks the search, and only web addresses come out of it."""
    assert all(is_web_address(media.url) for media in find_media(output, tool=tool))
    assert find_text(output) is None or isinstance(find_text(output), str)
    for media in find_media(output, tool=tool):
        assert media.seconds is None or 0.0 < media.seconds < float("inf")
        assert all(side is None or 0 < side <= 100_000 for side in (media.width, media.height))
        assert all(side is None or side < 1_000 for side in shown_size(media))


@given(tail=st.text(max_size=30), kind=st.sampled_from(["video", "audio", "image"]))
def test_whatever_an_address_is(tail, kind):
    """An address that passes can be asked for and has a type of its kind."""
    url = f"https://cdn.example/{tail}"
    for media in find_media({"url": url}, tool="video"):
        assert media.url.encode()
        assert media.mime.startswith("video/")
        assert media.suffix.startswith(".")
    assert Media(url, kind).mime.startswith(kind)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//cdn.example/a",
        "ftp://cdn.example/a",
        "https://",
        "https:///a",
        "https://[broken/a",
        "https://cdn.example:99999/a",
        "https://cdn.example:port/a",
        "https://cdn.example/a b",
        "java\nscript:alert(1)",
        "https://cdn.example/\ud800",
        "",
        None,
        5,
    ],
)
def test_what_is_no_web_address(text):
    """Nothing but an absolute http or https URL is ever shown or fetched."""
    assert not is_web_address(text)
    assert find_media({"video": {"url": text}}, tool="video") == ()


def test_the_details_that_a_result_gives():
    """Size, length and caption are taken where they make sense."""
    output = {"images": [{"url": A, "width": 512, "height": 256, "revised_prompt": "Better"}]}
    media = find_media(output)[0]
    assert (media.width, media.height, media.caption) == (512, 256, "Better")
    odd = {"images": [{"url": A, "width": "wide", "height": True, "revised_prompt": 5}]}
    assert find_media(odd)[0] == Media(A, "image")
    for seconds, read in [(5, 5.0), (-1, None), (True, None), ("5", None), (float("inf"), None)]:
        assert find_media({"audio": {"url": A, "duration_seconds": seconds}})[0].seconds == read


def test_the_text_of_a_transcription():
    """It is found at the top, and inside data."""
    assert find_text({"text": "Hello"}) == "Hello"
    assert find_text({"data": {"text": "Hello"}}) == "Hello"
    assert find_text({"text": 5}) is None
    assert find_text("Hello") is None


@pytest.mark.parametrize(
    ("url", "kind", "mime", "suffix"),
    [
        ("https://c.example/a.webm?x=.mp3", "video", "video/webm", ".webm"),
        ("https://c.example/a.MP4", "video", "video/mp4", ".mp4"),
        ("https://c.example/a.opus", "audio", "audio/ogg", ".ogg"),
        ("https://c.example/a.html", "video", "video/mp4", ".mp4"),
        ("https://c.example/a", "image", "image/png", ".png"),
        ("https://c.example/a.svg", "image", "image/svg+xml", ".bin"),
    ],
)
def test_the_type_an_address_suggests(url, kind, mime, suffix):
    """The ending counts where it fits the kind; the likeliest type stands in for it."""
    media = Media(url, kind)
    assert (media.mime, media.suffix) == (mime, suffix)
    assert suffix_of("text/html") == ".bin"


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0", "audio/mp4"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "image/avif"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0", "video/quicktime"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (b"\x1a\x45\xdf\xa3" + bytes(12), "video/webm"),
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(12), "image/jpeg"),
        (b"GIF89a" + bytes(10), "image/gif"),
        (b"GIF8 <html>Quota", None),
        (b"OggS" + bytes(12), "audio/ogg"),
        (b"fLaC" + bytes(12), "audio/flac"),
        (b"ID3\x04" + bytes(12), "audio/mpeg"),
        (b"\xff\xfb\x90\x64" + bytes(12), "audio/mpeg"),
        (b"\xff\xf3\x40\xc0" + bytes(12), "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + bytes(12), "audio/aac"),
        (b"<!DOCTYPE html><html>", None),
        (b'{"error": "x"}', None),
        (b"\xef\xbb\xbf<html>", None),
        ("<html>an error</html>".encode("utf-16"), None),
        ('{"error": "x"}'.encode("utf-16"), None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_bytes_have_the_last_word(head, mime):
    """Each format that a browser plays is told by its first bytes, and a page of any encoding is none."""
    assert sniff(head) == mime


@given(text=st.text(), encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be"]))
def test_no_page_is_taken_for_media(text, encoding):
    """However a server encodes its error page, it is not saved as a video."""
    page = f"<html>{text}".encode(encoding, "replace")
    assert sniff(page) is None


@given(head=st.binary(max_size=40))
def test_any_bytes_can_be_told(head):
    """Sniffing never raises."""
    assert sniff(head) is None or "/" in sniff(head)
