"""A notebook that is run again, in another kernel, does not pay again."""

from __future__ import annotations

from generations import first_on_the_newest

from novakit_widgets.sandbox import Fault

FOUR = (
    'a = nk.image("A lighthouse", size="512x512", seed=1)',
    'b = nk.image("A lighthouse", size="512x512", seed=2)',
    'c = nk.speech("Good morning")',
    'd = nk.music("Slow jazz", duration_seconds=2)',
)
_IDS = "[job.id for job in (await a, await b, await c, await d)]"
_BEGIN = "import novakit_widgets as nk; nk.use_sandbox(); nk.configure(reuse=True)"


@first_on_the_newest
def test_four_jobs_in_three_kernels_are_four(start, sandbox, tmp_path):
    """Run three times: the same jobs each time, submitted once; each kernel shows its cards and their results."""
    before = len(sandbox.jobs)
    history = str(tmp_path / "history.sqlite3")
    ids = []
    for _ in range(3):
        kernel = start(_BEGIN, NOVAKIT_HISTORY=history)
        cells = [kernel.ok(f"{line}; {line[0]}") for line in FOUR]
        ids.append(kernel.value(_IDS))
        for cell in cells:
            (display_id,) = cell.display_ids
            kernel.until(lambda: "novakit-plain" in str(kernel.displays[display_id]), what="a plain result")  # noqa: B023
        assert kernel.troubles() == ""
    assert ids[0] == ids[1] == ids[2]
    assert len(sandbox.jobs) == before + 4


@first_on_the_newest
def test_what_is_changed_is_made_anew_and_what_runs_is_joined(start, sandbox, tmp_path):
    """Another seed is another job; a kernel that comes while the job still runs watches that one."""
    before = len(sandbox.jobs)
    history = str(tmp_path / "history.sqlite3")
    sandbox.next_duration(80.0)
    first, second = (start(_BEGIN, NOVAKIT_HISTORY=history) for _ in range(2))
    first.ok('a = nk.image("A lighthouse", size="512x512", seed=1); a')
    first.until(lambda: len(sandbox.jobs) == before + 1)
    first.until(lambda: first.value("a.job_id") != "None")
    joined = second.ok('a = nk.image("A lighthouse", size="512x512", seed=1); a')
    second.card(joined).says("Generating")
    assert second.value("(await a).id") == first.value("(await a).id")
    assert len(sandbox.jobs) == before + 1
    second.ok('b = await nk.image("A lighthouse", size="512x512", seed=2)')
    assert second.value("b.id == a.job_id") == "False"
    assert len(sandbox.jobs) == before + 2
    assert first.troubles() == second.troubles() == ""


@first_on_the_newest
def test_two_kernels_that_ask_for_the_same_at_once_pay_once(start, sandbox, tmp_path):
    """Neither has an answer when the other asks, and a cell that is run twice in a burst is in the same position."""
    before = len(sandbox.jobs)
    history = str(tmp_path / "history.sqlite3")
    kernels = [start(_BEGIN, NOVAKIT_HISTORY=history) for _ in range(2)]
    sandbox.inject(Fault.delay(1.0), method="POST")
    twice = ['a = nk.image("A lighthouse", size="512x512", seed=9)'] * 2
    sent = [(kernel, kernel.send(code)) for code in twice for kernel in kernels]
    for kernel, cell in sent:
        kernel.finish(cell)
    assert {kernel.value("(await a).id") for kernel in kernels} == {next(reversed(sandbox.jobs))}
    assert len(sandbox.jobs) == before + 1
    assert [kernel.troubles() for kernel in kernels] == ["", ""]
