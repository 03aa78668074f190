"""Whatever goes wrong between the kernel and the service: the card says so, and nothing is lost in a task."""

from __future__ import annotations

from generations import first_on_the_newest, on_both_ends, on_the_newest

from novakit_widgets import errors
from novakit_widgets.sandbox import Fault
from novakit_widgets.sandbox.faults import usual_faults

_MADE = 'widget = nk.image("A lighthouse", size="512x512"); widget'

PASSING = (*usual_faults(), Fault.huge(80_000_000), Fault.status(429, retry_after=0.2), Fault.null_fields("outputData"))
FINAL = {
    "AuthenticationError": Fault.status(401),
    "PermissionDeniedError": Fault.status(403),
    "NotFoundError": Fault.status(404),
}


@on_the_newest
def test_what_passes_in_mid_job(kernel, sandbox):
    """Each fault that may pass, twice in mid-job: the job still ends completed, and the kernel says nothing of it."""
    for fault in PASSING:
        sandbox.next_duration(8.0)
        injected = sandbox.inject(fault, method="GET", path="/jobs*", times=2)
        kernel.ok(_MADE)
        assert kernel.value("(await widget).status") == "completed", fault
        assert injected.hits, fault
        sandbox.clear_faults()
    assert kernel.troubles() == ""


@on_the_newest
def test_what_ends_the_watching(kernel, sandbox):
    """A refusal in mid-job leaves the job, says so on the card, and once it is gone "Keep watching" goes on."""
    for error, fault in FINAL.items():
        sandbox.next_duration(20.0)
        card = kernel.card(kernel.ok(_MADE))
        sandbox.inject(fault, method="GET", path="/jobs*", times=None)
        assert kernel.run("await widget").error == error
        sandbox.clear_faults()
        card.press("Keep watching")
        card.says("Done")
    assert kernel.troubles() == ""


@on_the_newest
def test_faults_of_the_submission(kernel, sandbox):
    """Whatever happens to a POST: a job that its card has, or an error and no job; never two, and a quiet kernel."""
    refusals = (*FINAL.values(), Fault.status(400), Fault.status(402), Fault.redirect("http://127.0.0.1:9/"))
    injected = [sandbox.inject(fault, method="POST") for fault in (*PASSING, *refusals)]
    before = set(sandbox.jobs)
    # At once, because a card looks for a lost job for some seconds; with words of its own, so that it can tell which it is.
    kernel.ok(f"""
        import asyncio
        made = [nk.image(f"A lighthouse, number {{index}}", size="512x512") for index in range({len(injected)})]
        ended = await asyncio.gather(*made, return_exceptions=True)
    """)
    assert [fault for fault in injected if fault.hits != 1] == []
    assert (
        kernel.value(
            "[error for error in ended if isinstance(error, BaseException) and not isinstance(error, nk.NovaKitError)]"
        )
        == "[]"
    )
    known = kernel.value("*[job.id for job in ended if isinstance(job, nk.Job)]").split()
    assert sorted(known) == sorted(set(sandbox.jobs) - before)
    assert len(known) > len(refusals)
    assert kernel.troubles() == ""


@first_on_the_newest
def test_faults_of_the_cancellation(kernel, sandbox):
    """Whatever happens to a DELETE: the job is cancelled, or its card says that it is not, and then it can be once more."""
    faults = (*PASSING, *FINAL.values())
    sandbox.next_duration(*([100_000.0] * len(faults)))
    cell = kernel.ok(f"""
        made = [nk.image(f"A windmill, number {{index}}", size="512x512") for index in range({len(faults)})]
        display(*made)
    """)
    kernel.until(lambda: kernel.value("all(widget.job_id for widget in made)") == "True")
    injected = [sandbox.inject(fault, method="DELETE") for fault in faults]
    kernel.ok("for widget in made: widget.cancel()")
    done = "[widget.status == 'cancelled' or not widget._run.cancelling and 'ot cancel' in widget._run.note for widget in made]"
    kernel.until(lambda: kernel.value(f"all({done})") == "True")
    assert [fault for fault in injected if fault.hits != 1] == []
    refused = kernel.value("*[index for index, widget in enumerate(made) if widget.status != 'cancelled']").split()
    assert len(refused) >= len(FINAL)
    for index in refused:
        kernel.card(cell, int(index)).press("Cancel")
    kernel.until(lambda: kernel.value("all(widget.status == 'cancelled' for widget in made)") == "True")
    assert kernel.troubles() == ""


@first_on_the_newest
def test_faults_of_the_quota(kernel, sandbox):
    """What is left is told, or the error that says why not; the kernel goes on."""
    kernel.ok("import stamina; stamina.set_testing(True, attempts=2)")  # no waits between two tries
    for fault in (*PASSING, *FINAL.values()):
        injected = sandbox.inject(fault, path="/quota", times=None)
        cell = kernel.run("nk.quota()")
        assert cell.status == "ok" or issubclass(getattr(errors, cell.error), errors.NovaKitError), fault
        assert injected.hits, fault
        sandbox.clear_faults()
    kernel.ok("nk.quota()")
    assert kernel.troubles() == ""


@on_the_newest
def test_faults_of_the_media(kernel, sandbox):
    """A result that can't be fetched leaves a finished job, a card that says why, and a quiet kernel."""
    for fault in (Fault.status(404), Fault.status(500), Fault.reset_before(), Fault.truncated(), Fault.not_json()):
        sandbox.next_duration(2.0)
        sandbox.inject(fault, path="/media/*", times=None)
        shown = kernel.ok(_MADE)
        assert kernel.value("(await widget).status") == "completed", fault
        kernel.card(shown).says("Done")
        sandbox.clear_faults()
    assert kernel.troubles() == ""


@first_on_the_newest
def test_a_mixture_of_faults(kernel, sandbox):
    """A third of all requests go wrong, for four jobs at once, one waited for: all end, and the kernel is as it was."""
    sandbox.next_duration(20.0, 25.0, 30.0, 35.0)
    cell = kernel.ok("made = [nk.image('A lighthouse', size='512x512') for _ in range(4)]; display(*made)")
    cards = [kernel.card(cell, index) for index in range(4)]
    kernel.until(lambda: kernel.value("all(widget.job_id for widget in made)") == "True")
    sandbox.random_faults(0.33, seed=1, method="GET", path="/jobs*")
    assert kernel.value("made[0].wait().status") == "completed"
    for card in cards:
        card.says("Done")
    assert kernel.troubles() == ""


@on_both_ends
def test_a_sandbox_that_goes_away(kernel, sandbox, environ):
    """The service is gone in mid-job: the card reconnects, and a cell that waits can be interrupted."""
    kernel.ok(
        "own = nk.Sandbox(speed=20, limits='off'); own.start(); client = nk.NovaKitClient(own.api_key, own.base_url)"
    )
    card = kernel.card(kernel.ok("widget = nk.video('A boat', client=client); widget"))
    kernel.job_id("widget")
    kernel.ok("own.stop()")
    card.says("Reconnecting")
    waits = kernel.send("print('waiting', flush=True); widget.wait()")
    kernel.until(lambda: "waiting" in waits.text)
    kernel.listen(0.2)
    kernel.interrupt()
    kernel.finish(waits)
    assert waits.error == "KeyboardInterrupt"
    assert kernel.value("widget.status, widget.error") in ("pending None", "processing None")
    assert kernel.troubles() == ""
