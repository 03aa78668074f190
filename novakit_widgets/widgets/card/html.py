"""The HTML of a card. External strings are escaped: they enter HTML only through `Markup.format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...model.tools import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .view import View

__all__ = ["ICONS", "STYLE", "figures", "head", "icon", "message"]

# Shapes of 16 x 16, in the color of the surrounding text.
ICONS: Mapping[str, str] = {
    **{tool.value: facts.icon for tool, facts in FACTS.items()},
    "": "M8 1l7 3.5v7L8 15l-7-3.5v-7z",
}

# JupyterLab's variables; the fallback values are for Voila, VS Code and Colab.
STYLE = Markup("""<style>
.novakit-card { border: 1px solid var(--jp-border-color2, #bdbdbd); border-radius: 6px; padding: 10px 12px; margin: 4px 2px;
  max-width: 720px; box-sizing: border-box; overflow: hidden; color: var(--jp-ui-font-color1, inherit); }
.novakit-card .widget-html-content, .novakit-card .jupyter-widget-html-content { line-height: 1.45; }
.nk-head { display: flex; gap: 8px; align-items: baseline; flex-wrap: wrap; }
.nk-head svg { flex: none; align-self: flex-start; margin-top: 3px; fill: currentColor; opacity: .8; }
.nk-tool { font-weight: 600; white-space: nowrap; }
.nk-prompt { flex: 1 1 16em; min-width: 0; overflow-wrap: anywhere; }
.nk-status { white-space: nowrap; font-weight: 600; }
.nk-dot { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em; background: currentColor; }
.nk-waiting .nk-dot { color: #e69f00; } .nk-running .nk-dot { color: #1e88e5; } .nk-good .nk-dot { color: #2e9e5b; }
.nk-bad .nk-dot { color: #d6453d; } .nk-quiet .nk-dot { color: #8a8a8a; }
.nk-figures { white-space: nowrap; font-variant-numeric: tabular-nums; }
.nk-message { overflow-wrap: anywhere; }
.nk-row > .nk-bar { min-width: 60px; }
@keyframes nk-alive { from { opacity: .35 } to { opacity: 1 } }
.nk-alive .progress { animation: nk-alive 1.2s ease-in-out infinite alternate; }
@media (prefers-reduced-motion: reduce) { .nk-alive .progress { animation: none } }
.novakit-card video, .novakit-card img { max-width: 100%; height: auto; border-radius: 4px; }
.novakit-card audio { width: 100%; }
.nk-text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3em 0 0; }
</style>""")


def icon(tool: str) -> Markup:
    """Return a tool's icon, hidden from screen readers because the tool's name is beside it."""
    return Markup('<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="{}"/></svg>').format(
        ICONS.get(tool, ICONS[""])
    )


def head(view: View) -> Markup:
    """Return the card's first line: tool, prompt and status. It is sent only when one of them changes."""
    return Markup(
        '<div class="nk-head nk-{color}">{icon}<span class="nk-tool">{label}</span>'
        '<span class="nk-prompt" title="{full}" dir="auto">{prompt}</span>'
        '<span class="nk-status" role="status" aria-live="polite"><span class="nk-dot" aria-hidden="true"></span>'
        "{status}</span></div>"
    ).format(
        color=view.color,
        icon=icon(view.tool),
        label=view.label,
        full=view.full_prompt,
        prompt=view.prompt,
        status=view.status,
    )


def figures(view: View) -> Markup:
    """Return percent and times, which also describe the bar to a screen reader."""
    shown = "" if view.percent is None else f"{view.percent:.0f} %"
    text = " · ".join(part for part in (shown, view.times) if part)
    # Without a value the progress is unknown. The default range is 0 to 100.
    value = Markup("") if view.percent is None else Markup(' aria-valuenow="{:.0f}"').format(view.percent)
    return Markup(
        '<span class="nk-figures" role="progressbar" aria-label="{label}: progress"{value} aria-valuetext="{spoken}">{text}</span>'
    ).format(label=view.label, value=value, spoken=text or view.status, text=text)


def message(text: str) -> Markup:
    """Return the card's message."""
    return Markup('<span class="nk-message" dir="auto">{}</span>').format(text) if text else Markup("")
