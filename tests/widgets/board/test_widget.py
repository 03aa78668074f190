"""JobBoard against the sandbox: what it shows, what it tells, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Sequence
from html.parser import HTMLParser

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances
from loops import leave, owning

from novakit_widgets import (
    InvalidParameterError,
    JobBoard,
    JobFailedError,
    JobTimeoutError,
    MediaError,
    NovaKitClient,
    QuotaExceededError,
    Sandbox,
    Tool,
    batch,
    configure,
)
from novakit_widgets.sandbox import Fault
from novakit_widgets.widgets.board import table
from novakit_widgets.widgets.board import widget as board_module
from novakit_widgets.widgets.board.parts import CELLS
from novakit_widgets.widgets.common.display import ResultDisplay

SPEED = 200.0


@pytest.fixture(autouse=True)
def _as_fast_as_the_sandbox():
    configure(speed=SPEED)


def go(main, client):
    """Run on a loop of its own, and leave nothing on it."""

    async def whole():
        boards = []
        try:
            return await asyncio.wait_for(main(boards.append), 60)
        finally:
            for board in boards:
                board.cancel()
                await leave(board._queue)
            await client.aclose()

    return owning(whole())


def texts(markup):
    """Return the words of some HTML."""
    found = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(markup)
    return " ".join(" ".join(found).split())


def parts(board):
    return board._painter.parts


def lines(board):
    """Return the words of each line of the table, without its header."""
    board.paint()
    return [texts(row) for row in parts(board).table.value.split("<tr")[2:]]


def prompts(count, *others):
    return [f"Lighthouse {number}" for number in range(count)] + list(others)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


def test_a_tool_can_be_called_by_its_name_or_endpoint(sandbox, client):
    """As for one job; what is no tool is refused before anything is sent."""

    async def main(hold):
        lighthouse = {"prompt": "A lighthouse"}
        board = JobBoard([("image", lighthouse), ("images/generations", lighthouse)], client=client)
        hold(board)
        assert [job.tool for job in await board] == ["image", "image"]

    go(main, client)
    assert len(sandbox.jobs) == 2
    with pytest.raises(InvalidParameterError, match=r"NovaKit has no tool 'painting'\. Nothing was sent"):
        JobBoard([("image", {"prompt": "A lighthouse"}), ("painting", {"prompt": "A lighthouse"})], client=client)
    assert len(sandbox.jobs) == 2


def test_all_go_through_in_order_and_one_failure_stops_nobody(client):
    """The completed jobs in order, the failed one by its number; the sequence has all."""

    async def main(hold):
        board = batch("image", [*prompts(6), "fail please", "Lighthouse 7"], size="512x512", client=client)
        hold(board)
        assert isinstance(board, Sequence)
        assert isinstance(board, ipywidgets.VBox)
        assert len(board) == 8
        assert list(board) == [None] * 8
        jobs = await board
        assert [job.params["prompt"] for job in jobs] == [*prompts(6), "Lighthouse 7"]
        assert list(board.failed) == [6]
        assert isinstance(board.failed[6], JobFailedError)
        assert board[6].status == "failed"
        assert board[0] == jobs[0] == board[-8]
        assert board[6:] == [board[6], board[7]]
        for beyond in (8, -9):
            with pytest.raises(IndexError, match=f"There is no job {beyond}; jobs are numbered from 0 to 7"):
                board[beyond]
        assert jobs[2] in board
        assert board.index(jobs[2]) == 2
        assert board.count(None) == 0
        assert next(reversed(board)) == board[7]
        assert repr(board).startswith("<JobBoard 7 of 8 done · 1 failed: await it")

    go(main, client)


def test_a_plain_script_waits_without_a_loop(sandbox, client):
    """Without a running loop the jobs are submitted when they are waited for, and a second wait costs nothing."""
    board = batch("image", prompts(3), size="512x512", client=client)
    assert not sandbox.jobs
    jobs = board.wait()
    assert len(jobs) == 3
    assert board.wait() == jobs
    assert len(sandbox.jobs) == 3


def test_a_wait_that_takes_too_long_leaves_the_jobs(sandbox, client):
    """The error tells how far they are; another wait takes them up, and nothing is submitted twice."""
    sandbox.next_duration(*[1.0 * SPEED] * 3)
    board = batch("image", prompts(3), size="512x512", client=client)
    with pytest.raises(JobTimeoutError, match=r"After 0.3 s: 0 of 3 done.*The jobs go on"):
        board.wait(timeout=0.3)
    assert len(board.wait()) == 3
    assert len(sandbox.jobs) == 3


def test_as_they_come(sandbox, client):
    """as_completed yields each completed job once, the quick ones first; the failed one is in failed."""
    sandbox.next_duration(0.8 * SPEED, 0.1 * SPEED, 0.1 * SPEED, 0.4 * SPEED)

    async def main(hold):
        board = batch("image", prompts(2, "fail please", "Lighthouse 3"), size="512x512", client=client)
        hold(board)
        seen = [job async for job in board.as_completed()]
        assert seen[-1].completed_at == max(job.completed_at for job in seen)
        assert sorted(job.params["prompt"] for job in seen) == [*prompts(2), "Lighthouse 3"]
        assert list(board.failed) == [2]
        assert len([job async for job in board.as_completed()]) == 3

    go(main, client)


def test_what_failed_is_tried_again_and_nothing_else(sandbox, client):
    """retry_failed submits the failed ones once more; the completed ones stay as they are."""

    async def main(hold):
        sandbox.inject(Fault.status(400), method="POST", times=20)
        board = batch("image", prompts(2), size="512x512", client=client, max_running=1)
        hold(board)
        assert await board == []
        assert set(board.failed) == {0, 1}
        sandbox.clear_faults()
        board.retry_failed()
        assert len(await board) == 2
        assert board.failed == {}
        assert len(sandbox.jobs) == 2
        before = len(sandbox.requests)
        board.retry_failed()
        assert len(await board) == 2
        assert len(sandbox.requests) == before

    go(main, client)


def test_cancelling_from_another_thread(sandbox, client):
    """What waits is never submitted, what runs is cancelled, what is done keeps its media."""
    sandbox.next_duration(0.05 * SPEED, *[60 * SPEED] * 9)  # whichever comes first

    async def main(hold):
        board = batch("image", prompts(10), size="512x512", client=client, max_running=3)
        hold(board)
        await until(lambda: any(job and job.ended for job in board) and sum(job is not None for job in board) == 4)
        thread = threading.Thread(target=lambda: asyncio.run(_cancel(board)))
        thread.start()
        (job,) = await board
        assert job.media
        assert board.failed == {}
        assert sorted(record["status"] for record in board.to_records()) == ["cancelled"] * 9 + ["completed"]
        assert len(sandbox.jobs) == 4

    async def _cancel(board):
        board.cancel()

    go(main, client)


def test_the_quota_holds_the_queue_and_continue_goes_on(tmp_path):
    """402: what waits stays, the board says why with the service's figures, waiting raises it, and it can go on."""
    with Sandbox(speed=SPEED, limits="off", seed=1, quotas={"image_generations": 2}) as sandbox:
        client = NovaKitClient(sandbox.api_key, sandbox.base_url)

        async def main(hold):
            board = batch("image", prompts(4), size="512x512", client=client, max_running=1)
            hold(board)
            with pytest.raises(QuotaExceededError):
                await board
            board.paint()
            assert "On hold." in texts(parts(board).notice.value)
            assert "generations remaining: 0" in texts(parts(board).notice.value)
            assert "2 queued, on hold" in texts(parts(board).head.value)
            assert parts(board).resume.layout.display is None
            assert "On hold" in parts(board).announcer.value
            parts(board).resume.click()
            with pytest.raises(QuotaExceededError):
                await board
            board.cancel()
            assert len(await board) == 2
            board.paint()
            assert parts(board).resume.layout.display == "none"

        go(main, client)


