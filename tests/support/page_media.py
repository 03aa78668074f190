"""Whether a video or a sound on a page really plays, and media for the tests that the sandbox does not make."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Locator

_PLAY = """async (media) => {
  const late = (what) => new Promise((_, fail) => setTimeout(() => fail(new Error(
    `${what}: readyState ${media.readyState}, error ${media.error && media.error.message}`)), 15000));
  const event = (name) => Promise.race([late(name), new Promise((done) => media.addEventListener(name, done, {once: true}))]);
  media.preload = 'auto';
  if (media.readyState < 2) await event('loadeddata');
  const found = {readyState: media.readyState, seconds: media.duration, autoplay: media.autoplay, loop: media.loop,
                 paused: media.paused, width: media.videoWidth || 0};
  const target = media.duration / 2;
  const sought = event('seeked'); media.currentTime = target; await sought;
  found.sought = Math.abs(media.currentTime - target);
  media.muted = true;
  const moved = event('timeupdate'); await media.play(); await moved;
  media.pause();
  found.played = media.currentTime - target;
  media.currentTime = 0;
  return found;
}"""


async def assert_plays(media: Locator, *, seconds: float) -> None:
    """Wait until a media element has data, and check that it lasts, seeks and plays, and did not begin by itself."""
    found: dict[str, Any] = await media.evaluate(_PLAY)
    assert found["readyState"] >= 2
    assert found["seconds"] == pytest.approx(seconds, abs=0.15)
    assert found["sought"] < 0.1
    assert found["played"] >= 0
    assert (found["paused"], found["autoplay"], found["loop"]) == (True, False, False)


def padded(video: bytes, size: int) -> bytes:
    """Return an mp4 of a size: the same one, with a box behind it that every player skips."""
    rest = size - len(video)
    return video + rest.to_bytes(4, "big") + b"free" + bytes(rest - 8)


@contextlib.contextmanager
def media_host(content: bytes, mime: str) -> Iterator[str]:
    """Serve the same media under every path as long as the block, and give the origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a player that has seen enough goes
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
