"""How Sphinx builds these pages: ``python -m sphinx -W --keep-going -n -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
# The checkout's own package is described, whatever else is installed.
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]

import novakit_widgets  # noqa: E402 # found by the line above

project = "novakit_widgets"
author = "the novakit_widgets developers"
release = version = novakit_widgets.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "from_code",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# An alias for type checkers, not a class; what it stands for is told with each parameter that takes it.
# The other is the standard library's, whose pages are not linked here.
nitpick_ignore = [("py:class", "Source"), ("py:class", "AbstractAsyncContextManager")]
templates_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The notebooks are saved with their outputs: building the pages runs no kernel.
nb_execution_mode = "off"
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "ours"  # single backticks in our docstrings: a link where it is one of our public names

html_theme = "pydata_sphinx_theme"
html_title = "novakit_widgets"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars: dict[str, list[str]] = {"index": [], "tutorial": [], "contributing": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _bring_notebooks() -> None:
    """Copy the notebooks to where Sphinx looks for pages; those that are up to date keep their time.

    Pictures that they link to are found from there by another way.
    """
    folder = HERE / "notebooks"
    folder.mkdir(exist_ok=True)
    wanted = {path.name: path for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    for old in folder.glob("*.ipynb"):
        if old.name not in wanted:
            old.unlink()
    for name, path in wanted.items():
        copy = folder / name
        content = path.read_bytes().replace(b"(../docs/images/", b"(../images/")
        if not copy.exists() or copy.read_bytes() != content:
            copy.write_bytes(content)


_bring_notebooks()
