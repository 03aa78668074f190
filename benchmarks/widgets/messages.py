"""Measure the messages of a card while its job runs, and the lag of the kernel's event loop, beside a bar of `tqdm.notebook`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from novakit_widgets.sandbox import Sandbox

from ..kernels import Kernel, Message, kernel
from ..report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]

_TOGETHER = 0.05  # seconds; messages that are nearer to each other are those of one tick
_CARDS = 20
_BEGIN = (
    "import asyncio, json, time; import novakit_widgets as nk; from tqdm.notebook import tqdm; link = nk.use_sandbox()"
)
_CARD = "job = nk.video('A lighthouse in a storm, waves breaking over the rocks', duration_seconds=1); job"
_BAR = """
async def drive(seconds, ticks):
    with tqdm(total=ticks, desc='A lighthouse in a storm', mininterval=0) as bar:
        for _ in range(ticks):
            await asyncio.sleep(seconds / ticks)
            bar.update()
await drive({seconds}, {ticks})
"""
_LAG = """
async def lag(seconds, pause=0.005):
    late, end = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(pause)
        late.append(1000 * (time.perf_counter() - began - pause))
    late.sort()
    return [late[int(share * (len(late) - 1))] for share in (0.5, 0.99, 1.0)]
"""
_CARDS_LIVE = """
jobs = [nk.video(f'A lighthouse, number {{number}}', duration_seconds=1) for number in range({cards})]
for job in jobs:
    display(job)
"""
_BARS_LIVE = """
async def drive(bar, seconds):
    with bar:
        for _ in range(bar.total):
            await asyncio.sleep(seconds / bar.total)
            bar.update()
bars = [tqdm(total={ticks}, mininterval=0) for number in range({cards})]
driving = [asyncio.create_task(drive(bar, {seconds})) for bar in bars]
"""


def run(*, seconds: float = 60.0) -> Report:
    """Measure, which takes about four and a half times as long as a job.

    Args:
        seconds: how long a job takes.
    """
    report = Report(
        f"messages: jobs of {seconds:g} s, ipykernel {version('ipykernel')}, tqdm {version('tqdm')}",
        ("who", "ticks", "messages", "a second", "bytes", "bytes a tick", "most a tick", "to make it, bytes"),
    )
    with (
        Sandbox(durations={"video": seconds}, limits="off", quotas="off", media="canned", seed=1) as sandbox,
        kernel(NOVAKIT_SANDBOX_URL=sandbox.origin) as running,
    ):
        running.run(_BEGIN)
        ticks = _one_card(report, running, sandbox, seconds)
        _one_bar(report, running, seconds, ticks)
        _many(report, running, seconds, ticks)
    return report


def _one_card(report: Report, running: Kernel, sandbox: Sandbox, seconds: float) -> int:
    running.messages.clear()
    running.run(_CARD)
    running.listen(seconds + 2.0)
    (job,) = sandbox.jobs.values()
    assert job.ended_at is not None
    began, ended = job.started_at, job.ended_at
    updates = [message for message in running.messages if message.kind == "comm_msg"]
    ticks = _ticks([message for message in updates if began + _TOGETHER < message.at < ended])
    # The player of the result, with its bytes, is made when the job has ended.
    made = sum(message.size for message in running.messages if message.at < ended) - sum(map(_size, ticks))
    _add(report, "JobWidget", ticks, ended - began, made)
    report.goal("messages a second of a card", sum(map(len, ticks)) / (ended - began), 4)
    report.goal("bytes a tick of a card", sum(map(_size, ticks)) / len(ticks), 1000)
    report.goal("bytes of a card's largest tick", max(map(_size, ticks)), 1000)
    return len(ticks)


def _one_bar(report: Report, running: Kernel, seconds: float, ticks: int) -> None:
    running.messages.clear()
    running.run(_BAR.format(seconds=seconds, ticks=ticks), seconds=seconds + 10.0)
    running.listen(0.5)
    opened = [message for message in running.messages if message.kind == "comm_open"]
    updates = _ticks([message for message in running.messages if message.at > opened[-1].at + _TOGETHER])
    made = sum(message.size for message in running.messages) - sum(map(_size, updates))
    _add(report, "tqdm.notebook at the same rate", updates, seconds, made)


def _many(report: Report, running: Kernel, seconds: float, ticks: int) -> None:
    """Measure the lag of the kernel's loop: idle, with twenty cards, and with twenty bars."""
    running.run(_LAG)
    measure, patience = f"print(json.dumps(await lag({seconds})))", seconds + 30.0
    idle = running.ask(measure, seconds=patience)
    running.run(_CARDS_LIVE.format(cards=_CARDS))
    cards = running.ask(measure, seconds=patience)
    live = running.ask("print(sum(not job.status in ('new', 'refused', 'uncertain') for job in jobs))")
    if live != _CARDS:
        raise RuntimeError(f"only {live} of {_CARDS} cards were live")
    running.run("for job in jobs: job.close()")
    running.listen(2.0)
    running.run(_BARS_LIVE.format(cards=_CARDS, seconds=seconds, ticks=ticks))
    bars = running.ask(measure, seconds=patience)
    for who, (median, most, worst) in (
        ("an idle kernel", idle),
        (f"{_CARDS} live cards, from their submission on", cards),
        (f"{_CARDS} bars of tqdm.notebook", bars),
    ):
        report.notes.append(f"event-loop lag, {who}: median {median:.2g} ms, p99 {most:.3g} ms, most {worst:.3g} ms")
    report.goal(f"event-loop lag p99 with {_CARDS} live cards", cards[1], 20, " ms")


def _ticks(messages: Sequence[Message]) -> list[list[Message]]:
    """Put the messages of one moment together."""
    ticks: list[list[Message]] = []
    for message in messages:
        if ticks and message.at - ticks[-1][-1].at < _TOGETHER:
            ticks[-1].append(message)
        else:
            ticks.append([message])
    return ticks


def _size(tick: Sequence[Message]) -> int:
    return sum(message.size for message in tick)


def _add(report: Report, who: str, ticks: Sequence[Sequence[Message]], seconds: float, made: int) -> None:
    sizes = [_size(tick) for tick in ticks]
    messages = sum(len(tick) for tick in ticks)
    report.add(who, len(ticks), messages, messages / seconds, sum(sizes), sum(sizes) / len(ticks), max(sizes), made)
