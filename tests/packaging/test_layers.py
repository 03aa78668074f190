"""The layout of the package: which room may import which, how large a module is, and what a module may keep."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "novakit_widgets"
MODULES = sorted(PACKAGE.rglob("*.py"))

MOST_ROOMS = 15
MOST_LINES = 400
MOST_CLASS_LINES = 300
# Modules and classes that are longer today, each with its reason. An entry that is no longer needed fails the test.
LONG_MODULES: dict[str, str] = {}
LONG_CLASSES: dict[str, str] = {}
# What a module may keep beside constants, each with its reason. `functools.cache` needs no entry.
STATE = {
    # By account (key and address).
    "runtime/registry.py _accounts": "registry: ownership of jobs, allowance, polling budget, requests sent, quotas",
    "runtime/registry.py _lock": "lock: of that registry",
    # Of the process.
    "api/client.py _default": "cache: the client of this process's settings",
    "api/observers.py observers": "registry: who sees each exchange",
    "api/retry.py _ours": "context: whether the code runs inside a retry",
    "api/retry.py _resting": "registry: tasks in a pause between two attempts",
    "api/connections.py _open": "registry: connections to close before Python ends",
    "batches/work.py _active": "registry: queues that still submit",
    "config/keys.py current": "registry: the key of this process",
    "config/logs.py _recorder": "cache: the last log records, for a report",
    "config/redaction.py _filter": "the one logging filter; it has no state",
    "config/store.py current": "registry: the settings of this process",
    "engine/ownership.py _coming": "cache by loop: lists that several submissions share",
    "engine/signals.py _listeners": "registry: who is told of a job's end",
    "engine/submitting.py under_way": "registry: tasks that wait for the first answer about a job",
    "engine/unawaited.py _started": "registry: what the report at exit names",
    "job_history/jobs.py _default": "cache: the history of this process's settings",
    "notebook/record.py _active": "registry: recordings that are being made",
    "notebook/replay.py _lock": "lock: one replay a process",
    "notebook/replay.py _running": "cache: the replay that runs",
    "notebook/sandbox.py _lock": "lock: one sandbox a process",
    "notebook/sandbox.py _replaced": "registry: the settings to return to",
    "notebook/sandbox.py _started": "cache: the sandbox that runs",
    "runtime/hooks.py _loaders": "registry: actions of rooms above",
    "runtime/loop.py _starting": "lock: one thread a process",
    "runtime/loop.py _tasks": "registry: keeps running tasks alive",
    "runtime/loop.py _thread": "cache: the thread of the job loop",
    "runtime/loop.py _used": "registry: the loops that programs have named",
    "runtime/loop_thread.py _exits": "registry: what is done before Python ends",
    "runtime/loop_thread.py _threads": "registry: the thread that ends with Python",
    "runtime/loop_thread.py blocked": "registry: threads that wait for the job loop",
    "widgets/common/repaint.py _painter": "cache by loop: what repaints its cards",
}


def name_of(path):
    """Return a module's path below the package."""
    return path.relative_to(PACKAGE).as_posix()


def parsed(path):
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


NONE = {"to be mended or listed": [], "to be taken off the list": []}


def differences(found, listed):
    """Return what the list of exceptions lacks, and what it has for nothing."""
    lacks, extra = sorted(found - set(listed)), sorted(set(listed) - found)
    return dict(zip(NONE, (lacks, extra), strict=True))


