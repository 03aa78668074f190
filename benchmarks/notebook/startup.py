"""Time the import of the package, making a card, and the first cell that starts a job."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from novakit_widgets.sandbox import Sandbox

from ..kernels import kernel
from ..report import Report

__all__ = ["card", "first_cell", "imports"]

_STATEMENTS = (
    ("import novakit_widgets", "import novakit_widgets"),
    ("… and the first card's classes", "import novakit_widgets; novakit_widgets.JobWidget"),
    ("import ipywidgets", "import ipywidgets"),
    ("import httpx", "import httpx"),
)


def imports(*, rounds: int = 10) -> Report:
    """Measure imports in fresh interpreters, the contenders taking turns.

    Args:
        rounds: how many of each.
    """
    times: dict[str, list[float]] = {name: [] for name, _ in _STATEMENTS}
    for _ in range(rounds):
        for name, statement in _STATEMENTS:
            code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 # ours
            times[name].append(float(done.stdout))
    medians = {name: 1000 * statistics.median(values) for name, values in times.items()}
    base = medians["import ipywidgets"]
    report = Report("import: median of fresh interpreters", ("statement", "ms", "ratio to ipywidgets"))
    for name, _ in _STATEMENTS:
        report.add(name, medians[name], medians[name] / base)
    report.goal("import novakit_widgets against import ipywidgets", medians["import novakit_widgets"] / base, 1.2)
    return report


def card(*, rounds: int = 50) -> Report:
    """Measure the making of a card, next to a bare box of the same number of visible widgets.

    Args:
        rounds: how many of each.
    """
    import ipywidgets
    from ipywidgets.widgets.widget import _instances

    from novakit_widgets import JobWidget, NovaKitClient

    client = NovaKitClient("sk_" + "0" * 64, "http://127.0.0.1:9/api/v1")

    def ours() -> ipywidgets.Widget:
        return JobWidget("video", {"prompt": "A lighthouse"}, client=client, autostart=False)

    def bare() -> ipywidgets.Widget:
        return ipywidgets.VBox(
            [ipywidgets.HTML(), ipywidgets.FloatProgress(), ipywidgets.HTML(), ipywidgets.Button(), ipywidgets.HTML()]
        )

    report = Report("card: making one", ("who", "models", "ms", "ratio"))
    medians: list[float] = []
    for name, make in (("JobWidget", ours), ("a box of five widgets", bare)):
        make()
        before = len(_instances)
        kept = [make()]
        models = len(_instances) - before
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            kept.append(make())
            times.append(1000 * (time.perf_counter() - began))
        medians.append(statistics.median(times))
        report.add(name, models, medians[-1], medians[-1] / medians[0])
        if name == "JobWidget":
            report.goal("models of a card", models, 30)
            report.goal("making a card", medians[-1], 15, " ms")
    return report


def first_cell(*, rounds: int = 9) -> Report:
    """Measure the first cell of a kernel that shows something, after the import, until the kernel is ready for the next one.

    Args:
        rounds: kernels of each, the contenders taking turns.
    """
    ours = ("nk.video(...)", "import novakit_widgets as nk", 'clip = nk.video("A lighthouse"); clip')
    parts = "w.HTML(), w.FloatProgress(), w.HTML(), w.Button(), w.HTML()"
    bare = ("a box of five widgets", "import ipywidgets as w", f"w.VBox([{parts}])")
    times: dict[str, list[float]] = {ours[0]: [], bare[0]: []}
    with Sandbox(durations={"video": 600}, limits="off", quotas="off", media="canned", seed=1) as sandbox:
        for _ in range(rounds):
            for name, before, cell in (ours, bare):
                with kernel(NOVAKIT_API_KEY=sandbox.api_key, NOVAKIT_BASE_URL=sandbox.base_url) as running:
                    running.run(before)
                    began = time.perf_counter()
                    running.run(cell)
                    times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = Report("cell: the first of a kernel, median of fresh ones", ("who", "ms", "ratio"))
    for name, median in medians.items():
        report.add(name, median, median / medians[ours[0]])
    report.goal("the cell with nk.video(...)", medians[ours[0]], 200, " ms")
    return report
