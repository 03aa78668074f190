"""JobWidget against the sandbox: what it shows, what it tells, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from loops import go

from novakit_widgets import (
    InvalidParameterError,
    Job,
    JobBoard,
    JobCancelledError,
    JobFailedError,
    JobStatus,
    JobTimeoutError,
    JobWidget,
    MissingKeyError,
    SubmissionUncertainError,
    Tool,
    batch,
    configure,
    explore,
    image,
    music,
    speech,
    sweep,
    transcribe,
    video,
)
from novakit_widgets.engine.state import Phase
from novakit_widgets.errors import ConfigurationError
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets.card.view import View
from novakit_widgets.widgets.common import display, repaint
from novakit_widgets.widgets.explorer.comparison import Compared, Comparison
from novakit_widgets.widgets.explorer.widget import PromptExplorer


async def shown(widget):
    """Wait until the result is in the card."""
    while not widget._parts.result.children:
        await asyncio.sleep(0.01)


def text_of(widget):
    """Return all the words of a card."""
    return " ".join(
        part.value for part in (widget._parts.head, widget._parts.pill, widget._parts.figures, widget._parts.body)
    )


def test_a_video_goes_from_submission_to_a_player(client):
    """The traits tell each step, the bar moves, and the finished video is in the card."""

    async def main():
        widget = video("A lighthouse", duration_seconds=1, client=client)
        seen = []
        widget.observe(lambda change: seen.append(change["new"]), "status")
        job = await widget
        await shown(widget)
        assert seen[-1] == "completed"
        assert widget.job is job
        assert widget.job_id == job.id
        assert widget.progress == 100.0
        (player,) = widget._parts.result.children
        assert isinstance(player, ipywidgets.Video)
        assert player.value[4:8] == b"ftyp"
        assert (player.autoplay, player.loop, player.controls) == (False, False, True)

    go(main, client)


def test_a_job_is_what_was_asked_for_at_the_call(sandbox, client):
    """A dict that is filled anew for each is read when it is given, however deep, and not when the job is submitted."""
    configure(speed=sandbox.speed, limits="off")  # or three boards share thirty requests of a real minute

    async def main():
        inputs = {"steps": [0]}

        def with_steps(number):
            inputs["steps"][0] = number
            return inputs

        asked = [10, 20]
        jobs = [music("Jazz", duration_seconds=1, model_inputs=with_steps(number), client=client) for number in asked]
        jobs += [
            JobWidget("music", {"prompt": "Jazz", "duration_seconds": 1, "model_inputs": with_steps(40)}, client=client)
        ]
        jobs += [
            explore("music", prompt="Jazz", duration_seconds=1, model_inputs=with_steps(50), client=client).generate()
        ]
        board = JobBoard(
            [("music", {"prompt": "Jazz", "duration_seconds": 1, "model_inputs": with_steps(60)})], client=client
        )
        many = batch(
            "music",
            ({"prompt": "Jazz", "duration_seconds": 1, "model_inputs": with_steps(number)} for number in asked),
            client=client,
        )
        table = sweep(
            "music",
            prompt="Jazz",
            duration_seconds=1,
            model_inputs=map(with_steps, asked),
            confirm=False,
            client=client,
        )
        with_steps(99)
        done = [await job for job in jobs] + [*await board, *await many, *await table]
        assert [job.raw["inputParams"]["model_inputs"]["steps"] for job in done] == [
            [number] for number in (10, 20, 40, 50, 60, *asked, *asked)
        ]

    go(main, client)


def test_what_an_explorer_tells_is_a_copy(client):
    """What is done to it does not change what is fixed."""
    explorer = explore("music", prompt="Jazz", model_inputs={"steps": [10]}, client=client)
    explorer.params["model_inputs"]["steps"].append(20)
    assert explorer.params == {"prompt": "Jazz", "model_inputs": {"steps": [10]}}


@pytest.mark.parametrize("name", [5, None, True, ("a", "b"), b"seed"])
def test_the_name_of_a_parameter_is_text(client, sandbox, name):
    """JSON makes text of some others: it was billed, and the card could not write the call that makes it again."""
    given = {"prompt": "A", name: 6}
    for make in (
        lambda: JobWidget("image", given, client=client),
        lambda: JobBoard([("image", given)], client=client),
        lambda: PromptExplorer("image", given, client=client),
        lambda: batch("image", [given], client=client),
    ):
        with pytest.raises(InvalidParameterError, match=r"image: a parameter's name must be text, got .* or billed"):
            make()
    assert not sandbox.requests


def test_raw_parameters_are_taken_as_those_of_a_short_form(client, tmp_path):
    """None says nothing, numpy's numbers are numbers, a file of this machine goes along; a name of a file is no URL."""
    sound = tmp_path / "a.mp3"
    sound.write_bytes(b"ID3 sound")
    given = {"prompt": "A", "seed": np.int64(7), "negative_prompt": None}
    widget = JobWidget("video", given, client=client, autostart=False)
    assert dict(widget._run.params) == {"prompt": "A", "seed": 7}
    assert type(widget._run.params["seed"]) is int
    heard = JobWidget(Tool.STT, {"file": sound}, client=client, autostart=False)
    assert heard._run.params["file"] == "SUQzIHNvdW5k"
    board = JobBoard([(Tool.VIDEO, given), (Tool.STT, {"file": sound})], client=client, autostart=False)
    assert [dict(place.params) for place in board._queue.items] == [
        {"prompt": "A", "seed": 7},
        {"file": "SUQzIHNvdW5k"},
    ]
    for make in (
        lambda: JobWidget(Tool.STT, {"file": "a.mp3"}, client=client),
        lambda: JobBoard([(Tool.STT, {"file": "a.mp3"})], client=client),
    ):
        with pytest.raises(
            InvalidParameterError, match=r"neither a URL nor base64; for a file on this machine write pathlib"
        ):
            make()


