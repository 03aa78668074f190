"""The public names: complete, documented, and cheap to import."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import novakit_widgets


def fresh(code):
    """Run code in a Python of its own, and return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return ended.stdout.split()


def test_import_is_cheap():
    """Importing the package imports neither widgets, nor HTTP, nor anything that changes asyncio."""
    loaded = set(fresh("import sys, novakit_widgets; print(*sys.modules)"))
    assert "novakit_widgets" in loaded
    assert not loaded & {
        "ipywidgets",
        "IPython",
        "httpx",
        "nest_asyncio",
        "nest_asyncio2",
        "numpy",
        "asyncio",
        "traitlets",
    }


def test_all_is_the_namespace():
    """A star import brings what ``__all__`` lists, and that is sorted and has no name twice."""
    code = "from novakit_widgets import *; print(*(name for name in list(globals()) if not name.startswith('__')))"
    names = novakit_widgets.__all__
    assert sorted(fresh(code)) == names
    assert len(names) == len(set(names))


def test_type_checkers_see_the_same_names():
    """The imports for type checkers and the lazy ones name the same things in the same modules."""
    tree = ast.parse(Path(novakit_widgets.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {(f".{node.module}", alias.name) for node in block.body for alias in node.names}
    assert told == {(home, name) for home, names in novakit_widgets._HOMES.items() for name in names}
    assert {name for _, name in told} == set(novakit_widgets.__all__)


def test_completion_offers_every_name():
    """``nk.<Tab>`` shows each public name before it has been used."""
    offered = set(fresh("import novakit_widgets; print(*dir(novakit_widgets))"))
    assert {name for name in offered if not name.startswith("__")} == set(novakit_widgets.__all__)
    assert {"__version__", "__file__", "__doc__"} <= offered


def test_unknown_name_is_an_attribute_error():
    """A slip in a name is the usual error."""
    with pytest.raises(AttributeError, match="no attribute 'vidoe'"):
        _ = novakit_widgets.vidoe


def public_parts(name):
    """Yield a public object and its own public methods and properties, by their full names."""
    found = getattr(novakit_widgets, name)
    yield name, found
    if inspect.isclass(found):
        for part, value in vars(found).items():
            if not part.startswith("_") and (
                callable(value) or isinstance(value, property | classmethod | staticmethod)
            ):
                yield f"{name}.{part}", getattr(value, "__func__", value)


@pytest.mark.parametrize("name", novakit_widgets.__all__)
def test_every_public_name_has_a_docstring(name):
    """Each public name, method and property says in a sentence what it is."""
    for full, part in public_parts(name):
        assert (part.__doc__ or "").strip(), full
        assert part.__doc__.strip().splitlines()[0].rstrip().endswith((".", ":", "…")), full
