"""A board in a cell: it moves, its buttons get through, and the plain result stands where it was shown."""

from __future__ import annotations

import pytest
from generations import first_on_the_newest, on_both_ends, on_subshells, on_the_newest

_BATCH = 'nk.batch("image", [f"Lighthouse {number}" for number in range(%d)], size="512x512")'
_MARK = "print('waiting', flush=True)"


def plain_of(kernel, cell):
    """Return what stands where a cell has shown its board."""
    (display_id,) = cell.display_ids
    return kernel.displays[display_id].get("text/html", "")


def button(card, description):
    return next(model for model in card.models if model.state.get("description") == description)


@first_on_the_newest
def test_a_board_runs_behind_the_cells_and_becomes_plain(kernel, sandbox):
    """The cell ends at once; then the rows move, and at the end plain HTML with all results stands there and nowhere else."""
    sandbox.next_duration(*[10.0, 20.0, 30.0] * 2)
    cell = kernel.ok(f"board = {_BATCH % 6}; board")
    other = kernel.ok("print('another')")
    card = kernel.card(cell)
    card.says("of 6 done", "Lighthouse 5", "Generating")
    kernel.until(lambda: "novakit-plain-board" in plain_of(kernel, cell), what="the plain result")
    html = plain_of(kernel, cell)
    assert html.count('src="data:image/png;base64,') == 6
    assert "6 of 6 done" in html
    assert other.views == other.display_ids == []
    table = next(model for model in card.models if "<table" in str(model.state.get("value")))
    assert len(table.values("value")) > 3
    assert kernel.value("len(board), len(board.wait())") == "6 6"
    assert kernel.troubles() == ""


@pytest.mark.parametrize("wait", ["jobs = board.wait()", "jobs = await board"])
def test_a_cell_that_waits_shows_the_board_itself(kernel, sandbox, wait):
    """The board shows itself in the cell that waits, and is replaced while that cell still runs, on its behalf."""
    sandbox.next_duration(*[10.0] * 3)
    cell = kernel.ok(f"board = {_BATCH % 3}; {wait}; print(len(jobs))")
    assert cell.text.strip() == "3"
    kinds = [message["msg_type"] for message in cell.outputs]
    assert kinds[:2] == ["display_data", "update_display_data"]
    assert "novakit-plain-board" in plain_of(kernel, cell)
    again = kernel.ok("board")
    assert "novakit-plain-board" in again.outputs[0]["content"]["data"]["text/html"]
    assert kernel.troubles() == ""


def test_an_interrupt_ends_the_waiting_only(kernel, sandbox):
    """The jobs, those that wait too, go on; waiting again clock, and the cell that made the board gets the plain result."""
    sandbox.next_duration(*[40.0] * 4)
    shown = kernel.ok('board = nk.batch("image", list("abcd"), size="512x512", max_running=2); board')
    for wait in ("board.wait()", "await board"):
        cell = kernel.send(f"{_MARK}; {wait}")
        kernel.until(lambda cell=cell: "waiting" in cell.text)
        kernel.listen(0.3)
        kernel.interrupt()
        kernel.finish(cell)
        assert cell.error in ("KeyboardInterrupt", "CancelledError")
    assert kernel.value("board.failed, len(board.wait())") == "{} 4"
    assert [job.status for job in list(sandbox.jobs.values())[-4:]] == ["completed"] * 4
    kernel.until(lambda: "novakit-plain-board" in plain_of(kernel, shown))
    assert kernel.troubles() == ""


@on_both_ends
def test_cancel_all_by_a_click(kernel, sandbox):
    """What runs is cancelled, what waits is never submitted, and the board says so."""
    before = len(sandbox.jobs)
    sandbox.next_duration(*[400.0] * 3)
    cell = kernel.ok('board = nk.batch("image", list("abcdefgh"), size="512x512", max_running=3); board')
    card = kernel.card(cell)
    card.says("3 generating", "5 queued")
    kernel.until(lambda: len(sandbox.jobs) == before + 3)
    kernel.click(button(card, "Cancel all"))
    kernel.until(lambda: "8 cancelled" in plain_of(kernel, cell), what="the plain result")
    assert len(sandbox.jobs) == before + 3
    assert {job.status for job in list(sandbox.jobs.values())[-3:]} == {"cancelled"}
    assert kernel.troubles() == ""


@on_subshells
def test_a_click_while_a_cell_awaits_the_board(kernel, sandbox):
    """Retry and the menus work too: whatever thread the click comes on, it is done on the kernel's loop."""
    sandbox.next_duration(*[300.0] * 2)
    kernel.ok('board = nk.batch("image", ["a", "b"], size="512x512")')
    cell = kernel.send("jobs = await board; print(len(jobs))")
    card = kernel.card(cell)
    card.says("2 generating")
    kernel.click(button(card, "Cancel all"))
    kernel.finish(cell)
    assert cell.text.strip() == "0"
    assert kernel.troubles() == ""


@on_the_newest
def test_in_somebodys_own_layout_it_stays_a_widget(kernel, sandbox):
    """A nested board is not replaced, and not shown a second time by whoever waits for it."""
    sandbox.next_duration(*[6.0] * 2)
    cell = kernel.ok(f"import ipywidgets; board = {_BATCH % 2}; ipywidgets.VBox([board])")
    waited = kernel.ok("print(len(await board))")
    assert waited.views == []
    kernel.card(cell).says("2 of 2 done")
    assert all("novakit-plain" not in str(message["content"]) for message in cell.outputs)


@on_the_newest
def test_failed_ones_are_tried_again_on_the_same_spot(kernel, sandbox):
    """After the plain result a retry brings the live board back, and then a new plain result."""
    cell = kernel.ok('board = nk.batch("image", ["A lighthouse", "fail please"], size="512x512"); board')
    kernel.until(lambda: "1 failed" in plain_of(kernel, cell))
    kernel.ok("board.retry_failed()")
    (display_id,) = cell.display_ids
    kernel.until(
        lambda: "application/vnd.jupyter.widget-view+json" in kernel.displays[display_id], what="the live board"
    )
    kernel.until(lambda: "1 failed" in plain_of(kernel, cell), what="the plain result again")
    assert kernel.value("len(board.failed), len(board.wait())") == "1 1"
    assert kernel.troubles() == ""


@on_the_newest
def test_a_board_comes_back_after_its_kernel_was_killed(start, sandbox, tmp_path):
    """In another kernel it is held where it was; Continue submits what waited, and nothing is submitted twice."""
    history = str(tmp_path / "shared.sqlite3")
    before = len(sandbox.jobs)
    sandbox.next_duration(*[60.0] * 6)
    first = start(NOVAKIT_HISTORY=history)
    cell = first.ok('board = nk.batch("image", list("abcdef"), size="512x512", max_running=2); board')
    first.card(cell).says("2 generating", "4 queued")
    first.until(lambda: len(sandbox.jobs) == before + 2)
    # Killed before an answer is in the history, it would have a lost one, which is another test.
    first.until(lambda: first.value("sum(entry.job is not None for entry in nk.history())") == "2")
    first._manager.shutdown_kernel(now=True)

    second = start(NOVAKIT_HISTORY=history)
    second.ok("(board,) = nk.recover().boards")
    shown = second.ok("board")
    card = second.card(shown)
    card.says("On hold.", "4 queued, on hold")
    assert len(sandbox.jobs) == before + 2
    card.says("2 of 6 done")
    second.click(button(card, "Continue"))
    second.until(lambda: "6 of 6 done" in plain_of(second, shown), what="the plain result")
    assert len(sandbox.jobs) == before + 6
    assert second.troubles() == ""