def test_text_is_shown_as_text(client):
    """A transcription has no player; its words are in the card."""

    async def main():
        said = speech("Hello there, general", client=client)
        await said
        heard = transcribe(said.job.media[0].url, client=client)
        job = await heard
        await shown(heard)
        assert job.text
        assert job.text[:5] in heard._parts.result.children[0].value

    go(main, client)


HALF = "cut \ud83d"  # half an emoji, as JavaScript leaves it


@pytest.mark.parametrize(
    "told",
    [
        {"status": "failed", "errorMessage": HALF},
        {"model": HALF},
        {"tool": HALF},
        {"outputData": {"text": HALF}},
        {"outputData": HALF},
        {"inputParams": {"prompt": HALF, HALF: HALF}},
        {"inputParams": {"image": f"https://x.example/{HALF}"}, "status": "failed"},
    ],
    ids=" ".join,
)
def test_half_a_character_can_be_sent_to_the_page(sandbox, client, told):
    """No message can hold one: the card and the plain result, with its media, would be lost."""

    async def main():
        made = await image("A lighthouse", size="512x512", client=client)
        sandbox.inject(Fault.fields(**told), method="GET", path="/jobs*", times=None)
        widget = JobWidget.attach(made.id, client=client)
        while widget._plain_bundle() is None:
            await asyncio.sleep(0.01)
        await asyncio.wait((widget._display.task,))
        widget._parts.show(View.of(widget.run, widget._samples))
        parts = [widget, *widget._parts.rows, *widget._parts.result.children]
        sent = [part.get_state(part.keys) for part in parts]
        return [
            value
            for state in [*sent, widget._plain_bundle(), widget._live_bundle()]
            for value in state.values()
            if isinstance(value, str)
        ]

    texts = go(main, client)
    assert len(texts) > 20
    for text in texts:
        text.encode()


@pytest.mark.parametrize("same", [True, False])
def test_half_a_character_in_a_comparison(client, same):
    """What differs, and what does not, may have one."""
    job = Job("job_1", JobStatus.COMPLETED, output={"text": HALF})
    second = {"prompt": HALF if same else f"another {HALF}", HALF: [HALF]}
    comparison = Comparison(
        Tool.STT, [Compared(params, job, ()) for params in ({"prompt": HALF}, second)], lambda: None
    )
    comparison.children[0].value.encode()
    comparison.close()


def test_several_images_have_a_place_each(client):
    """N images are n pictures side by side, with the prompt as their alternative text."""

    async def main():
        widget = image("Two <boats>", n=2, size="512x512", client=client)
        await widget
        await shown(widget)
        (pictures,) = widget._parts.result.children
        assert pictures.value.count('alt="Two &lt;boats&gt;"') == 2

    go(main, client)


