"""A parameter that the documentation does not have is sent, and the card, the board, or a script's warning says so."""

from __future__ import annotations

import asyncio
import logging

import pytest
from loops import go
from programs import run_program

from novakit_widgets import JobWidget, batch, image, speech, sweep, video


@pytest.mark.parametrize(
    ("make", "params", "said"),
    [
        (
            video,
            {"camera_motion": "left"},
            "camera_motion is not a documented parameter of video: it was passed on as it is.",
        ),
        (
            image,
            {"steps": 4, "lora": "x"},
            "steps, lora are not documented parameters of image: they were passed on as they are.",
        ),
        (speech, {"emotion": "calm"}, "emotion is not a documented parameter of tts: it was passed on as it is."),
        (image, {"seed": 7}, ""),
    ],
)
def test_card_says_what_was_passed_on(sandbox, client, caplog, make, params, said):
    """While it runs and in what is saved; the log has it too, and the service gets it."""

    async def main():
        with caplog.at_level(logging.WARNING, "novakit_widgets"):
            card = make("A boat", client=client, **params)
            job = await card
        card.paint()
        while card.kept is None:
            await asyncio.sleep(0.01)
        html = card._plain_bundle()["text/html"]
        for text in (card._parts.body.value, html, caplog.text):
            assert (said in text) if said else ("passed on" not in text)
        sent = sandbox.jobs[job.id].params
        assert {name: sent[name] for name in params} == params

    go(main, client)


def test_card_escapes_the_names(client):
    """Any text can be a name."""

    async def main():
        card = JobWidget("image", {"prompt": "A boat", "<b>bold</b>": 1}, client=client)
        await card
        card.paint()
        assert "&lt;b&gt;bold&lt;/b&gt; is not a documented parameter" in card._parts.body.value
        assert "<b>" not in card._parts.body.value

    go(main, client)


@pytest.mark.parametrize("kind", ["batch", "sweep", "own of one item"])
def test_board_says_once_what_was_passed_on(client, kind):
    """One line for all jobs, live and in what is saved."""

    async def main():
        if kind == "sweep":
            board = sweep("image", prompt=["A", "B", "C"], lora="x", confirm=False, client=client)
        elif kind == "batch":
            board = batch("image", ["A", "B", "C"], lora="x", client=client)
        else:
            board = batch("image", ["A", {"prompt": "B", "lora": "x"}, "C"], client=client)
        await board
        board.paint()
        said = "lora is not a documented parameter of image: it was passed on as it is."
        assert board._painter.parts.notice.value.count(said) == 1
        while (plain := board._plain_bundle()) is None:
            await asyncio.sleep(0.01)
        assert plain["text/html"].count(said) == 1

    go(main, client)


def test_script_warns_of_what_was_passed_on(sandbox, tmp_path):
    """A script has no card: a warning, which is never an exception, and the job is submitted."""
    environment = {"NOVAKIT_API_KEY": sandbox.api_key, "NOVAKIT_BASE_URL": sandbox.base_url, "NOVAKIT_HISTORY": "off"}
    code = """
        import sys, warnings
        if sys.argv[1] == "shown":
            warnings.resetwarnings()
        import novakit_widgets as nk
        print(nk.image("A boat", lora="x").wait().status)
        print(len(nk.batch("image", ["A", "B"], lora="x").wait()))
    """
    for how, told in (("shown", True), ("as errors", False)):
        ended = run_program(code, how, environment=environment)
        assert (ended.returncode, ended.stdout.split()) == (0, ["completed", "2"]), ended.stderr
        assert ("UserWarning: lora is not a documented parameter of image" in ended.stderr) is told
