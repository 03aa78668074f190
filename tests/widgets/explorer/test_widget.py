"""PromptExplorer against the sandbox: what it sends, what it shows of the results, and what it keeps."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances
from loops import go
from markupsafe import Markup

from novakit_widgets import (
    ConfigurationError,
    InvalidParameterError,
    JobWidget,
    MissingKeyError,
    NovaKitClient,
    Sandbox,
    explore,
    history,
    image,
)
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets.explorer import gallery
from novakit_widgets.widgets.explorer.widget import PromptExplorer

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


async def until(fact):
    """Wait for something that nobody tells."""
    while not fact():
        await asyncio.sleep(0.01)


async def finished(explorer, count):
    """Wait until so many results are there with their media."""
    await until(lambda: len(explorer) == count and all(result.comparable for result in explorer.results))


def words(widget):
    """Return what an HTML widget says."""
    return Markup(widget.value).striptags()


def press(explorer, name, place=0):
    """Press a button by its words, the so many-th from the top."""
    buttons = []

    def walk(widget):
        if isinstance(widget, ipywidgets.Button) and widget.description == name:
            buttons.append(widget)
        for child in getattr(widget, "children", ()):
            walk(child)

    walk(explorer)
    buttons[place].click()


def test_only_what_was_said_is_sent(sandbox, client):
    """The sandbox sees the prompt and what is fixed, and nothing of what the fields show as defaults."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.form.fields["prompt"].control.value = "A lighthouse"
        press(explorer, "Generate")
        await finished(explorer, 1)
        (job,) = sandbox.jobs.values()
        assert job.params == {"prompt": "A lighthouse", "size": "512x512"}
        assert isinstance(explorer[0], JobWidget)
        assert repr(explorer) == "<PromptExplorer image: 1 results>"
        explorer.close()

    go(main, client)


def test_nothing_is_sent_that_is_refused(sandbox, client):
    """The button does nothing but say why; a program gets the error."""

    async def main():
        explorer = explore("image", client=client)
        press(explorer, "Generate")
        with pytest.raises(InvalidParameterError, match=r"image: Enter a prompt\. Nothing was sent"):
            explorer.generate()
        assert "Enter a prompt" in explorer.form.fields["prompt"].row.children[-1].value
        assert len(explorer) == 0
        assert bool(explorer)
        explorer.close()

    go(main, client)
    assert not [request for request in sandbox.requests if request.method == "POST"]


def test_two_quick_clicks_are_one_job(sandbox, client):
    """Whoever clicks twice wants one; as soon as the service has answered there may be another beside it."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.fill({"prompt": "A lighthouse"})
        sandbox.next_duration(2_000, 2_000)
        press(explorer, "Generate")
        explorer._generate.click()  # it was on its way
        assert explorer._generate.description == "Submitting …"
        await until(lambda: not explorer._generate.disabled)
        assert len(sandbox.jobs) == len(explorer) == 1
        press(explorer, "Generate")
        await until(lambda: not explorer._generate.disabled)
        assert len(sandbox.jobs) == 2
        assert [card.status in ("pending", "processing") for card in explorer] == [True, True]
        for card in explorer:
            card.cancel()
        await until(lambda: all(card.status == "cancelled" for card in explorer))
        explorer.close()

    go(main, client)


def test_a_click_that_overtakes_the_words_waits_for_them(sandbox, client):
    """A page keeps back what is typed while the kernel is busy, and not the click: what the user sees is what is sent."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.form.fields["prompt"].control.value = "A"
        press(explorer, "Generate")
        await asyncio.sleep(0.1)
        explorer.form.fields["prompt"].control.value = "A red boat"
        await finished(explorer, 1)
        explorer.close()

    go(main, client)
    assert [job.params["prompt"] for job in sandbox.jobs.values()] == ["A red boat"]


def test_a_result_that_makes_room_lets_the_button_go(client, monkeypatch):
    """A card that is closed before the service has answered never tells of the answer."""
    monkeypatch.setattr(gallery, "MOST_RESULTS", 2)

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.fill({"prompt": "A lighthouse"})
        for _ in range(4):  # in one cell, so that none is answered in between
            explorer.generate()
        await finished(explorer, 2)
        assert (explorer._generate.disabled, explorer._generate.description) == (False, "Generate")
        explorer.generate()
        assert explorer._generate.disabled
        explorer[0].close()
        assert not explorer._generate.disabled
        explorer.close()

    go(main, client)