def test_a_failure_says_why_and_offers_another_try(client):
    """A failed job raises, shows the service's reason, and its button submits it again."""

    async def main():
        widget = video("fail please", client=client)
        with pytest.raises(JobFailedError, match="not billed"):
            await widget
        await asyncio.sleep(0.3)
        assert widget.status == "failed"
        assert widget._parts.button.description == "Try again"
        first = widget.job_id
        widget._clicked(None)
        with pytest.raises(JobFailedError):
            await widget
        assert widget.job_id != first

    go(main, client)


def test_cancelling_from_a_thread_with_a_loop_of_its_own(sandbox, client):
    """A callback on a subshell's thread cancels at once, starts and attaches: all on the kernel's loop."""
    sandbox.durations = None
    outcome = {}

    async def callback(widget):
        widget.cancel()
        outcome["started"] = image("From another thread", size="512x512", client=client)
        outcome["job"] = await outcome["started"]
        outcome["attached"] = await JobWidget.attach(outcome["job"].id, client=client)

    async def main():
        widget = video("Long", duration_seconds=5, client=client)
        while widget.job_id is None:
            await asyncio.sleep(0.005)
        thread = threading.Thread(target=lambda: asyncio.run(callback(widget)))
        thread.start()
        with pytest.raises(JobCancelledError):
            await widget
        while thread.is_alive():
            await asyncio.sleep(0.01)
        assert outcome["attached"].id == outcome["job"].id

    sandbox.next_duration(60.0 * 200)
    go(main, client)


def test_a_time_out_offers_to_keep_watching(sandbox, client):
    """When the watching ends the job goes on; the button, and waiting again, take it up."""

    async def main():
        widget = video("Slow", duration_seconds=1, timeout=0.3, client=client)
        with pytest.raises(JobTimeoutError) as caught:
            await widget
        assert caught.value.job_id == widget.job_id
        await asyncio.sleep(0.3)
        assert widget._parts.button.description == "Keep watching"
        assert "Not watched" in text_of(widget)
        widget._run.timeout = None
        widget._clicked(None)
        assert (await widget).status == "completed"

    sandbox.next_duration(1.5 * 200)
    go(main, client)


def test_a_button_without_an_action_is_not_there(client):
    """A job of an unknown tool has failed, so it can't be made again: the old word must not stay, where it does nothing."""
    widget = JobWidget.attach("job_1", client=client)
    widget._run.phase = Phase.WATCHING
    widget.paint()
    assert widget._parts.button.layout.display is None
    widget._run.phase, widget._run.job = Phase.ENDED, Job("job_1", JobStatus.FAILED)
    widget.paint()
    assert widget._parts.button.layout.display == "none"


def test_a_lost_job_is_looked_for_by_a_click(client, sandbox):
    """The card says that its answer was lost; the button finds it, and the picture is shown."""

    async def main():
        sandbox.inject(Fault.reset_after(), method="POST")
        sandbox.inject(Fault.status(403), method="GET", path="/jobs*")
        widget = image("Lost", client=client)
        with pytest.raises(SubmissionUncertainError):
            await widget
        widget.paint()
        assert widget._parts.button.description == "Look it up"
        assert "Answer lost" in text_of(widget)
        widget._clicked(None)
        assert (widget.status, widget.error) == ("submitting", None)
        assert (await widget).status == "completed"
        await shown(widget)
        assert list(sandbox.jobs) == [widget.job_id]

    go(main, client)


def test_words_can_be_saved_too(client, tmp_path, monkeypatch):
    """The card of a transcription is called like its file, and offers to save what was said."""
    monkeypatch.chdir(tmp_path)

    async def main():
        heard = transcribe("https://x.example/talk.mp3", client=client)
        job = await heard
        await shown(heard)
        heard.paint()
        assert heard._parts.button.description == "Save"
        assert "talk.mp3" in text_of(heard)
        await heard._result.save_to_default_folder()
        (file,) = tmp_path.glob("novakit-*.txt")
        assert file.read_text(encoding="utf-8") == job.text

    go(main, client)


def test_the_bar_is_calm_once_its_value_is_known(client):
    """It pulsates only while nobody knows how far the job is."""
    widget = video("Alive", client=client, autostart=False)
    run, bar = widget._run, widget._parts.bar
    run.phase = Phase.WATCHING
    for progress, alive in ((None, True), (40.0, False), (None, True)):
        run.job = Job("job_1", "processing", tool="video", progress=progress)
        widget.paint()
        assert ("nk-alive" in bar._dom_classes) is alive


