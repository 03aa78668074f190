"""What the pages take from the code itself, so that it can't go stale: parameters, figures, names, the map of the modules."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import house
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils import unescape
from figures import figures_of, goals_table, matrix_of
from sphinx.addnodes import pending_xref
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature
from traitlets import HasTraits

import novakit_widgets
from novakit_widgets import errors, sandbox
from novakit_widgets.model.parameters import PARAMETERS, Parameter
from novakit_widgets.model.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from docutils.parsers.rst.states import Inliner
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).parents[2]
PACKAGE = "novakit_widgets"
_log = logging.getLogger(__name__)
# Types of others that our signatures name. There is no inventory of theirs here: a build needs no network.
OTHERS = (*sys.stdlib_module_names, "httpx", "ipywidgets", "traitlets", "IPython", "typing_extensions")
TYPE_NAMES = frozenset(
    {
        *dir(builtins),
        *("Any", "Literal", "Self", "Path", "Mapping", "Sequence", "Iterable", "Iterator", "Callable", "Awaitable"),
        *("AsyncIterator", "datetime", "timedelta", "TracebackType", "optional", "Generator", "Coroutine", "TypeVar"),
    }
)


class FromCode(SphinxDirective):
    """A directive whose content is Markdown that a function writes."""

    def markdown(self) -> str:
        """Return what stands in its place."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse what the function wrote."""
        return self.parse_text_to_nodes(self.markdown(), allow_section_headings=False)


class ParameterTable(FromCode):
    """``{parameter-table} video``: the documented parameters of a tool."""

    required_arguments = 1

    def markdown(self) -> str:
        """Return the table."""
        self.env.note_dependency(str(ROOT / PACKAGE / "model" / "parameters.py"))
        rows = [_parameter_row(one) for one in PARAMETERS[Tool.of(self.arguments[0])].values()]
        return table(("parameter", "what it is", "type", "values, the default in bold"), rows)


class Figures(FromCode):
    """``{figures} polling``: a benchmark's results, and what they were measured with."""

    required_arguments = 1
    option_spec = {"goals": directives.flag}  # noqa: RUF012 # so does docutils name it

    def markdown(self) -> str:
        """Return the table, the notes and the versions; or that there is nothing yet."""
        path = ROOT / "benchmarks" / "results" / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        return figures_of(path, table)


class Goals(FromCode):
    """``{goals}``: the goals of all benchmarks, and which of them are missed."""

    def markdown(self) -> str:
        """Return the table."""
        folder = ROOT / "benchmarks" / "results"
        self.env.note_dependency(str(folder))
        return goals_table(folder, table)


class CodeMap(FromCode):
    """``{code-map}``: each module with the first line of its docstring, room by room."""

    def markdown(self) -> str:
        """Return a table for each room."""
        rooms = [path for path in sorted((ROOT / PACKAGE).iterdir()) if (path / "__init__.py").exists()]
        return "\n\n".join(_map_of(room) for room in rooms)


class HousePicture(SphinxDirective):
    """``{house}``: the rooms, drawn from their imports. An import that points up is a warning."""

    def run(self) -> list[nodes.Node]:
        """Return the picture."""
        found = house.read(ROOT)
        for path in (ROOT / PACKAGE).rglob("*.py"):
            self.env.note_dependency(str(path))
        for wrong in found.wrong():
            _log.warning("an import points up: %s", wrong, location=self.get_location())
        return [nodes.raw("", house.draw(found), format="html")]


class FaultMatrix(FromCode):
    """``{fault-matrix}``: what the test of the faults expects, as a table."""

    def markdown(self) -> str:
        """Return the table."""
        path = ROOT / "tests" / "support" / "faultmatrix.py"
        self.env.note_dependency(str(path))
        return matrix_of(path, table)


class Drawn(FromCode):
    """``{drawn} requests``: a figure that the benchmarks drew, in the colours of the page; its content is what it shows.

    Nothing is shown while there is none.
    """

    required_arguments = 1
    has_content = True

    def markdown(self) -> str:
        """Return both pictures, of which the theme shows one."""
        folder = Path(self.env.srcdir) / "images"
        self.env.note_dependency(str(folder))
        alternative = " ".join(self.content)
        return "\n\n".join(
            f"```{{image}} /images/{file.name}\n:alt: {alternative}\n:class: only-{theme} figure\n```"
            for theme in ("light", "dark")
            if (file := folder / f"performance-{self.arguments[0]}-{theme}.svg").exists()
        )


class OtherFigures(FromCode):
    """``{other-figures}``: the results of all benchmarks that no page names."""

    def markdown(self) -> str:
        """Return a table for each."""
        folder = ROOT / "benchmarks" / "results"
        self.env.note_dependency(str(folder))
        pages = "\n".join(path.read_text(encoding="utf-8") for path in Path(self.env.srcdir).glob("*.md"))
        named = set(re.findall(r"^```\{figures\} (\w+)", pages, re.MULTILINE))
        others = [path for path in sorted(folder.glob("*.json")) if path.stem not in named]
        return "\n\n".join(figures_of(path, table) for path in others)


class ErrorTree(FromCode):
    """``{error-tree}``: the tree that is drawn at the top of the module of errors."""

    def markdown(self) -> str:
        """Return it as text."""
        drawn = (errors.__doc__ or "").partition("\n\n    ")[2]
        lines = dedent(f"    {drawn}")
        return f"All exceptions of this package, and whether the job still runs after each.\n\n```text\n{lines}\n```"