def test_a_setting_of_no_use_is_told_beside_the_form(sandbox, client, monkeypatch):
    """The button is there again, since the setting can be mended and there is no cell to raise in; a program gets the error."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.fill({"prompt": "A lighthouse"})
        monkeypatch.setenv("NOVAKIT_REUSE", "maybe")
        press(explorer, "Generate")
        await until(lambda: not explorer._generate.disabled)
        assert words(explorer._error) == "NOVAKIT_REUSE: reuse must be yes or no (1 or 0), not 'maybe'."
        assert len(explorer) == 0
        with pytest.raises(ConfigurationError, match="not 'maybe'"):
            explorer.generate()
        assert not explorer._generate.disabled
        monkeypatch.delenv("NOVAKIT_REUSE")
        press(explorer, "Generate")
        await finished(explorer, 1)
        assert words(explorer._error) == ""
        monkeypatch.setenv("NOVAKIT_REUSE", "maybe")
        press(explorer, "New seed")
        assert (explorer.results[0].again.disabled, len(explorer)) == (False, 1)
        assert "maybe" in words(explorer._error)
        explorer.close()

    go(main, client)
    assert len(sandbox.jobs) == 1


def test_each_result_has_its_own_button(sandbox, client):
    """Two of them may be asked for once more at the same time; one of them twice is once."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        for prompt in ("A red boat", "A green boat"):
            explorer.fill({"prompt": prompt})
            explorer.generate()
        await finished(explorer, 2)
        sandbox.inject(Fault.delay(1), method="POST")
        for result in explorer.results:
            result.again.click()
            result.again.click()
            assert result.again.disabled
        await finished(explorer, 4)
        assert not any(result.again.disabled for result in explorer.results)
        explorer.close()

    go(main, client)
    assert len(sandbox.jobs) == 4


def test_a_refusal_lets_the_button_go(sandbox, client):
    """What the service does not take costs nothing, and the form is there to be mended."""

    async def main():
        sandbox.inject(Fault.status(400), method="POST", path="/images/generations")
        explorer = explore("image", client=client)
        explorer.fill({"prompt": "A lighthouse"})
        press(explorer, "Generate")
        await until(lambda: len(explorer) and explorer[0].status == "refused")
        assert not explorer._generate.disabled
        explorer.close()

    go(main, client)


def test_another_seed_varying_and_code(sandbox, client, tmp_path, monkeypatch):
    """Each asks for what it says: the same by another chance, the same in the form, the same as a call."""
    monkeypatch.chdir(tmp_path)

    async def main():
        explorer = PromptExplorer("image", {"size": "512x512"}, client=client, chance=random.Random(7))
        explorer.fill({"prompt": "A red boat", "style": "natural"})
        press(explorer, "Generate")
        await finished(explorer, 1)
        explorer.fill({"prompt": "Something else"})
        press(explorer, "New seed")
        await finished(explorer, 2)
        newest, first = explorer.results
        assert newest.params == {**first.params, "seed": random.Random(7).randrange(2**31)}
        assert [job.params for job in sandbox.jobs.values()] == [first.params, newest.params]
        press(explorer, "Vary", 1)
        assert explorer.params == first.params
        made = eval(newest.code, {"nk": __import__("novakit_widgets")})  # of a class whose client is not there
        assert dict(made.run.params) == newest.params
        press(explorer, "Copy code")
        (text,) = newest._code_box.children
        assert (
            text.value
            == newest.code
            == (f"nk.image('A red boat', style='natural', size='512x512', seed={newest.params['seed']})")
        )
        made.close()
        explorer.close()

    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("NOVAKIT_BASE_URL", sandbox.base_url)
    monkeypatch.setattr(JobWidget, "start", _start_of(client))
    go(main, client)


def _start_of(client):
    """Let only the explorer's own cards begin."""
    begin = JobWidget.start

    def start(card):
        if card.run.client is client:
            begin(card)

    return start


def test_a_file_is_named_by_the_code(client, tmp_path, monkeypatch, sandbox):
    """It is written beside the notebook, and what the code reads is what was sent."""
    monkeypatch.chdir(tmp_path)
    png = b"\x89PNG\r\n\x1a\n" + bytes(40)

    async def main():
        explorer = explore("image_edit", client=client, operation="edit")
        explorer.fill({"prompt": "A red door", "image": png})
        card = explorer.generate()
        code = explorer.results[0].code
        assert re.fullmatch(
            r"from pathlib import Path\n\n# (novakit-media/novakit-\w{12}\.png): the file that was sent, 48 bytes\n"
            r"nk\.edit_image\('A red door', image=Path\('\1'\), operation='edit'\)",
            code,
        )
        (file,) = (tmp_path / "novakit-media").iterdir()
        assert file.read_bytes() == png
        assert card.run.params["image"].startswith("data:image/png;base64,")
        await until(lambda: card.status not in ("new", "submitting"))
        explorer.close()

    go(main, client)