def test_what_is_not_started_offers_to_start(sandbox, client):
    """autostart=False: the button submits it, and nothing was sent before."""

    async def main():
        widget = image("Later", size="512x512", client=client, autostart=False)
        widget.paint()
        assert widget._parts.button.description == "Generate"
        assert not sandbox.requests
        widget._clicked(None)
        assert (await widget).status == "completed"

    go(main, client)


def test_what_is_here_is_saved_from_here(sandbox, client, tmp_path):
    """The service's address is served no longer; the kernel has the bytes, and the file is what was shown."""

    async def main():
        widget = image("Kept", size="512x512", client=client)
        await widget
        await shown(widget)
        sandbox.expire_media()
        (file,) = await widget._result.save(tmp_path)
        assert file.read_bytes() == widget.kept[0].content
        assert file.suffix == ".png"
        assert widget.job_id in file.name
        (named,) = await widget._result.save(tmp_path / "named.png")
        assert named.read_bytes() == file.read_bytes()
        assert {one.name for one in tmp_path.glob("*.*") if "history" not in one.name} == {file.name, "named.png"}

    go(main, client)


def test_a_wait_is_over_with_the_job(sandbox, client):
    """A media host that is slow is no job that has not ended; meanwhile the card says what it does."""

    async def main():
        sandbox.inject(Fault.delay(2.0), path="/media/*")
        widget = image("Slow host", size="512x512", client=client)
        widget._display._handles._handles.append(
            SimpleNamespace(update=lambda *_, **__: None)
        )  # as if it were on a page
        await widget._run.wait()
        job = await widget._run._wait_for(0.2, widget._wait)
        assert job.status == "completed"
        widget.paint()
        assert "Fetching the result." in text_of(widget)
        await shown(widget)
        widget.paint()
        assert "Fetching" not in text_of(widget)

    go(main, client)


def test_a_result_that_can_not_be_shown_is_told(client, monkeypatch):
    """Whatever goes wrong in the background stands in the card, and the job is done all the same."""

    async def main():
        problems = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))

        def no_folder():
            raise FileNotFoundError("the folder was deleted")

        monkeypatch.setattr("novakit_widgets.widgets.card.result.notebook_folder", no_folder)
        widget = image("Nowhere", size="512x512", client=client)
        assert (await widget).status == "completed"
        with pytest.raises(FileNotFoundError):
            await widget._display.task
        widget.paint()
        assert "be shown (FileNotFoundError: the folder was deleted)" in text_of(widget)
        assert problems == []

    go(main, client)


def test_a_closed_card_can_be_waited_for(client):
    """Nothing is painted any more, and nothing is shown; the job comes back."""

    async def main():
        widget = image("Closed", size="512x512", client=client)
        widget.close()
        assert widget.paint() == 0
        widget.show()
        assert (await widget).status == "completed"

    go(main, client)


def test_a_card_that_was_made_on_another_thread_has_one_painter(client):
    """That of the jobs' loop: a second one would go on after close()."""

    async def main():
        async def make():
            return image("Elsewhere", size="512x512", client=client)

        widget = await asyncio.to_thread(lambda: asyncio.run(make()))
        await widget
        painters = [one for one in gc.get_objects() if isinstance(one, repaint.Painter)]
        assert [one for one in painters if widget in one._painted] == [repaint.painter()]

    go(main, client)


def test_giving_up_the_waiting_leaves_the_job_alone(sandbox, client):
    """Cancelling what awaits a widget, as an interrupt does, cancels nothing else; waiting again works."""

    async def main():
        widget = video("Patience", duration_seconds=1, client=client)
        waiting = asyncio.ensure_future(widget._run.wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await widget).status == "completed"

    sandbox.next_duration(0.5 * 200)
    go(main, client)


def test_it_is_made_of_few_models(client):
    """At most 15 models, layouts and styles counted; its player and the player's layout come with the result."""

    async def main():
        before = len(_instances)
        widget = video("Count me", duration_seconds=1, client=client)
        assert len(_instances) - before <= 15
        await widget
        await shown(widget)
        assert len(_instances) - before <= 17
        widget.close()
        assert len(_instances) == before

    go(main, client)


