"""What the benchmarks write and draw. What they measure is no test's business."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def test_every_figure_is_drawn_for_light_and_for_dark_pages(tmp_path):
    """From the numbers that are committed; each is a sound SVG whose words are words."""
    from benchmarks import figures

    files = figures.draw(ROOT / "benchmarks" / "results", tmp_path)
    assert {file.name.rsplit("-", 1)[0] for file in files} >= {
        "performance-requests",
        "performance-notice",
        "performance-messages",
        "performance-batch",
        "performance-watching",
    }
    for file in files:
        words = [text.text for text in ET.parse(file).iter("{http://www.w3.org/2000/svg}text")]
        assert "JobTracker, 1 job" in words or {"JobQueue", "JobWidget", "JobBoard", "JobTracker", "minutes"} & set(
            words
        )
        twin = file.with_name(file.name.replace("-light", "-dark"))
        assert twin.exists()
    assert len({file.read_bytes() for file in files}) == len(files)


def test_the_same_numbers_make_the_same_figure(tmp_path):
    """A figure that is committed changes with its numbers alone."""
    from benchmarks import figures

    once, again = (figures.draw(ROOT / "benchmarks" / "results", tmp_path / name) for name in ("once", "again"))
    assert [file.read_bytes() for file in once] == [file.read_bytes() for file in again]


def test_what_was_not_measured_is_not_drawn(tmp_path):
    """Nor is a soak of before there were curves."""
    from benchmarks import figures

    (tmp_path / "soak.json").write_text(json.dumps({"name": "soak: x", "rows": [], "notes": []}), encoding="utf-8")
    assert figures.draw(tmp_path, tmp_path) == []


def test_a_report_keeps_its_curves_a_point_on_a_line(tmp_path):
    """JSON that a person can read past."""
    from benchmarks.report import Report

    report = Report("curve: of nothing", ("what", "value"))
    report.curves["memory, MB"] = [(0.0, 71.25), (5.0, -2e-07)]
    text = report.save(tmp_path).read_text(encoding="utf-8")
    assert json.loads(text)["curves"] == {"memory, MB": [[0.0, 71.25], [5.0, -2e-07]]}
    assert "[5.0, -2e-07]" in text


def test_the_slope_of_a_straight_line_is_found():
    """From the part that is asked for."""
    from benchmarks.engine.soak import _fit

    samples = [(float(at), 500.0 if at < 50 else 70.0 + 0.5 * at) for at in range(100)]
    assert _fit(samples, 50.0, 100.0) == pytest.approx((0.5, 107.25))


def test_all_goes_on_after_one_that_breaks_off(tmp_path):
    """Each is a process of its own, and the end says which it was."""
    from benchmarks.__main__ import _each

    assert _each(("no-such-benchmark",), tmp_path) == 1
    assert _each((), tmp_path) == 0


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Runs `python -m benchmarks card` in this process, with a goal that is met or missed."""
    from benchmarks import __main__ as command
    from benchmarks.report import Report

    def run(value):
        def measure(**_options):
            report = Report("card: of nothing", ("what", "value"))
            report.goal("making a card", value, 15, " ms")
            return report

        monkeypatch.setitem(command._BENCHMARKS, "card", replace(command._BENCHMARKS["card"], run=measure))
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--folder", str(tmp_path), "card"])
        command.main()

    return run


def test_benchmark_goal_missed_fails(benchmark, tmp_path, capsys):
    """Its numbers are written all the same, and listing the goals fails as well."""
    from benchmarks.__main__ import _goals

    with pytest.raises(SystemExit) as ended:
        benchmark(16.0)
    assert ended.value.code == 3
    assert "MISSED" in capsys.readouterr().out
    assert _goals(tmp_path) == 3
    assert "making a card: 16 ms, at most 15 ms" in capsys.readouterr().out


def test_benchmark_goal_met_succeeds(benchmark, tmp_path):
    """It ends as any command does that did its work."""
    from benchmarks.__main__ import _goals

    benchmark(15.0)
    assert _goals(tmp_path) == 0


@pytest.mark.parametrize(("codes", "code"), [((0, 0), 0), ((0, 3), 3), ((3, 1), 1)])
def test_all_benchmarks_one_missed_goal_fails(tmp_path, monkeypatch, codes, code):
    """A benchmark that breaks off weighs more than a missed goal."""
    from benchmarks import __main__ as command

    left = list(codes)
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: SimpleNamespace(returncode=left.pop(0)))
    assert command._each(("card", "cell"), tmp_path) == code


def test_committed_goals_all_read():
    """Every goal in the results is one that the list and the pages show."""
    from benchmarks.report import goals_in

    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        notes = json.loads(path.read_text(encoding="utf-8"))["notes"]
        assert len(goals_in(path)) == sum(note.startswith("goal: ") for note in notes)


def test_the_command_line_names_every_benchmark():
    """With what each of them measures."""
    from benchmarks.__main__ import _BENCHMARKS

    assert {"import", "card", "cell", "memory", "messages", "polling", "batch", "soak"} <= set(_BENCHMARKS)
    command = [sys.executable, "-m", "benchmarks", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    for name in (*_BENCHMARKS, "all", "goals", "figures"):
        assert f"    {name} " in told
