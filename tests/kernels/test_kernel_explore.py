"""A form in a cell, used as a page uses it: what is typed and clicked may come on a thread of its own."""

from __future__ import annotations

from generations import first_on_the_newest, on_both_ends


def control(kernel, description, place=0):
    """Return the so many-th control with a label, as soon as there is one."""
    found = lambda: [model for model in kernel.models.values() if model.state.get("description") == description]  # noqa: E731
    kernel.until(lambda: len(found()) > place, what=description)
    return found()[place]


@first_on_the_newest
def test_typing_and_clicking(kernel, sandbox):
    """Two pictures from the form, one after the other, then side by side; each asks for what was typed, and nothing else."""
    before = set(sandbox.jobs)
    kernel.ok("explorer = nk.explore('image', size='512x512'); explorer")
    generate = control(kernel, "Generate")
    for number, prompt in enumerate(("A red boat", "A green boat"), start=1):
        kernel.change(control(kernel, "Prompt"), value=prompt)
        kernel.click(generate)
        finished = f"len(explorer) == {number} and explorer.results[0].comparable"
        kernel.until(lambda finished=finished: kernel.value(finished) == "True")
        kernel.until(lambda: kernel.value("explorer._generate.disabled") == "False")
    jobs = [job.params for job_id, job in sandbox.jobs.items() if job_id not in before]
    assert jobs == [{"prompt": prompt, "size": "512x512"} for prompt in ("A red boat", "A green boat")]
    for place in (0, 1):
        kernel.change(control(kernel, "Compare", place + 1), value=True)
    kernel.click(control(kernel, "Compare 2 results"))
    kernel.until(lambda: kernel.value("len(explorer._gallery._side_by_side.children)") == "1")
    kernel.change(control(kernel, "Note"), value="the better one")
    kernel.until(lambda: kernel.value("[entry.note for entry in nk.history(search='better')]") == "['the better one']")
    assert kernel.troubles() == ""


def test_a_click_while_the_kernel_is_busy(kernel, sandbox):
    """The page holds back what is typed after the first letter, and the click overtakes it; what is sent is what was typed."""
    before = set(sandbox.jobs)
    kernel.ok("import time; explorer = nk.explore('image', size='512x512'); explorer")
    prompt, generate = control(kernel, "Prompt"), control(kernel, "Generate")
    busy = kernel.send("time.sleep(2)")
    kernel.change(prompt, value="A")
    kernel.click(generate, over_subshell=False)
    kernel.finish(busy)
    kernel.listen(0.1)  # the way to the page and back
    kernel.change(prompt, value="A red boat on a calm lake")
    kernel.until(lambda: kernel.value("len(explorer) == 1 and explorer.results[0].comparable") == "True")
    assert [job.params["prompt"] for job_id, job in sandbox.jobs.items() if job_id not in before] == [
        "A red boat on a calm lake"
    ]
    assert kernel.troubles() == ""


@on_both_ends
def test_a_sweep_begins_by_a_click(kernel, sandbox):
    """And not before; the plain table stands where it was shown."""
    before = len(sandbox.jobs)
    cell = kernel.ok("table = nk.sweep('image', prompt=['A boat', 'A mill'], seed=[1, 2], size='512x512'); table")
    kernel.listen(1.0)
    assert len(sandbox.jobs) == before
    kernel.click(control(kernel, "Generate all 4"))
    (display_id,) = cell.display_ids
    kernel.until(lambda: "nk-sweep" in str(kernel.displays[display_id].get("text/html")), what="the plain table")
    assert kernel.displays[display_id]["text/html"].count('src="data:image/png;base64,') == 4
    assert len(sandbox.jobs) == before + 4
    assert kernel.value("len(await table)") == "4"
    assert kernel.troubles() == ""
