"""The table of tools: complete, without contradictions, and the only one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import novakit_widgets as nk
from novakit_widgets.errors import InvalidParameterError
from novakit_widgets.model.parameters import PARAMETERS
from novakit_widgets.model.tools import FACTS, Tool, tool_names

PACKAGE = Path(nk.__file__).parent
# Tables that are about something else: parameters, and the sandbox's own prices and canned jobs.
OTHER_TABLES = {"model/parameters.py", "model/other_names.py", "sandbox/results.py", "sandbox/library.py"}


@pytest.mark.parametrize("tool", Tool)
def test_facts_of_each_tool_name_things_that_exist(tool: Tool) -> None:
    """The function is public, and the parameters are documented ones."""
    facts = tool.facts
    assert callable(getattr(nk, facts.function))
    assert facts.main_parameter in PARAMETERS[tool]
    assert facts.units_from is None or facts.units_from in PARAMETERS[tool]
    assert facts.typical_seconds[0] < facts.typical_seconds[1] <= tool.timeout


def test_facts_are_unambiguous() -> None:
    """No two tools share an endpoint, a function, or a quota."""
    for name in ("endpoint", "function", "bucket", "label", "icon"):
        assert len({getattr(facts, name) for facts in FACTS.values()}) == len(Tool), name


@pytest.mark.parametrize("tool", Tool)
def test_tool_is_found_by_each_of_its_names(tool: Tool) -> None:
    """The service's name, the endpoint, and the function."""
    for name in (tool.value, tool.endpoint, f"/{tool.endpoint}/", tool.facts.function, tool.value.upper()):
        assert Tool.of(name) is tool


def test_unknown_tool_is_refused_with_the_names_of_all() -> None:
    """The message says that nothing was sent, and lists what there is."""
    with pytest.raises(InvalidParameterError) as caught:
        Tool.of("painting")
    assert "Nothing was sent" in str(caught.value)
    assert tool_names() in str(caught.value)


def test_package_has_no_second_table_of_tools() -> None:
    """A dict with three or more tools as its keys belongs in the one table."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        name = file.relative_to(PACKAGE).as_posix()
        if name == "model/tools.py" or name in OTHER_TABLES:
            continue
        found.extend(
            f"{name}:{node.lineno}"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Dict) and sum(_is_tool(key) for key in node.keys) >= 3
        )
    assert not found


def _is_tool(key: ast.expr | None) -> bool:
    if isinstance(key, ast.Attribute):
        return isinstance(key.value, ast.Name) and key.value.id == "Tool"
    return isinstance(key, ast.Constant) and key.value in {tool.value for tool in Tool}