def test_closing_releases_everything_in_mid_job(client):
    """close() leaves no model, and the job's news reach nobody any more."""

    async def main():
        before = len(_instances)
        widget = video("Close me", duration_seconds=1, client=client)
        await asyncio.sleep(0.05)
        widget.close()
        assert len(_instances) == before
        await widget._run.wait()

    go(main, client)


def test_the_repr_is_one_short_line(client):
    """No trait values: what a notebook saves as text is a line."""
    widget = video("A very long prompt " * 20, client=client, autostart=False)
    assert len(repr(widget)) < 120
    assert "\n" not in repr(widget)


def test_a_plain_script_submits_at_the_call(client):
    """As in a notebook; the same job comes back each time that it is waited for."""
    widget = video("A script", duration_seconds=1, client=client)
    assert widget.status != "new"
    job = widget.wait()
    assert job.status == "completed"
    assert widget.wait() is job


def test_a_plain_script_can_wait_twice_after_a_time_out(sandbox, client):
    """wait(timeout) in a script leaves the job running; the next wait picks it up, and submits nothing."""
    sandbox.next_duration(1.0 * 200)
    widget = video("A slow script", duration_seconds=1, client=client)
    with pytest.raises(JobTimeoutError):
        widget.wait(timeout=0.2)
    assert widget.wait().status == "completed"
    assert sum(1 for request in sandbox.requests if request.method == "POST") == 1


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda client: video("", client=client), InvalidParameterError),
        (lambda client: video("x", fps=29, client=client), InvalidParameterError),
        (lambda client: video(5, client=client), InvalidParameterError),
        (lambda client: video("x", aspect_ration="1:1", client=client), TypeError),
        (lambda client: video("x", timeout=-1, client=client), ConfigurationError),
        (lambda client: video("x", timeout=float("nan"), client=client), ConfigurationError),
        (lambda client: video("x", embed="somewhere", client=client), ConfigurationError),
        (lambda client: speech("x" * 10_001, client=client), InvalidParameterError),
        (lambda client: JobWidget("videos/generation", {"prompt": "x"}, client=client), InvalidParameterError),
        (lambda client: JobWidget("video", {"prompt": "x"}, client=client, colour="red"), TypeError),
        (lambda client: JobWidget("video", {"prompt": "x", "seed": object()}, client=client), InvalidParameterError),
    ],
)
def test_bad_input_is_refused_before_any_request(sandbox, client, make, error):
    """Each a clear error at once; nothing is sent, and no half-made widget stays."""

    async def main():
        with pytest.raises(error):
            make(client)
        await asyncio.sleep(0.05)  # a card that had begun would have sent its request by now

    before = set(_instances)
    go(main, client)
    assert set(_instances) == before
    assert not sandbox.requests


def test_without_a_key_it_says_what_to_do(monkeypatch):
    """No key: the error names the variable, the function and the sandbox."""
    monkeypatch.delenv("NOVAKIT_API_KEY", raising=False)
    configure(api_key=None)
    with pytest.raises(MissingKeyError, match=r"nk\.login\(\).*NOVAKIT_API_KEY.*configure.*use_sandbox"):
        video("x")


def test_a_nested_widget_is_known_to_be_nested(client):
    """A card in somebody's own layout must not show itself a second time."""
    widget = video("Nested", client=client, autostart=False)
    assert not display.is_nested(widget)
    box = ipywidgets.HBox([widget])
    assert display.is_nested(widget)
    box.children = ()
    assert not display.is_nested(widget)


def test_save_writes_the_result(client, tmp_path):
    """save(folder) writes each result under a name of ours."""
    widget = image("Keep me", n=2, size="512x512", client=client)
    widget.wait()
    files = widget.save(tmp_path / "kept")
    assert [file.read_bytes()[:4] for file in files] == [b"\x89PNG"] * 2
    assert all(widget.job_id in file.name for file in files)


def test_a_faulty_observer_is_shown_and_costs_the_job_nothing(client):
    """An exception in the user's own observer stands in the card; the job ends as ever."""

    async def main():
        problems = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context["exception"]))
        widget = image("Observed", size="512x512", client=client)
        widget.observe(lambda _change: 1 / 0, "status")
        assert (await widget).status == "completed"
        await shown(widget)
        widget.paint()
        assert "ZeroDivisionError" in text_of(widget)
        assert {type(problem) for problem in problems} == {ZeroDivisionError}

    go(main, client)
