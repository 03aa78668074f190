"""One line in a cell: the kernel stays free, the card moves, and the media arrive whole."""

from __future__ import annotations

import base64
import io
import re
from itertools import pairwise

import av
import pytest
from generations import first_on_the_newest, on_both_ends, on_the_newest

from novakit_widgets.sandbox import Fault

_SOURCE = re.compile(r'<video [^>]*src="data:video/mp4;base64,([^"]+)"')
_VIDEO = 'nk.video("A sunset over mountains", duration_seconds=2, aspect_ratio="1:1")'


def seconds_of(content):
    """Decode all of a video and return how long it is."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return float(frames / stream.average_rate)


def replaced(kernel):
    """Return the plain results that stand where cards were shown."""
    shown = [data.get("text/html", "") for data in kernel.displays.values()]
    return [html for html in shown if "novakit-plain" in html]


@first_on_the_newest
def test_the_cell_does_not_wait_for_the_service(kernel, sandbox):
    """It is over, and the next one too, while the service has not even taken the job; `python -m benchmarks cell` times it."""
    before = len(sandbox.jobs)
    sandbox.inject(Fault.delay(5.0), method="POST", times=1)
    kernel.ok(f"clip = {_VIDEO}; clip")
    assert kernel.value("clip.job_id, clip.status") == "None submitting"
    assert len(sandbox.jobs) == before
    kernel.until(lambda: len(sandbox.jobs) == before + 1)
    kernel.until(lambda: kernel.value("clip.status") == "completed")
    assert kernel.troubles() == ""


@first_on_the_newest
def test_a_job_runs_behind_the_cells(kernel, sandbox):
    """Other cells run meanwhile, the bar rises step by step, and both results decode to the asked duration."""
    sandbox.next_duration(100.0)
    made = kernel.ok(f"clip = {_VIDEO}; clip")
    card = kernel.card(made)
    during = [kernel.ok(f"print({index}, clip.job and clip.job.ended)") for index in range(3)]
    assert [cell.text.split()[0] for cell in during] == ["0", "1", "2"]
    assert all(cell.text.split()[1] != "True" for cell in during)
    card.says("Done")
    kernel.until(lambda: card.media and card.media[0].state["value"] and replaced(kernel))
    assert kernel.value("clip.status, clip.progress, clip.error").split() == ["completed", "100.0", "None"]

    values = card.bar.values("value")
    assert values[:2] == [0.0, 100.0]  # new; and then full and pulsating, while nothing is known
    steps = values[2:]
    assert len(set(steps)) >= 5, values
    assert all(before <= after for before, after in pairwise(steps)), values
    assert steps[-1] == 100.0

    (html,) = replaced(kernel)
    embedded = base64.b64decode(_SOURCE.search(html).group(1))
    assert embedded == card.media[0].state["value"]
    assert seconds_of(embedded) == pytest.approx(2.0, abs=0.1)
    assert kernel.troubles() == ""


@first_on_the_newest
def test_messages_are_few_and_the_last_one_arrives(kernel, sandbox):
    """No card's part is sent more than four times a second, and what it shows in the end is the end."""
    sandbox.next_duration(40.0, 40.0, 40.0)
    cell = kernel.ok("for number in range(3): display(nk.image(f'A lighthouse, {number}', size='512x512'))")
    cards = [kernel.card(cell, index) for index in range(3)]
    for card in cards:
        card.says("Done")
        card.offers("Save")
    kernel.listen(0.3)
    for card in cards:
        assert card.bar.state["value"] == 100.0
        for model in card.models:
            moments = [at for at, _ in model.changes]
            # The fifth painting from any is at least a second later; what is sent twice in one painting counts once.
            paintings = [
                at for at, before in zip(moments[1:], moments, strict=False) if (at - before).total_seconds() > 0.05
            ]
            spans = [(later - first).total_seconds() for first, later in zip(paintings, paintings[4:], strict=False)]
            assert all(span > 0.9 for span in spans), (model.name, paintings)
    assert kernel.troubles() == ""


@on_both_ends
def test_the_two_results_are_right_in_two_cells(kernel, sandbox):
    """Each card becomes plain in its own cell, though both jobs end after another cell has run."""
    sandbox.next_duration(30.0, 20.0)
    first = kernel.ok('nk.image("A lighthouse, woodcut", size="512x512")')
    second = kernel.ok('nk.image("A harbour, etching", size="512x512")')
    kernel.ok("other = 1")
    kernel.until(lambda: len(replaced(kernel)) == 2)
    for cell, prompt in ((first, "A lighthouse, woodcut"), (second, "A harbour, etching")):
        # A front end looks for the id, wherever the message says that it belongs (ipykernel 6: the cell that ran last).
        assert prompt in kernel.displays[cell.display_ids[0]]["text/html"]
    assert kernel.troubles() == ""


@on_the_newest
def test_a_closed_card_leaves_nothing(kernel, sandbox):
    """Every model that a card made is closed with it, in mid-job, and the job goes on."""
    sandbox.next_duration(10.0)
    cell = kernel.ok('picture = nk.image("A lighthouse", size="512x512"); picture')
    kernel.card(cell)
    models = list(kernel.models.values())
    assert len(models) <= 30
    kernel.ok("picture.close()")
    assert [model.name for model in models if not model.closed] == []
    assert kernel.value("(await picture._run.wait()).status") == "completed"
    assert kernel.troubles() == ""


@on_the_newest
def test_a_file_stands_beside_the_notebook_wherever_the_code_has_gone(kernel, sandbox):
    """The plain result's address is relative to the notebook's folder, not to a working directory that the code has changed."""
    kernel.ok("import os, pathlib; start = pathlib.Path.cwd(); os.mkdir('deeper'); os.chdir('deeper')")
    kernel.ok("picture = nk.image('A lighthouse', size='512x512', embed='file'); picture")
    kernel.until(lambda: replaced(kernel))
    (html,) = replaced(kernel)
    source = re.search(r'<img src="(novakit-media/[^"]+)"', html)[1]
    assert kernel.value(f"(start / {source!r}).stat().st_size > 1000") == "True"
    assert kernel.value("os.listdir()") == "[]"

    kernel.ok("os.rmdir('../deeper'); again = nk.image('A harbour', size='512x512'); again")
    kernel.until(lambda: len(replaced(kernel)) == 2)
    assert "data:image/png" in replaced(kernel)[1]
    assert kernel.troubles() == ""
