"""A board of a thousand jobs: its models, its messages, the kernel's time for painting, and the page's frames while it scrolls."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from novakit_widgets.sandbox import Sandbox

from ..beside import load
from ..kernels import Kernel, Message, kernel
from ..report import Report, percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]

_TOGETHER = 0.05  # seconds; messages that are nearer to each other are those of one repaint
_COMPARED = 100  # cards and bars: a thousand of them would take a browser minutes
_SECONDS = 3.0  # that a job takes; about twenty end each second
_BEGIN = (
    "import asyncio, json, time; import novakit_widgets as nk; from tqdm.notebook import tqdm; "
    "link = nk.use_sandbox(); nk.configure(limits='off')"
)
_BOARD = """
from novakit_widgets import JobBoard
paint, spent = JobBoard.paint, []
def timed(board):
    began = time.thread_time()  # what others make it wait for is not its own
    messages = paint(board)
    spent.append(1000 * (time.thread_time() - began))
    return messages
JobBoard.paint = timed
prompts = [f'A lighthouse in a storm, number {{number}}, waves breaking over the rocks' for number in range({jobs})]
board = nk.batch('image', prompts, size='512x512', max_running=100)
board
"""
_CARDS = """
cards = [nk.JobWidget('image', {{'prompt': f'A lighthouse, number {{number}}'}}, autostart=False) for number in range({count})]
for card in cards:
    display(card)