class ErrorClasses(FromCode):
    """``{error-classes}``: each of them from its docstring, those further up the tree first."""

    def markdown(self) -> str:
        """Return the directives of autodoc."""
        classes = sorted((getattr(errors, name) for name in errors.__all__), key=_depth)
        blocks = "\n".join(f".. autoexception:: {PACKAGE}.{one.__name__}\n   :show-inheritance:\n" for one in classes)
        return f"```{{eval-rst}}\n{blocks}\n```"


def _depth(error: type[BaseException]) -> tuple[int, str]:
    return len(error.__mro__), error.__name__


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _parameter_row(one: Parameter) -> tuple[str, ...]:
    name = f"`{one.name}`" + (" *(required)*" if one.required else "")
    return name, one.help, one.kind.__name__, "; ".join(_allowed(one))


def _allowed(one: Parameter) -> Iterator[str]:
    if one.choices:
        values = ", ".join(f"**`{choice!r}`**" if choice == one.default else f"`{choice!r}`" for choice in one.choices)
        yield values if one.closed else f"{values}, or any other"
    elif one.default is not None:
        yield f"**`{one.default!r}`**"
    unit = f" {one.unit}" if one.unit else ""
    if one.above is not None:
        yield f"more than {one.above:g}{unit}"
    if one.minimum is not None:
        yield f"from {one.minimum:g}{unit}"
    if one.maximum is not None:
        yield f"at most {one.maximum:g}{unit}"
    if one.max_length is not None:
        yield f"at most {one.max_length:,} characters"
    if one.modes:
        yield "with " + ", ".join(f"`mode={mode!r}`" for mode in one.modes)


def _map_of(room: Path) -> str:
    paths = [path for path in sorted(room.rglob("*.py")) if path.stem[0] != "_"]
    rows = [(f"`{path.relative_to(room.parent).as_posix()}`", _first_line(path)) for path in paths]
    return f"**{room.name}**: {_first_line(room / '__init__.py')}\n\n{table(('module', 'what it is'), rows)}"


def _first_line(path: Path) -> str:
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return told.split("\n")[0].replace("``", "`")


def _homes() -> Mapping[str, str]:
    """Return the full name under which each public name is described."""
    inner = {name: f"{PACKAGE}.sandbox.{name}" for name in sandbox.__all__}
    return {**inner, **{name: f"{PACKAGE}.{name}" for name in novakit_widgets.__all__}}


HOMES = _homes()


def ours(
    _name: str, rawtext: str, text: str, _lineno: int, inliner: Inliner, *_rest: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Make a link of one of our public names in single backticks, and code of everything else."""
    content = unescape(text)
    literal = nodes.literal(rawtext, content, classes=["xref", "py"])
    if content.partition(".")[0].rstrip("()") not in HOMES:
        return [literal], []
    reference = pending_xref(
        rawtext, literal, refdomain="py", reftype="obj", reftarget=content, refexplicit=False, refwarn=False
    )
    reference["refdoc"] = inliner.document.settings.env.docname
    return [reference], []


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.Node | None:
    """Find our names wherever they are written from, and leave those of others as they are."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    last = target.removeprefix("~").rpartition(".")[2].rstrip("()")
    for candidate in (target.rstrip("()"), last):
        first, dot, rest = candidate.partition(".")
        if first in HOMES:
            full = HOMES[first] + dot + rest
            found = env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, content)
            if found is not None:
                return found
    theirs = target.partition(".")[0] in OTHERS or last.partition("[")[0] in TYPE_NAMES
    # A module of ours that is not among the public names: its name is enough.
    inner = target.startswith(f"{PACKAGE}.") or last in INNER
    return content if theirs or inner or not node.get("refwarn", True) else None


def _inner() -> frozenset[str]:
    """Return the names of all types of ours: those that are not public are named in signatures, but have no page."""
    names = set()
    for path in (ROOT / PACKAGE).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return frozenset(names)


INNER = _inner()


COLON = "\ue000"  # stands for one, where napoleon would take the words before it for a type


def hide_colon(_app: Sphinx, what: str, *rest: Any) -> None:
    """Keep the first sentence of a property whole."""
    lines = rest[-1]
    if what in ("attribute", "property") and lines:
        lines[0] = re.sub(r"(?<!:):(?= )", COLON, lines[0])


def show_colon(_app: Sphinx, _what: str, *rest: Any) -> None:
    """Undo `hide_colon`."""
    lines = rest[-1]
    lines[:] = [line.replace(COLON, ":") for line in lines]


def widget_signature(
    _app: Sphinx, what: str, _name: str, described: Any, _options: Any, _signature: str, returns: str
) -> tuple[str, str] | None:
    """Show what a widget takes: traitlets hides it behind a ``__new__`` of its own."""
    if what != "class" or not issubclass(described, HasTraits):
        return None
    whole = inspect.signature(described.__init__)
    parameters = list(whole.parameters.values())[1:]
    shown = whole.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return stringify_signature(shown, unqualified_typehints=True), returns


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    wanted: Mapping[str, type[SphinxDirective]] = {
        "parameter-table": ParameterTable,
        "figures": Figures,
        "goals": Goals,
        "drawn": Drawn,
        "other-figures": OtherFigures,
        "fault-matrix": FaultMatrix,
        "error-tree": ErrorTree,
        "error-classes": ErrorClasses,
        "code-map": CodeMap,
        "house": HousePicture,
    }
    for name, directive in wanted.items():
        app.add_directive(name, directive)
    role: Callable[..., Any] = ours
    app.add_role("ours", role)
    app.connect("autodoc-process-signature", widget_signature)
    # Before napoleon and after it.
    app.connect("autodoc-process-docstring", hide_colon, priority=400)
    app.connect("autodoc-process-docstring", show_colon, priority=600)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
