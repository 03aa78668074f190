"""``%%novakit`` in real kernels."""

from __future__ import annotations

from generations import first_on_the_newest


def complete(kernel, code):
    """Return what the kernel offers at the end of the first line."""
    at = len(code.partition("\n")[0])
    reply = kernel._ask("shell", "complete_request", {"code": code, "cursor_pos": at})["content"]
    assert reply["status"] == "ok"
    return [code[: reply["cursor_start"]] + match for match in reply["matches"]]


@first_on_the_newest
def test_the_cell_is_the_prompt(kernel, sandbox):
    """The card shows itself and moves, the variable holds it, and exactly what was said is sent."""
    sandbox.next_duration(5)
    kernel.ok("%load_ext novakit_widgets")
    cell = kernel.ok("%%novakit image --size 512x512 seed=7 --as picture\nA lighthouse\nin a storm")
    assert len(cell.views) == 1
    assert kernel.ok("print(picture.wait().status)").text.strip() == "completed"
    job = sandbox.jobs[kernel.job_id("picture")]
    assert dict(job.params) == {"prompt": "A lighthouse\nin a storm", "size": "512x512", "seed": 7}
    kernel.until(lambda: "novakit-plain" in str([*kernel.displays.values()]))


@first_on_the_newest
def test_waiting_and_a_line(kernel, sandbox):
    """``--wait`` returns when the job has ended; a line ends in its prompt."""
    sandbox.next_duration(5)
    kernel.ok("%load_ext novakit_widgets")
    kernel.ok("%novakit image --size 512x512 --wait --as picture A red boat")
    assert kernel.value("(picture.status, picture.job.params['prompt'])") == "('completed', 'A red boat')"


@first_on_the_newest
def test_braces_and_dollars_are_the_prompts_own(kernel, sandbox):
    """A variable that happens to have the name is not put in, neither in a line nor in a cell."""
    prompt = "A tag that says $price and {price}"
    kernel.ok("%load_ext novakit_widgets")
    kernel.ok(f"price = 3\n%novakit image --wait --as line {prompt}")
    kernel.ok(f"%%novakit image --wait --as cell negative_prompt={{price}}$price\n{prompt}")
    assert kernel.value("line.job.params") == repr({"prompt": prompt})
    assert kernel.value("cell.job.params") == repr({"prompt": prompt, "negative_prompt": "{price}$price"})


@first_on_the_newest
def test_bad_lines_end_in_one_line(kernel, sandbox):
    """Nothing is sent, and no traceback is shown."""
    before = len(sandbox.jobs)
    kernel.ok("%load_ext novakit_widgets")
    for line, told in (("vidio", "NovaKit has no tool 'vidio'"), ("video --fps 29", "fps must be 30 or 60, got 29")):
        cell = kernel.run(f"%%novakit {line}\nA sunset")
        assert cell.error == "UsageError"
        assert told in cell.content["evalue"]
    assert "--aspect-ratio" in kernel.ok("%novakit video --help").text
    assert len(sandbox.jobs) == before


@first_on_the_newest
def test_completion(kernel):
    """Tab offers tools, options and values on the magic's line, and is unchanged everywhere else."""
    kernel.ok("%load_ext novakit_widgets")
    assert complete(kernel, "%%novakit mus") == ["%%novakit music"]
    assert complete(kernel, "%%novakit video --asp\nA sunset") == ["%%novakit video --aspect-ratio"]
    assert complete(kernel, "%%novakit video --aspect-ratio 1") == [
        "%%novakit video --aspect-ratio 16:9",
        "%%novakit video --aspect-ratio 1:1",
    ]
    assert "nk.video" in complete(kernel, "nk.vid")
    kernel.ok("%unload_ext novakit_widgets")
    assert complete(kernel, "%%novakit mus") == []
    assert kernel.run("%novakit video --help").status == "error"
