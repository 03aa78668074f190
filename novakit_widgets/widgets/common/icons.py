"""The icons of the tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...model.tools import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ICONS", "icon"]

# Shapes of 16 x 16, in the color of the surrounding text.
ICONS: Mapping[str, str] = {
    **{tool.value: facts.icon for tool, facts in FACTS.items()},
    "": "M8 1l7 3.5v7L8 15l-7-3.5v-7z",
}


def icon(tool: str) -> Markup:
    """Return a tool's icon, hidden from screen readers because the tool's name is beside it."""
    return Markup('<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>').format(
        ICONS.get(tool, ICONS[""])
    )
