"""A card that is closed releases all that was, and all that is yet to be, made for it; and one that runs sends little."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from ipywidgets.widgets.widget import _instances
from loops import go

from novakit_widgets.job_history.jobs import default_history
from novakit_widgets.notebook.batch import batch
from novakit_widgets.notebook.short_forms import image, video
from novakit_widgets.runtime import loop as job_loop
from novakit_widgets.sandbox import Fault


def test_closed_while_the_result_is_on_its_way(sandbox, client):
    """The player that would have been made after close() would be closed by nobody."""

    async def main():
        before = len(_instances)
        widget = video("Close me at the end", duration_seconds=1, client=client)
        sandbox.inject(Fault.delay(0.2), path="/media/*")
        await widget
        assert not widget._display.task.done()
        widget.close()
        await widget._display.task
        assert len(_instances) == before

    go(main, client)


def test_what_changes_as_time_goes_by_is_small(client):
    """The style is there from the beginning, and not sent again with what changes."""

    async def main():
        widget = video("Small steps", duration_seconds=1, client=client)
        assert "<style>" in widget.children[0].value
        sizes = []
        for part in (*widget.children[:2], widget._parts.figures, widget._parts.body):
            part.observe(lambda change: sizes.append(len(change["new"])), "value")
        await widget
        await widget._display.task
        widget.close()
        return sizes

    sizes = go(main, client)
    assert sizes
    assert max(sizes) < 800  # characters: the head with its icon and the prompt


@pytest.mark.parametrize("prompt", ["A boat", "A boat, fail please"])
def test_a_closed_card_is_gone_as_soon_as_nobody_holds_it(client, prompt):
    """With its media, which can be many megabytes: no cycle keeps it until the garbage collector comes round."""

    async def main():
        widget = video(prompt, duration_seconds=1, client=client)
        while not widget._run.settled:  # nobody waits: an error that was raised holds the frames it came through
            await asyncio.sleep(0.01)
        run, parts = widget._run, widget._parts
        await widget._display.task
        kept = [widget, run, parts.button, parts.head, *parts.result.children]
        widget.close()
        gc.collect()  # what other tests left
        gc.disable()
        try:
            alive = [weakref.ref(one) for one in kept]
            del widget, run, parts, kept
            for _ in range(20):  # the last steps of what was said to end
                await asyncio.sleep(0.01)
            return [one() for one in alive if one() is not None]
        finally:
            gc.enable()

    assert go(main, client) == []


def _waited(client):
    card = image("A lighthouse", client=client)
    card.wait()
    return card, card.run


def _waited_for_many(client):
    board = batch("image", ["A lighthouse", "A boat"], client=client)
    board.wait()
    run = board._queue.items[0].run
    return board, board._queue, run


def _awaited(client):
    async def main():
        card = image("A lighthouse", client=client)
        await card
        while not card._display.prepared:
            await asyncio.sleep(0.01)
        return card, card.run

    return asyncio.run(main())


@pytest.mark.parametrize("work", [_waited, _waited_for_many, _awaited])
def test_a_plain_script_leaves_nothing_behind(client, work):
    """The closed card and its run go; the client, its connections and the loop stay."""

    def weak():
        things = work(client)
        things[0].close()
        return [weakref.ref(thing) for thing in things]

    async def tasks():
        return asyncio.all_tasks() - {asyncio.current_task()}

    async def nothing_goes_on():
        while others := await tasks() - earlier:
            await asyncio.wait(others)
        await default_history().off_loop(bool)  # until its thread has let go of what it did last

    earlier = job_loop.run_blocking(tasks)  # of other tests, such as the signs of life of a batch on hold
    left = [each for _ in range(2) for each in weak()]
    job_loop.run_blocking(nothing_goes_on, timeout=30)
    gc.collect()
    assert [each() for each in left if each() is not None] == []