def test_code_with_a_file_and_without_words_runs(client, tmp_path, monkeypatch, sandbox):
    """An edit needs no prompt; what was sent is sent again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOVAKIT_API_KEY", sandbox.api_key)
    monkeypatch.setenv("NOVAKIT_BASE_URL", sandbox.base_url)

    async def main():
        explorer = explore("image_edit", client=client)
        explorer.fill({"operation": "upscale", "image": b"\x89PNG\r\n\x1a\n" + bytes(40)})
        first = explorer.generate()
        await until(lambda: first.status not in ("new", "submitting"))
        code = explorer.results[0].code
        monkeypatch.setattr(JobWidget, "start", lambda _card: None)
        again = eval(code.rpartition("\n")[2], {"nk": __import__("novakit_widgets"), "Path": Path})
        assert again.run.params == first.run.params
        again.close()
        explorer.close()

    go(main, client)


def test_what_is_new_is_marked(client):
    """Against the result before; hostile words stay words."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        for prompt, seed in (("A red boat", None), ("A green boat", 4), ("A green boat", 4), (HOSTILE, 4)):
            explorer.fill({"prompt": prompt, "seed": seed})
            explorer.generate()
            await until(lambda: not explorer._generate.disabled)
        hostile, same, new, first = (result.children[0].value for result in explorer.results)
        assert first == ""
        assert "A <mark>green</mark> boat" in new
        assert "<mark>4</mark></span> (was the default)" in new
        assert "Same parameters as the previous result." in same
        assert "<script" not in hostile
        assert "<img" not in hostile
        await finished(explorer, 4)
        explorer.close()

    go(main, client)


def test_videos_are_compared_in_step(client):
    """Each in its column, with its own controls and sound, and a module that keeps them in step; what differs stands above."""

    async def main():
        explorer = explore("video", client=client, duration_seconds=1)
        for prompt in ("A red boat", "A green boat"):
            explorer.fill({"prompt": prompt})
            explorer.generate()
        await finished(explorer, 2)
        for result in explorer.results:
            result.chosen = True
        assert explorer._gallery._compare.description == "Compare 2 results"
        press(explorer, "Compare 2 results")
        (comparison,) = explorer._gallery._side_by_side.children
        row, line, module = comparison.children[1:4]
        shown = [column.children[0].value for column in row.children]
        assert shown == [one.kept[0].content for one in comparison._compared]
        assert len(set(shown)) == 2
        assert line.value == ""  # until the page has the module
        module.children[0].running = True
        await until(lambda: "in step" in words(line))
        heads = comparison.children[0].value
        assert heads.index("A red boat") < heads.index("A <mark>green</mark> boat")
        assert "The same in all: duration_seconds 1" in heads
        press(explorer, "Close comparison")
        assert explorer._gallery._side_by_side.children == ()
        explorer.close()

    go(main, client)


def test_pictures_and_sounds_are_compared_too(client):
    """Each in its column."""

    async def main():
        pictures = explore("image", client=client, size="512x512")
        for seed in (1, 2, 3):
            pictures.fill({"prompt": "A boat", "seed": seed})
            pictures.generate()
        await finished(pictures, 3)
        pictures.compare(*pictures)
        assert pictures._gallery._side_by_side.children[0].children[0].value.count("<img") == 3
        with pytest.raises(ValueError, match="2 to 4"):
            pictures.compare(pictures[0])
        other = image("A lighthouse", client=client, size="512x512")
        with pytest.raises(ValueError, match="Only finished results of this explorer"):
            pictures.compare(pictures[0], other)
        await other
        sounds = explore("tts", client=client)
        for voice in ("nova", "onyx"):
            sounds.fill({"input": "Good morning", "voice": voice})
            sounds.generate()
        await finished(sounds, 2)
        sounds.compare(*sounds)
        assert sounds._gallery._side_by_side.children[0].children[0].value.count("<audio") == 2
        for each in (pictures, sounds):
            each.close()

    go(main, client)


def test_stars_and_notes_are_in_the_history(client):
    """They are found again, by their words too, and shown there."""

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.fill({"prompt": "A boat"})
        explorer.generate()
        await finished(explorer, 1)
        (result,) = explorer.results
        result._star.value = True
        result._note.value = "the sail is <b>right</b>"
        await until(lambda: history(search="sail", client=client)[:1])
        await until(lambda: history(client=client)[0].star)
        view = history(client=client)
        assert view[0].note == "the sail is <b>right</b>"
        table = view._table.value
        assert "★" in table
        assert "the sail is &lt;b&gt;right&lt;/b&gt;" in table
        view.close()
        explorer.close()

    go(main, client)


