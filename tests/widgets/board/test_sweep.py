"""A sweep against the sandbox: one confirmation, all combinations, one labelled table."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from loops import go
from markupsafe import Markup

from novakit_widgets import (
    InvalidParameterError,
    JobBoard,
    JobNotStartedError,
    NovaKitClient,
    Sandbox,
    configure,
    recover,
    sweep,
)
from novakit_widgets.job_history.rows import written
from novakit_widgets.widgets.board.plain import plain_board

PROMPTS = ["A lighthouse", "A harbour", "An <b>old</b> mill"]
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@pytest.fixture
def limited():
    """A sandbox with the documented limits, its clock sped up, and a client of it."""
    configure(speed=400)
    with Sandbox(speed=400.0, seed=1, media="canned") as sandbox:
        yield sandbox, NovaKitClient(sandbox.api_key, sandbox.base_url)


async def until(fact):
    """Wait for something that nobody tells."""
    while not fact():
        await asyncio.sleep(0.01)


def restored(table, client):
    """Return what another kernel makes of it."""
    record = table._queue._memory._record(table._queue)
    about = json.loads(written(dict(record.about)))  # through the disk
    return JobBoard.restored(replace(record, about=about), client=client)


def posts(sandbox):
    """Return the submissions that the sandbox has seen."""
    return [request for request in sandbox.requests if request.method == "POST"]


def test_three_by_four_pictures(limited):
    """One confirmation, with what it takes; twelve jobs, row by row; the limits are kept."""
    sandbox, client = limited

    async def main():
        table = sweep("image", prompt=PROMPTS, seed=[1, 2, 3, 4], size="512x512", client=client)
        parts = table._painter.parts
        await until(lambda: "remaining" in parts.notice.value)
        said = Markup(parts.notice.value).striptags()
        assert re.search(r"12 jobs: prompt \(3\) . seed \(4\)\. All jobs use 12 of your remaining 100 images\.", said)
        assert "Nothing is submitted yet." in said
        assert posts(sandbox) == []
        assert (parts.resume.description, parts.cancel.description) == ("Generate all 12", "Discard")
        parts.resume.click()
        jobs = await table
        assert [(job.params["prompt"], job.params["seed"]) for job in jobs] == [
            (prompt, seed) for prompt in PROMPTS for seed in (1, 2, 3, 4)
        ]
        await until(lambda: parts.resume.layout.display == "none")  # painted at most twice a second
        assert len(posts(sandbox)) == 12
        assert [request.status for request in sandbox.requests if request.status == 429] == []
        await until(lambda: parts.table.value.count("<img") == 12)
        assert parts.table.value.count('<th scope="row"') == 3
        assert parts.table.value.count('<th scope="col"') == 4
        assert "<b>" not in parts.table.value
        assert "Rows: prompt; columns: seed" in parts.table.value
        records = table.to_records()
        assert (records[5]["prompt"], records[5]["seed"], records[5]["status"]) == ("A harbour", 2, "completed")
        for pressed, shown in ((True, "none"), (False, None)):
            parts.as_grid.value = pressed
            table.paint()
            assert parts.table.layout.display == shown
        table.close()

    go(main, client)


def test_nothing_is_sent_without_a_word(limited):
    """Waiting, in any way, says what to do; dropped, it is over and there is nothing to recover."""
    sandbox, client = limited

    async def main():
        table = sweep("image", prompt=PROMPTS, client=client)
        with pytest.raises(
            JobNotStartedError, match=r"3 jobs need confirmation: press 'Generate all 3' or call start\(\)"
        ):
            await table
        with pytest.raises(JobNotStartedError):
            async for _ in table.as_completed():
                pass
        assert list(table) == [None] * 3
        assert repr(table).startswith("<JobSweep prompt (3): 0 of 3 done · 3 queued, on hold: await it")
        table._painter.parts.cancel.click()
        await until(lambda: "3 cancelled" in repr(table))
        assert await table == []
        table.close()

    go(main, client)
    assert posts(sandbox) == []
    assert list(recover(client=client).boards) == []


def test_without_a_question_it_begins_at_once(limited):
    """For programs; in a plain script, where there is no loop, by waiting."""
    _, client = limited
    table = sweep("image", prompt="A boat", style=[None, "natural"], seed=(1, 2), confirm=False, client=client)
    assert [dict(job.params) for job in table.wait()] == [
        {"prompt": "A boat", "seed": 1},
        {"prompt": "A boat", "seed": 2},
        {"prompt": "A boat", "style": "natural", "seed": 1},
        {"prompt": "A boat", "style": "natural", "seed": 2},
    ]
    asked = sweep("image", prompt=["A", "B"], client=client)
    with pytest.raises(JobNotStartedError):
        asked.wait()
    asked.start()
    assert len(asked.wait()) == 2


def test_too_little_quota_is_said_before(limited):
    """Not after half of it."""
    _, client = limited

    async def main():
        table = sweep("video", prompt=["A", "B"], duration_seconds=[60, 90], client=client)
        await until(lambda: "Quota exceeded" in table._painter.parts.notice.value)
        assert "All jobs use 300 s." in table._painter.parts.notice.value
        table.close()

    go(main, client)


def test_what_was_refused_or_failed_stands_in_its_cell(limited):
    """With the reason, escaped; the others are there; failed ones can be tried again."""
    _, client = limited

    async def main():
        table = sweep("image", prompt=[HOSTILE, "A boat, fail please"], seed=[1, 2], confirm=False, client=client)
        assert len(await table) == 2
        assert set(table.failed) == {2, 3}
        plain = plain_board(table._queue.items, {}, table.grid)
        assert plain.count("Failed</strong>") == 2
        assert "<script" not in plain
        assert "<img src=x" not in plain
        assert "<script" not in table._painter.parts.table.value
        table.close()

    go(main, client)


def test_a_value_that_is_forbidden_stops_all(limited):
    """Before the question."""
    sandbox, client = limited
    with pytest.raises(InvalidParameterError, match=r"item 1: image: n must be at most 10, got 11"):
        sweep("image", prompt="A", n=[1, 11], client=client)
    with pytest.raises(TypeError, match="did you mean 'prompt'"):
        sweep("image", promt=["A", "B"], client=client)
    with pytest.raises(TypeError, match=r"sweep\(\) got .* did you mean 'confirm'"):
        sweep("image", prompt=["A", "B"], confirms=False, client=client)
    with pytest.raises(InvalidParameterError, match="at most 10,000"):
        sweep("image", prompt="A", n=range(1, 11), seed=range(2_000), client=client)
    assert sandbox.requests == ()


def test_a_large_table_is_shown_in_rows(limited):
    """What is sent twice a second stays small."""
    _, client = limited

    async def main():
        before = len(_instances)
        table = sweep("image", prompt=[f"A {n}" for n in range(30)], seed=range(30), client=client)
        await asyncio.sleep(0)
        assert len(_instances) - before <= 60
        await until(lambda: table._painter.parts.table.value)
        assert "nk-sweep" not in table._painter.parts.table.value
        assert len(table._painter.parts.table.value) < 100_000
        assert isinstance(table, ipywidgets.VBox)
        table.close()

    go(main, client)


def test_after_a_kernels_death_numbers_of_numpy_still_head_their_columns(limited):
    """What the history has of them are Python's."""
    _, client = limited

    async def main():
        table = sweep("image", prompt=["A", "B"], seed=np.arange(1, 4), confirm=False, client=client)
        await table
        board = restored(table, client)
        await until(lambda: "seed 3" in board._painter.parts.table.value)
        for each in (table, board):
            each.close()

    go(main, client)


def test_after_a_kernels_death_the_table_is_a_table_again(limited):
    """Its labels are kept with the batch; what had not been submitted waits for a word."""
    _, client = limited

    async def main():
        table = sweep("image", prompt=["A", "B"], seed=[1, None], confirm=False, client=client)
        await table
        board = restored(table, client)
        await until(lambda: "seed the default" in board._painter.parts.table.value)
        assert board._painter.parts.table.value.count('<th scope="row"') == 2
        for each in (table, board):
            each.close()

    go(main, client)