"""
_BARS = "bars = [tqdm(total=100) for number in range({count})]"
_FRAMES = """
async ([seconds]) => {
  const table = [...document.querySelectorAll('.novakit-board .widget-html')].find(e => e.querySelector('.nk-table'));
  const page = document.querySelector('.jp-WindowedPanel-outer') || document.scrollingElement;
  const times = [], end = performance.now() + 1000 * seconds;
  let down = true, scrolled = 0;
  return await new Promise(resolve => {
    const frame = now => {
      times.push(now);
      const before = table.scrollTop;
      table.scrollTop += down ? 25 : -25;
      page.scrollTop += down ? 5 : -5;
      scrolled += Math.abs(table.scrollTop - before);
      if (table.scrollTop === before) down = !down;
      if (now < end) requestAnimationFrame(frame); else resolve({times, scrolled});
    };
    requestAnimationFrame(frame);
  });
}
"""


def run(*, jobs: int = 1000, seconds: float = 20.0) -> Report:
    """Measure, which takes about two minutes.

    Args:
        jobs: on the board.
        seconds: to scroll in the browser while they finish.
    """
    report = Report(
        f"board: {jobs} jobs, ipywidgets {version('ipywidgets')}, tqdm {version('tqdm')}",
        (
            "who",
            "models",
            "to make it, bytes",
            "repaints",
            "bytes a repaint",
            "most a repaint",
            "CPU ms a repaint, p99",
        ),
    )
    with Sandbox(durations={"image": _SECONDS}, limits="off", quotas="off", media="canned", seed=1) as sandbox:
        with kernel(NOVAKIT_SANDBOX_URL=sandbox.origin) as running:
            running.run(_BEGIN)
            _board(report, running, jobs)
            _made(report, running, f"{_COMPARED} cards, one a job", _CARDS.format(count=_COMPARED))
            _made(report, running, f"{_COMPARED} bars of tqdm.notebook", _BARS.format(count=_COMPARED))
        asyncio.run(_scrolling(report, sandbox, jobs, seconds))
    return report


def _board(report: Report, running: Kernel, jobs: int) -> None:
    running.messages.clear()
    running.run(_BOARD.format(jobs=jobs))
    running.listen(0.2)
    opened = [message for message in running.messages if message.kind == "comm_open"]
    made = sum(message.size for message in running.messages)
    running.messages.clear()
    running.run("jobs = await board", seconds=300.0)
    running.listen(1.0)
    models = len(opened) + sum(message.kind == "comm_open" for message in running.messages)
    repaints = [
        sum(message.size for message in tick)
        for tick in _ticks([message for message in running.messages if message.kind == "comm_msg"])
    ]
    spent = running.ask("print(json.dumps(spent))")
    done = running.ask("print(len(jobs))")
    if done != jobs:
        raise RuntimeError(f"only {done} of {jobs} jobs were completed")
    worst = percentile(spent, 0.99)
    report.add("JobBoard", models, made, len(repaints), sum(repaints) / len(repaints), max(repaints), worst)
    report.goal(f"models of a board of {jobs} jobs", models, 60)
    report.goal("bytes of its largest repaint", max(repaints), 100_000)
    report.goal("the kernel's CPU time for a repaint, p99", worst, 20, " ms")


def _made(report: Report, running: Kernel, who: str, code: str) -> None:
    running.messages.clear()
    running.run(code)
    running.listen(0.5)
    opened = sum(message.kind == "comm_open" for message in running.messages)
    report.add(who, opened, sum(message.size for message in running.messages), None, None, None, None)


def _ticks(messages: Sequence[Message]) -> list[list[Message]]:
    """Put the messages of one repaint together."""
    ticks: list[list[Message]] = []
    for message in messages:
        if ticks and message.at - ticks[-1][-1].at < _TOGETHER:
            ticks[-1].append(message)
        else:
            ticks.append([message])
    return ticks


async def _scrolling(report: Report, sandbox: Sandbox, jobs: int, seconds: float) -> None:
    """Scroll the table and the page in Chromium while jobs finish, and count the frames."""
    browsers, servers, page = load("support/browsers"), load("support/servers"), load("support/page")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        path = browsers.chromium(playwright)
        if path is None:
            report.notes.append(f"frames a second: not measured, {browsers.HOW_TO_GET_ONE}")
            return
        browser = await browsers.launch(playwright, path)
        with tempfile.TemporaryDirectory() as folder, servers.serving("lab", Path(folder)) as server:
            begin = f"import novakit_widgets as nk; nk.use_sandbox(url={sandbox.origin!r}); nk.configure(limits='off')"
            prompts = f"[f'A lighthouse, number {{n}}' for n in range({jobs})]"
            call = f"board = nk.batch('image', {prompts}, size='512x512', max_running=100)\nboard"
            file = page.write_notebook(server.folder / "board" / "notebook.ipynb", [begin, call, *["#"] * 30])
            context = await browser.new_context(viewport={"width": 1000, "height": 900})
            notebook = await page.Notebook.open(context, server, file)
            await notebook.run_all()
            card = notebook.card(1)
            await page.expect(card.locator(".nk-table tbody tr")).to_have_count(100)
            first = await _done(card)
            moving: dict[str, Any] = await notebook.page.evaluate(_FRAMES, [seconds])
            last = await _done(card)
            await card.get_by_role("button", name="Cancel all").click()
            await context.close()
            servers.end_sessions(server)
        await browser.close()
    if last - first < seconds or moving["scrolled"] < 1000:
        raise RuntimeError(f"{last - first} jobs finished and {moving['scrolled']:.0f} pixels were scrolled: too few")
    times = [time / 1000 for time in moving["times"]]
    gaps = sorted(1000 * (after - before) for before, after in itertools.pairwise(times))
    rate = (len(times) - 1) / (times[-1] - times[0])
    whole = range(int(times[-1] - times[0]))
    slowest = min(sum(times[0] + second <= time < times[0] + second + 1 for time in times) for second in whole)
    report.notes.append(
        f"scrolling while {last - first} jobs finished in {seconds:g} s, Chromium {browser.version}: {rate:.1f} frames a second, "
        f"{slowest} in the slowest; a frame takes {percentile(gaps, 0.5):.3g} ms, p99 {percentile(gaps, 0.99):.3g} ms, "
        f"most {gaps[-1]:.3g} ms"
    )
    verdict = "met" if rate >= 30 else "MISSED"
    report.notes.append(f"goal: frames a second while it scrolls at least 30: {rate:.3g}, {verdict}")


async def _done(card: Any) -> int:
    """Return how many jobs a board says are done."""
    words: str = await card.locator(".nk-totals").inner_text()
    return int(words.split(" of ", maxsplit=1)[0].replace(",", ""))