def test_records_are_flat(client, tmp_path):
    """One dict for each job, with the parameters' own names; files are those that were saved."""

    async def main(hold):
        board = batch("image", [{"prompt": "A", "status": "odd"}, "fail please"], size="512x512", client=client)
        hold(board)
        await board
        return board

    board = go(main, client)
    done, failed = board.to_records()
    assert (done["number"], done["tool"], done["prompt"], done["size"]) == (0, "image", "A", "512x512")
    assert (done["status"], done["parameter_status"], done["error"]) == ("completed", "odd", None)
    assert done["job_id"] == board[0].id
    assert done["urls"] == [media.url for media in board[0].media]
    assert done["credits"] == board[0].actual_credits
    assert done["seconds"] > 0
    assert failed["status"] == "failed"
    assert "could not finish" in failed["error"]
    files = board.save(tmp_path / "kept")
    assert board.to_records()[0]["files"] == [str(file) for file in files]
    assert [file.read_bytes()[:4] for file in files] == [b"\x89PNG"]


def test_saving_goes_on_after_a_result_that_is_gone(sandbox, client, tmp_path):
    """The error names the one that could not be saved; the others are there."""

    async def main(hold):
        board = batch("image", prompts(5), size="512x512", client=client)
        hold(board)
        await board
        return board

    board = go(main, client)
    gone = sandbox.expire_media(board[2].id)
    assert gone
    with pytest.raises(MediaError, match=r"job 2 could not be saved.*4 other files are in"):
        board.save(tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 4
    assert not [file for file in (tmp_path / "kept").iterdir() if board[2].id in file.name]
    told = [record["files"] for record in board.to_records()]
    assert told == [
        [] if number == 2 else [str(tmp_path / "kept" / f"{number}-novakit-{board[number].id}-1.png")]
        for number in range(5)
    ]


def test_a_batch_that_runs_again_says_what_there_is(client):
    """Without reuse it is paid in full, and one line says so beforehand; with reuse, or the first time, there is no such line."""

    async def main(hold):
        for items, reuse, said in ((prompts(3), None, False), (prompts(5), None, True), (prompts(5), True, False)):
            board = batch("image", items, size="512x512", client=client, reuse=reuse)
            hold(board)
            await board
            board.paint()
            line = "3 of these 5 jobs already run or were made within a day; reuse=True shows such jobs at no cost."
            assert (line in parts(board).notice.value) is said
            while (plain := board._plain_bundle()) is None:
                await asyncio.sleep(0.01)
            assert (line in plain["text/html"]) is said

    go(main, client)


def test_a_reused_job_that_is_gone_is_made_anew(sandbox, client):
    """The service no longer knows it: the board makes it, and says why; what is still there costs nothing."""

    async def main(hold):
        first = batch("image", prompts(2), size="512x512", client=client)
        hold(first)
        gone, there = await first
        sandbox.inject(Fault.status(404), method="GET", path=f"/jobs/{gone.id}", times=None)
        board = batch("image", prompts(2), size="512x512", client=client, reuse=True)
        hold(board)
        made, reused = await board
        assert made.id != gone.id
        assert reused.id == there.id
        assert board._queue.items[0].run.note == f"Made anew: the service no longer knows {gone.id} of your history."

    go(main, client)
    assert len(sandbox.jobs) == 3


def test_a_cancellation_that_fails_is_told(sandbox, client):
    """How many go on is on the board until they have ended, or are cancelled after all."""
    sandbox.next_duration(*[60 * SPEED] * 3)

    async def main(hold):
        board = batch("image", prompts(3), size="512x512", client=client)
        hold(board)
        await until(lambda: all(board))
        refused = sandbox.inject(Fault.status(403), method="DELETE", times=None)
        board.cancel()
        await until(lambda: refused.hits == 3 and board._queue.not_cancelled == 3)
        board.paint()
        assert "3 could not be cancelled" in parts(board).notice.value
        sandbox.clear_faults()
        board.cancel()
        assert await board == []
        board.paint()
        assert "could not be cancelled" not in parts(board).notice.value

    go(main, client)


def test_files_are_named_in_the_order_of_their_numbers(client, tmp_path):
    """As many digits as the highest number has, so that a folder lists them as the board does."""

    async def main(hold):
        board = batch("image", prompts(12), size="512x512", client=client)
        hold(board)
        await board
        return board

    board = go(main, client)
    files = board.save(tmp_path)
    assert [file.name for file in files] == [f"{number:02}-novakit-{board[number].id}-1.png" for number in range(12)]
    assert files == sorted(files)


@pytest.mark.parametrize(("wanted", "suffix"), [("json", ".txt"), ("text", ".txt"), ("srt", ".srt"), ("vtt", ".vtt")])
def test_words_are_kept_too(client, tmp_path, wanted, suffix):
    """A transcription has its text in the records, and a file by the format that was asked for."""

    async def main(hold):
        board = batch("stt", ["https://example.org/a.mp3"], response_format=wanted, client=client)
        hold(board)
        await board
        return board

    board = go(main, client)
    (file,) = board.save(tmp_path / wanted)
    assert file.name == f"0-novakit-{board[0].id}{suffix}"
    (record,) = board.to_records()
    assert file.read_text(encoding="utf-8") == record["text"] == board[0].text != ""
    assert record["files"] == [str(file)]
    assert board[0].save(tmp_path / "single.txt", client=client)[0].read_text(encoding="utf-8") == record["text"]


def test_as_many_models_for_a_thousand_jobs_as_for_one(client):
    """At most 60, layouts and styles counted; close() leaves none."""
    before = set(_instances)
    one = batch("image", ["A"], client=client)
    count = len(set(_instances) - before)
    many = JobBoard([(Tool.IMAGE, {"prompt": prompt}) for prompt in prompts(1000)], client=client, autostart=False)
    assert len(set(_instances) - before) - count == count <= 60
    one.close()
    many.close()
    many.close()
    assert set(_instances) == before


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_in_greenwich_has_its_place(sandbox, client, created):
    """A board by its newest jobs is one all the same."""

    async def main(hold):
        sandbox.inject(Fault.fields(createdAt=created, completedAt=None), method="GET", path="/jobs*", times=None)
        board = batch("image", ["one", "two"], size="512x512", client=client)
        hold(board)
        await board
        parts(board).sort.value = "newest"
        assert len(lines(board)) == 2

    go(main, client)


def test_rows_pages_filter_and_order(sandbox, client):
    """The table shows what the menus say, a hundred at a time; each number is the sequence's own."""

    async def main(hold):
        sandbox.next_duration(*[0.05 * SPEED] * 3, *[60 * SPEED] * 400)
        items = ["fail please", 'A <b>bold</b> & "quoted" boat', *(f"Number {number}" for number in range(2, 250))]
        board = batch("image", items, size="512x512", client=client, max_running=3)
        hold(board)
        widgets = parts(board)
        await until(lambda: all(job and job.ended for job in board[:3]) and all(board[3:6]))
        assert len(lines(board)) == 100
        assert "&lt;b&gt;bold&lt;/b&gt;" in widgets.table.value
        assert "<b>" not in widgets.table.value
        assert widgets.table.value.count('scope="row"') == 100
        assert "Page 1 of 3, 250 jobs" in widgets.shown.value
        assert (widgets.before.disabled, widgets.after.disabled) == (True, False)
        for number in (100, 200, 200):
            widgets.after.click()
            assert f" {number} " in lines(board)[0].split(">", 1)[1] + " "
        assert len(lines(board)) == 50
        assert (widgets.before.disabled, widgets.after.disabled) == (False, True)
        for wanted, count in (("waiting", 100), ("running", 3), ("failed", 1), ("done", 2), ("cancelled", 0)):
            widgets.filter.value = wanted
            assert len(lines(board)) == count or "No jobs match" in widgets.table.value
        widgets.filter.value, widgets.sort.value = "all", "status"
        first = lines(board)
        assert "Failed" in first[0]
        assert "Number 3" in first[1]
        assert widgets.before.layout.display is None
        widgets.filter.value = "failed"
        board.paint()
        assert widgets.before.layout.display == "none"

    go(main, client)


def test_results_keep_their_places_in_the_grid(sandbox, client):
    """New results go to the end, and the place of one that is there is not touched; nothing is loaded before it is seen."""
    sandbox.next_duration(0.4 * SPEED, 0.05 * SPEED)

    async def main(hold):
        board = batch("image", prompts(2, *prompts(CELLS)), size="512x512", client=client)
        hold(board)
        widgets = parts(board)
        widgets.as_grid.value = True
        await until(lambda: board[1] is not None and board[1].ended)
        board.paint()
        first = widgets.cells[0].value
        assert first
        await board
        board.paint()
        assert widgets.cells[0].value == first
        assert all(cell.value.count('loading="lazy"') == 1 for cell in widgets.cells)
        assert "Page 1 of 2, 14 results" in widgets.shown.value
        widgets.after.click()
        board.paint()
        assert [bool(cell.value) for cell in widgets.cells] == [True] * 2 + [False] * (CELLS - 2)
        assert widgets.table.layout.display == "none"
        widgets.as_grid.value = False
        board.paint()
        assert (widgets.grid.layout.display, widgets.table.layout.display) == ("none", None)
        assert widgets.table.layout.max_height is None  # few jobs are tiles, which do not scroll
        widgets.as_table.value = True
        board.paint()
        assert widgets.table.layout.max_height
        widgets.as_grid.value = True
        board.paint()
        assert (widgets.grid.layout.display, widgets.table.layout.display) == ("grid", "none")

    go(main, client)


def test_sounds_and_words_have_their_places_too(client):
    """A sound is a player that loads nothing by itself; a transcription is its words."""

    async def main(hold):
        spoken = batch("tts", ["Hello there, general"], client=client)
        hold(spoken)
        (job,) = await spoken
        parts(spoken).as_grid.value = True
        spoken.paint()
        assert '<audio controls preload="none"' in parts(spoken).cells[0].value
        heard = batch("stt", [job.media[0].url], client=client)
        hold(heard)
        (told,) = await heard
        parts(heard).as_grid.value = True
        heard.paint()
        assert told.text[:5] in parts(heard).cells[0].value

    go(main, client)


def test_one_job_in_detail(sandbox, client):
    """By number or job id: parameters, error, player, code; with the one button that applies."""
    sandbox.next_duration(0.05 * SPEED, 0.05 * SPEED, *[60 * SPEED] * 3)

    async def main(hold):
        board = batch(
            "image", ["A lighthouse", "fail please", *prompts(2)], size="512x512", client=client, max_running=1
        )
        hold(board)
        widgets = parts(board)
        await until(lambda: board[2] is not None)

        def choose(text):
            widgets.number.value = text
            board.paint()
            shown = widgets.act.description if widgets.act.layout.display is None else ""
            return shown, texts(widgets.details_head.value), texts(widgets.details.value)

        button, head, body = choose("0")
        assert button == "Save"
        assert "Image 0" in head
        assert "Done" in head
        assert "nk.image('A lighthouse', size='512x512')" in body
        assert "<img" in widgets.details.value
        button, head, body = choose(board[1].id)
        assert (button, "Failed" in head) == ("Try again", True)
        assert "could not finish" in body
        assert choose("#2")[0] == "Cancel"
        assert choose("3")[0] == "Cancel"
        widgets.act.click()
        await until(lambda: board.to_records()[3]["status"] == "cancelled")
        assert choose("3")[0] == "Try again"
        assert choose("4")[:2] == ("", "There is no job '4'; jobs are numbered from 0 to 3.")
        assert choose("-1")[1].startswith("There is no job '-1'")
        assert choose("<b>")[1].startswith("There is no job '<b>'")
        assert choose("") == ("", "", "")

    go(main, client)


def test_one_result_is_saved_by_its_button(client, tmp_path, monkeypatch):
    """The board says under which name, and where."""
    monkeypatch.chdir(tmp_path)

    async def main(hold):
        board = batch("image", prompts(2), size="512x512", client=client)
        hold(board)
        await board
        parts(board).number.value = "1"
        board.paint()
        parts(board).act.click()
        await until(lambda: board._painter.note)
        board.paint()
        assert board[1].id in texts(parts(board).notice.value)

    go(main, client)
    assert len(list(tmp_path.glob("1-novakit-job_*.png"))) == 1


def test_nothing_is_sent_when_nothing_has_changed(client):
    """A second painting of the same costs no message; and a table is sent whole, but only when a line of it has changed."""

    async def main(hold):
        board = batch("image", prompts(20), size="512x512", client=client)
        hold(board)
        await board
        board.paint()
        assert board.paint() == 0

    go(main, client)


def test_a_thousand_jobs_are_painted_in_few_bytes_and_only_what_has_changed(client, monkeypatch):
    """Under 100 kB for a page of the longest and oddest prompts, whose rows are written once; a benchmark times it."""
    awkward = ["\"<&'>" * 400, "😀" * 900, "\\" * 900, "\x00\x1f" * 90, "ü" * 900]
    items = [(Tool.IMAGE, {"prompt": awkward[number % len(awkward)]}) for number in range(1000)]
    board = JobBoard(items, client=client, autostart=False)
    board.paint()
    sent = json.dumps(parts(board).table.value, ensure_ascii=False).encode("utf-8")
    assert len(sent) < 100_000
    written, row = [], table.row
    monkeypatch.setattr(table, "row", lambda told: written.append(told) or row(told))
    board.paint()
    assert written == []
    last = board._queue.items[99]  # of the page: those behind it start earlier now, which their rows say
    board._queue.cancel_item(last)
    board.paint()
    assert [told.number for told in written] == [last.number]


def test_few_jobs_are_tiles_unless_a_table_is_asked_for(client):
    """Up to fifty jobs are a gallery with the prompts as captions; more are rows."""
    for count, tiles in ((50, True), (51, False)):
        board = JobBoard([(Tool.IMAGE, {"prompt": text}) for text in prompts(count)], client=client, autostart=False)
        board.paint()
        widgets = parts(board)
        assert ("nk-gallery" in widgets.table._dom_classes) is tiles
        assert (widgets.as_table.layout.display != "none") is tiles
        widgets.as_table.value = True
        board.paint()
        assert widgets.table._dom_classes == ()
        board.close()


def test_far_apart_announcements(client):
    """A screen reader hears of a change of state at once, of mere progress every ten seconds at most."""
    now = [0.0]

    async def main(hold):
        board = JobBoard([(Tool.IMAGE, {"prompt": text}) for text in prompts(5)], client=client, autostart=False)
        hold(board)
        board._painter._clock = lambda: now[0]
        board.paint()
        first = parts(board).announcer.value
        assert 'role="status" aria-live="polite"' in first
        board.start()
        await until(lambda: any(board))
        board.paint()
        assert parts(board).announcer.value == first
        now[0] = 11.0
        board.paint()
        assert parts(board).announcer.value != first
        await board
        board.paint()
        assert "5 of 5 done" in parts(board).announcer.value

    go(main, client)


def test_what_a_saved_notebook_keeps(client, sandbox, monkeypatch, tmp_path):
    """Plain HTML with every job and every result inside; one that is gone spoils nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(board_module, "in_kernel", lambda: True)
    monkeypatch.setattr(ResultDisplay, "show_if_hidden", lambda display: None)

    async def main(hold):
        sandbox.inject(Fault.status(404), path="/media/*", times=1)
        board = batch("image", prompts(5, "fail please <b>"), size="512x512", client=client)
        hold(board)
        assert board._display.plain() is None
        await board
        await until(lambda: board._display.plain() is not None)
        return board._display.plain(), board

    bundle, board = go(main, client)
    html = bundle["text/html"]
    assert bundle["text/plain"] == "NovaKit jobs: 5 of 6 done · 1 failed"
    assert html.count('src="data:image/png;base64,') >= 4
    assert "5 of 6 done" in texts(html)
    assert "fail please <b>" in texts(html)
    assert "All with size 512x512" in texts(html)
    assert all(job.id in html for job in board)
    assert "<script" not in html
    # An untrusted notebook drops the style: only a block of its own holds a picture to its number there.
    tile = r'<details class="nk-result"><summary [^>]*><div class="nk-stage"><img [^>]*></div><p [^>]*><strong>(\d)</strong>'
    assert re.findall(tile, html) == ["0", "1", "2", "3", "4"]
    assert re.findall(r'<details class="nk-result nk-failed.*?<strong>(\d)</strong>', html) == ["5"]
    assert html.count("<img ") == 5


def test_together_they_share_eight_megabytes(client, monkeypatch, tmp_path):
    """What has no room in the notebook goes beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(board_module, "in_kernel", lambda: True)
    monkeypatch.setattr(ResultDisplay, "show_if_hidden", lambda display: None)

    async def main(hold):
        board = batch("image", prompts(6), size="512x512", client=client)
        board._keeper._room.left = 700_000
        hold(board)
        await board
        await until(lambda: board._display.plain() is not None)
        return board

    board = go(main, client)
    every = [kept for number in range(6) for kept in board._keeper.kept[number]]
    inside = [kept for kept in every if kept.content is not None]
    beside = [kept for kept in every if kept.path is not None]
    assert len(inside) + len(beside) == 6
    assert inside
    assert beside
    assert sum(len(kept.content) for kept in inside) <= 700_000
    assert all(kept.path.parent.name == "novakit-media" for kept in beside)
    html = board._display.plain()["text/html"]
    assert html.count('src="novakit-media/') == len(beside)


def test_closing_in_the_middle_releases_everything(client):
    """The jobs go on; nothing is painted any more."""

    async def main(hold):
        before = set(_instances)
        board = batch("image", prompts(5), size="512x512", client=client)
        hold(board)
        await until(lambda: any(board))
        board.close()
        assert set(_instances) == before
        await board._queue.wait()
        assert all(job.ended for job in board)

    go(main, client)