def lint_imports(folder):
    """Check the contracts of a checkout."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_contracts_hold():
    """The contracts of pyproject.toml hold."""
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def under_type_checking(statement):
    """Return code that imports for type checkers only."""
    return f"\nif TYPE_CHECKING:\n    {statement}\n"


def in_a_function(statement):
    """Return code that imports when a function is called."""
    return f"\ndef late():\n    {statement}\n"


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and its contracts, to change."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("written", [str, under_type_checking, in_a_function], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("model/job.py", "from ..engine.submit import submit", "Imports point down"),
        ("sandbox/store.py", "from ..config import settings", "The sandbox imports only"),
        ("engine/run.py", "import httpx", "Only api imports httpx"),
        ("batches/items.py", "import ipywidgets", "Only widgets imports ipywidgets"),
        ("api/client.py", "from ..sandbox.server import Sandbox", "Only notebook, cli and lessons import the sandbox"),
    ],
)
def test_contracts_forbidden_import_added_fails(copy, module, statement, contract, written):
    """An import that points up breaks the contract, for type checkers only and inside a function too."""
    with (copy / "novakit_widgets" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{written(statement)}\n")
    checked = lint_imports(copy)
    broken = re.findall(r"^(.+) BROKEN$", checked.stdout, re.MULTILINE)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert [name for name in broken if name.startswith(contract)], checked.stdout


def test_contracts_new_room_without_a_layer_fails(copy):
    """A new room needs a place in the order."""
    (copy / "novakit_widgets" / "misc.py").touch()
    checked = lint_imports(copy)
    assert checked.returncode == 1
    assert "misc" in checked.stdout


def test_imports_by_name_only_documented():
    """Only the package's `__init__` and the sandbox's find modules by their names."""
    by_name = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(parsed(path))
        if getattr(node, "attr", getattr(node, "id", "")) in {"import_module", "__import__"}
    }
    assert by_name == {"__init__.py", "sandbox/__init__.py"}
    homes = re.findall(r'"(\.\.[\w.]+)"', (PACKAGE / "sandbox" / "__init__.py").read_text(encoding="utf-8"))
    assert set(homes) == {"..notebook.sandbox"}


def circles(imports):
    """Return the groups of modules that import each other, directly or not."""

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for found in imports[todo.pop()] - seen:
                seen.add(found)
                todo.append(found)
        return seen

    reach = {module: reached(module) for module in imports}
    return {
        frozenset({module, *(other for other in found if module in reach[other])})
        for module, found in reach.items()
        if module in found
    }


@pytest.fixture(scope="module")
def imports():
    """What each module imports, wherever the import stands; without the package's `__init__`, which imports lazily."""
    graph = grimp.build_graph("novakit_widgets", exclude_type_checking_imports=False, cache_dir=None)
    inner = {module for module in graph.modules if "." in module}
    return {
        module.partition(".")[2]: {
            imported.partition(".")[2] for imported in graph.find_modules_directly_imported_by(module) & inner
        }
        for module in inner
    }


def test_imports_form_no_circle(imports):
    """No modules import each other in a circle, typing and lazy imports included."""
    assert circles(imports) == set()


def test_only_the_command_imports_the_package_itself():
    """`__init__` imports all rooms, so a room that imports it would close a circle."""
    graph = grimp.build_graph("novakit_widgets", exclude_type_checking_imports=False, cache_dir=None)
    assert graph.find_modules_that_directly_import("novakit_widgets") <= {
        "novakit_widgets.__main__",
        "novakit_widgets.cli.main",
    }


def test_rooms_few_on_top():
    """A stranger finds the right room at a glance."""
    rooms = [path.name for path in PACKAGE.iterdir() if path.name[0].isalpha() and path.suffix in ("", ".py")]
    assert len(rooms) <= MOST_ROOMS, rooms


def test_modules_short():
    """A module has at most 400 lines, but for those that are listed; one that is short again is taken off the list."""
    long = {name_of(path) for path in MODULES if path.read_text(encoding="utf-8").count("\n") > MOST_LINES}
    assert differences(long, LONG_MODULES) == NONE


def test_classes_short():
    """A class has at most 300 lines, but for those that are listed; one that is short again is taken off the list."""
    long = {
        f"{name_of(path)} {node.name}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno >= MOST_CLASS_LINES
    }
    assert differences(long, LONG_CLASSES) == NONE


CONSTANTS = {
    "MappingProxyType",
    "Markup",
    "ParamSpec",
    "TypeVar",
    "compile",
    "frozenset",
    "getLogger",
    "namedtuple",
    "replace",
}
CHANGING = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"),
    *("set", "setdefault", "update"),
}


def named(target):
    """Return the variable that an assignment to an element or attribute changes."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else None


def state_of(path):
    """Return the names of a module's globals that may change."""
    tree = parsed(path)
    values = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            values |= {target.id: statement.value for target in targets if isinstance(target, ast.Name)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found.update(node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            found.add(named(node.func.value))
        elif isinstance(node, ast.Assign | ast.Delete):
            found.update(named(target) for target in node.targets if not isinstance(target, ast.Name))
        elif isinstance(node, ast.AugAssign | ast.AnnAssign) and not isinstance(node.target, ast.Name):
            found.add(named(node.target))
    found &= set(values)
    # An object that is made once and named like a variable.
    for name, value in values.items():
        made = (
            isinstance(value, ast.Call) and getattr(value.func, "attr", getattr(value.func, "id", "")) not in CONSTANTS
        )
        collection = isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
        if (made or collection) and not name.strip("_").isupper() and not name.startswith("__"):
            found.add(name)
    return found


def test_module_globals_are_caches_and_registries():
    """A module keeps constants, and what is listed; an entry that is no longer needed is taken off the list."""
    found = {f"{name_of(path)} {name}" for path in MODULES for name in state_of(path)}
    assert differences(found, STATE) == NONE