def test_without_a_history_that_is_said(client, monkeypatch):
    """A note that is not kept is no secret."""
    monkeypatch.setenv("NOVAKIT_HISTORY", "off")

    async def main():
        explorer = explore("image", client=client, size="512x512")
        explorer.fill({"prompt": "A boat"})
        explorer.generate()
        await finished(explorer, 1)
        explorer.results[0]._star.value = True
        await until(lambda: "Not stored" in words(explorer.results[0]._message))
        explorer.close()

    go(main, client)


def test_what_it_takes_stands_beside_the_button():
    """From the quota, from the form, and from what similar jobs took; too little is said in time."""
    with Sandbox(speed=200.0, limits="off", seed=1) as sandbox:
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)

        async def main():
            explorer = explore("video", client=client)
            await until(lambda: explorer._spending.value)
            assert words(explorer._spending) == "Uses 5 s of your remaining 120 s."
            explorer.fill({"prompt": "A boat", "duration_seconds": 500})
            assert words(explorer._spending) == ("Uses 500 s. Quota exceeded: 120 s left.")
            explorer.fill({"prompt": "A boat", "duration_seconds": 2})
            explorer.generate()
            await finished(explorer, 1)
            await until(lambda: "Similar jobs took" in words(explorer._spending))
            assert re.search(r"Similar jobs took [\d.]+ credits and ", words(explorer._spending))
            explorer.fill({"prompt": "A boat", "duration_seconds": 3})
            assert "Similar jobs" not in words(explorer._spending)
            explorer.close()

        go(main, client)


def test_several_forms_ask_once(sandbox, client):
    """A cell that is run again leaves its old form behind: that must not cost the key a request for each."""

    async def main():
        explorers = [explore("image", client=client, size="512x512") for _ in range(5)]
        await until(lambda: all(explorer._spending.value for explorer in explorers))
        assert len([request for request in sandbox.requests if request.path.endswith("/quota")]) == 1
        for explorer in explorers:
            explorer.close()
        assert explorers[0]._quota._stop is None

    go(main, client)


def test_an_explorer_without_quota_says_why(sandbox, client):
    """And generates all the same."""

    async def main():
        sandbox.inject(Fault.status(403), method="GET", path="/quota", times=None)
        explorer = explore("image", client=client, size="512x512")
        await until(lambda: "Remaining quota unknown" in words(explorer._spending))
        explorer.fill({"prompt": "A boat"})
        explorer.generate()
        await finished(explorer, 1)
        explorer.close()

    go(main, client)


def test_old_results_make_room(client, monkeypatch):
    """So that a page that is used for a day stays light; the history has them."""
    monkeypatch.setattr(gallery, "MOST_RESULTS", 2)

    async def main():
        explorer = explore("image", client=client, size="512x512")
        models = []
        for seed in range(4):
            explorer.fill({"prompt": "A boat", "seed": seed})
            explorer.generate()
            await finished(explorer, min(seed + 1, 2))
            models.append(len(_instances))
        assert models[1] == models[2] == models[3]
        assert "nk.history(tool='image')" in words(explorer._gallery._older)
        assert [result.params["seed"] for result in explorer.results] == [3, 2]
        explorer.close()

    go(main, client)


def test_closing_releases_everything(client):
    """Every model of it, and the listening for ends."""

    async def main():
        before = len(_instances)
        explorer = explore("image", client=client, size="512x512")
        for seed in (1, 2):
            explorer.fill({"prompt": "A boat", "seed": seed})
            explorer.generate()
        await finished(explorer, 2)
        explorer.compare(*explorer)
        press(explorer, "Copy code")
        explorer.close()
        explorer.close()
        assert len(_instances) == before

    go(main, client)


def test_a_plain_script_can_use_it(sandbox, client):
    """There is no loop; what it generates can be waited for."""
    explorer = explore("image", client=client, size="512x512")
    explorer.fill({"prompt": "A boat"})
    assert explorer.generate().wait().params == {"prompt": "A boat", "size": "512x512"}
    explorer.close()


def test_what_can_not_be_mended_is_refused_at_once(client):
    """A fixed parameter has no field."""
    with pytest.raises(InvalidParameterError, match=r"video: fps must be 30 or 60, got 29"):
        explore("video", fps=29, client=client)
    with pytest.raises(TypeError, match="did you mean 'aspect_ratio'"):
        explore("video", aspect_ration="1:1", client=client)
    with pytest.raises(TypeError, match=r"explore\(\) got .* did you mean 'embed'"):
        explore("video", embeded="link", client=client)
    with pytest.raises(TypeError, match="'timeout', which the service does not take"):
        explore("video", timeout=5, client=client)
    with pytest.raises(MissingKeyError):
        explore("video")


def test_readers_without_a_kernel_are_told(client):
    """What stands in a saved notebook."""
    explorer = explore("video", client=client)
    assert "Run the cell" in explorer._repr_mimebundle_()["text/html"]
    explorer.close()
