"""The one stylesheet: colors and classes of everything that is shown. Colors are JupyterLab's variables, with fallbacks.

Widgets send it once, in a widget of its own; plain HTML contains the parts that it needs. An untrusted notebook drops it, so that
everything must be readable without it.
"""

from __future__ import annotations

from urllib.parse import quote

from markupsafe import Markup

from .icons import ICONS

__all__ = ["BOARD", "CARD", "EXPLORER", "PAGE", "PLAIN", "PLAIN_BOARD"]

# Text of 4.5:1 on its own background in both themes: JupyterLab's green, red and amber are too light for text.
_TOKENS = Markup("""
:is(.novakit-card, .novakit-plain, .novakit-page) { --nk-font: var(--jp-ui-font-color1, currentColor);
  --nk-font2: var(--jp-ui-font-color2, currentColor); --nk-line: var(--jp-border-color2, #d0d7de);
  --nk-back: var(--jp-layout-color0, var(--vscode-editor-background, transparent));
  --nk-accent: var(--jp-brand-color1, #1976d2); --nk-skeleton: #e9edf1; --nk-shine: #f4f6f8;
  --nk-run: #0b5cab; --nk-run2: #e8f1fb; --nk-good: #17692f; --nk-good2: #e6f4ea; --nk-bad: #b3261e; --nk-bad2: #fdeceb;
  --nk-wait: #7a5200; --nk-wait2: #fdf3dc; --nk-quiet: #56606a; --nk-quiet2: #f1f3f5; }
:is([data-jp-theme-light="false"], .vscode-dark, html[theme="dark"]) :is(.novakit-card, .novakit-plain, .novakit-page) {
  --nk-skeleton: #24292e; --nk-shine: #2c3238;
  --nk-run: #90caf9; --nk-run2: #12263a; --nk-good: #5fd07a; --nk-good2: #11281a; --nk-bad: #ff9a92; --nk-bad2: #331615;
  --nk-wait: #e3b341; --nk-wait2: #2e2408; --nk-quiet: #a9b3bd; --nk-quiet2: #22262b; }
:is(.novakit-card, .novakit-plain, .novakit-page) { border: 1px solid var(--nk-line); border-radius: 8px; margin: 4px 2px;
  padding: 0; max-width: 720px; box-sizing: border-box; overflow: hidden; background: var(--nk-back); color: var(--nk-font);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif); }
""")
_SHARED = Markup("""
.nk-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.nk-head { display: flex; gap: 10px; align-items: center; min-height: 26px; padding: 8px 12px; }
.nk-head > svg { flex: none; width: 18px; height: 18px; fill: currentColor; opacity: .7; }
.nk-title { flex: 1; min-width: 0; font-weight: 600; overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow-wrap: anywhere; }
.nk-pill { display: inline-block; border: 1px solid; border-radius: 999px; padding: 1px 9px; font-size: 12px; font-weight: 600;
  white-space: nowrap; color: var(--nk-quiet); background: var(--nk-quiet2); border-color: var(--nk-line); }
.nk-running .nk-pill { color: var(--nk-run); background: var(--nk-run2); }
.nk-good .nk-pill { color: var(--nk-good); background: var(--nk-good2); }
.nk-bad .nk-pill { color: var(--nk-bad); background: var(--nk-bad2); border-color: var(--nk-bad); }
.nk-waiting .nk-pill { color: var(--nk-wait); background: var(--nk-wait2); }
.nk-stage { width: 100%; max-height: 480px; overflow: hidden; box-sizing: border-box; }
.nk-tiles { display: grid; grid-template-columns: repeat(2, 1fr); gap: 4px; }
.nk-tiles > .nk-stage { max-height: 238px; }
.nk-stage { position: relative; background: var(--nk-quiet2); }
.nk-stage > img, .nk-stage > video { position: absolute; inset: 0; width: 100%; height: 100%; max-width: none;
  object-fit: contain; }
.nk-sound { height: 54px; box-sizing: border-box; padding: 0 12px; } .nk-lines { height: 66px; }
.nk-sound audio { width: 100%; height: 40px; margin: 7px 0; }
.nk-empty { animation: nk-shine 2.4s linear infinite;
  background: linear-gradient(100deg, var(--nk-skeleton) 40%, var(--nk-shine) 50%, var(--nk-skeleton) 60%) 0 0 / 200% 100%; }
@keyframes nk-shine { from { background-position: 120% 0 } to { background-position: -80% 0 } }
@media (prefers-reduced-motion: reduce) { .nk-empty { animation: none } }
.nk-message { margin: 0; padding: 2px 12px 10px 40px; overflow-wrap: anywhere; }
.nk-text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: 2px 12px 8px 40px; }
.nk-note { margin: 0; padding: 0 12px 8px; font-size: 12px; color: var(--nk-font2); overflow-wrap: anywhere; }
.nk-foot { display: flex; flex-wrap: wrap; gap: 0 12px; align-items: center; min-height: 26px; padding: 4px 12px; font-size: 12px;
  color: var(--nk-font2); }
.nk-facts { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.nk-foot a, .nk-foot summary { color: var(--nk-run); cursor: pointer; text-decoration: none; list-style: none;
  white-space: nowrap; }
.nk-foot summary::-webkit-details-marker { display: none; }
.nk-foot a:hover, .nk-foot summary:hover { text-decoration: underline; }
.nk-foot details[open] { flex: 1 1 100%; order: 1; min-width: 0; }
.nk-foot pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0; padding: 8px 10px; border: 1px solid var(--nk-line);
  border-radius: 6px; color: var(--nk-font); background: none; user-select: all; }
""")
CARD = (
    Markup("<style>")
    + _TOKENS
    + _SHARED
    + Markup("""
.novakit-card .widget-html-content, .novakit-card .jupyter-widget-html-content { line-height: inherit; font-size: inherit; }
.novakit-card .widget-html { height: auto; min-height: 0; line-height: inherit; margin: 0; }
.novakit-card button { font-size: 12px; height: 26px; line-height: 24px; padding: 0 10px; border: 1px solid var(--nk-line);
  border-radius: 6px; background: none; color: var(--nk-font); box-shadow: none; }
.novakit-card button:hover { background: var(--nk-quiet2); box-shadow: none; }
.novakit-card button.mod-primary { background: var(--nk-run); border-color: var(--nk-run); color: var(--nk-back); }
.novakit-card .progress { height: 6px; border-radius: 3px; background: var(--nk-skeleton); margin: 0; }
.novakit-card .progress-bar { border-radius: 3px; background: var(--nk-accent); }
.novakit-job.novakit-job { display: grid; grid-template-columns: minmax(0, 1fr) auto auto; }
.novakit-job > .nk-w-head { grid-area: 1 / 1; }
.novakit-job > button { grid-area: 1 / 3; align-self: center; margin: 0 12px 0 0; width: auto; min-width: 66px; }
.novakit-job > .nk-w-pill { grid-area: 1 / 2; align-self: center; justify-self: end; text-align: right; min-width: 92px;
  margin: 0 10px 0 0; }
.novakit-job > button.nk-at-foot { grid-area: 4 / 3; align-self: start; margin-top: 4px; }
.novakit-job > button.nk-w-equal { grid-area: 5 / 1 / auto / -1; justify-self: start; margin: 0 12px 10px; }
.novakit-job > .novakit-job { grid-area: 6 / 1 / auto / -1; margin: 0 12px 12px; }
.novakit-job:has(> button.nk-at-foot) > .nk-w-pill { grid-area: 1 / 2 / auto / -1; margin-right: 12px; }
.novakit-job > .nk-w-body { grid-area: 3 / 1 / auto / -1; } .novakit-job > .nk-w-result { grid-area: 2 / 1 / auto / -1; }
.novakit-job > .nk-w-bar { grid-area: 4 / 1; align-self: center; width: auto; height: auto; margin: 0 0 0 12px; }
.nk-figures:empty { display: none; }
.nk-figures { grid-area: 4 / 2 / auto / -1; text-align: right; padding: 7px 12px; min-height: 20px; line-height: 20px;
  font-size: 12px; white-space: nowrap; font-variant-numeric: tabular-nums; color: var(--nk-font2); }
@keyframes nk-alive { from { opacity: .35 } to { opacity: 1 } }
.nk-alive .progress { animation: nk-alive 1.2s ease-in-out infinite alternate; }
@media (prefers-reduced-motion: reduce) { .nk-alive .progress { animation: none } }
.novakit-job > .nk-w-figures, .nk-w-figures > .widget-html-content { display: contents; }
.nk-w-figures .nk-foot { grid-area: 4 / 1 / auto / -1; }
.novakit-job:has(> button.nk-at-foot) .nk-foot { grid-area: 4 / 1 / auto / 3; }
.nk-left { grid-area: 3 / 1 / auto / -1; place-self: center; color: var(--nk-font2); z-index: 1; }
.nk-w-result video { width: 100%; height: auto; max-height: 480px; object-fit: contain; flex: none; background: var(--nk-quiet2); }
.nk-w-result audio { width: calc(100% - 24px); height: 40px; margin: 7px 12px; flex: none; }
.nk-w-result > *, .nk-w-result { margin: 0; min-width: 0; overflow: hidden; }
</style>""")
)

# The negative margin undoes JupyterLab's padding of HTML, so that the result is as wide as the card was. The doubled classes
# outrank JupyterLab's own rules for paragraphs, links, code and tables, which it aligns to the right.
PLAIN = (
    Markup("<style>")
    + _TOKENS
    + _SHARED
    + Markup("""
.jp-RenderedHTMLCommon > .novakit-plain { margin-right: -18px; }
.novakit-plain.novakit-plain p { margin: 0; }
.novakit-plain .nk-pill { margin-left: auto; flex: none; }
.novakit-plain .nk-head { padding-right: 12px; } .novakit-plain .nk-title { margin-right: 74px; }
.novakit-plain.novakit-plain pre { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.45; }
.novakit-plain td { white-space: pre-wrap; }
.novakit-plain.novakit-plain table { border-collapse: collapse; margin: 6px 0; font-size: 12px; color: var(--nk-font); }
.novakit-plain.novakit-plain th, .novakit-plain.novakit-plain td { text-align: left; vertical-align: top;
  padding: 2px 10px 2px 0; overflow-wrap: anywhere; }
</style>""")
)


def _masks() -> Markup:
    """Return a CSS rule for each tool's icon: a class name in a row is shorter than the drawing."""
    rule = Markup(
        '.nk-i-{tool} {{ -webkit-mask-image: url("data:image/svg+xml,{svg}"); mask-image: url("data:image/svg+xml,{svg}"); }}'
    )
    svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path d='{}'/></svg>"
    return Markup("\n").join(
        rule.format(tool=tool or "none", svg=quote(svg.format(path))) for tool, path in ICONS.items()
    )


# A sweep's labelled table. The repeated classes outrank JupyterLab's own rules, which align tables to the right.
_SWEEP = Markup("""
.nk-sweep-scroll { overflow-x: auto; padding: 0 12px 8px; }
table.nk-sweep.nk-sweep.nk-sweep { border-collapse: collapse; line-height: 1.4; width: auto; table-layout: auto; font-size: 13px; }
.nk-sweep.nk-sweep.nk-sweep th, .nk-sweep.nk-sweep.nk-sweep td { text-align: left; vertical-align: top; padding: 6px 10px 6px 0;
  font-weight: inherit; }
.nk-sweep.nk-sweep.nk-sweep th { font-weight: 600; overflow-wrap: break-word; max-width: 180px; min-width: 60px; }
.nk-sweep.nk-sweep td { min-width: 110px; }
.nk-sweep.nk-sweep tbody tr { border-top: 1px solid var(--nk-line); background: none; }
.nk-sweep caption { text-align: left; padding: 2px 0 4px; color: var(--nk-font2); }
.nk-sweep img, .nk-sweep video { width: 160px; max-width: 100%; height: auto; border-radius: 6px; display: block; }
.nk-sweep audio { width: 300px; height: 40px; }
.nk-sweep .nk-s { width: auto; }
.nk-sweep .nk-n { color: var(--nk-font2); text-align: left; width: auto; padding: 0; }
""")
BOARD = (
    CARD
    + Markup("<style>")
    + _SWEEP
    + Markup("""
.novakit-card.novakit-board { max-width: 960px; padding: 0 12px 8px; }
.novakit-board .nk-head { padding: 8px 0; } .novakit-board .nk-note, .novakit-board .nk-message { padding: 0 0 6px; }
.novakit-board .nk-figures { display: block; padding: 0; line-height: 26px; }
.novakit-board .progress { align-self: center; } .novakit-board .nk-w-top > button { position: relative; top: 5px; }
.nk-table { border-collapse: collapse; width: 100%; table-layout: fixed; line-height: 1.4; font-size: 13px; }
.nk-table th, .nk-table td { text-align: left; vertical-align: baseline; padding: 4px 8px 4px 0; font-weight: inherit; }
.nk-table thead th { font-weight: 600; position: sticky; top: 0; background: var(--jp-layout-color0, Canvas); z-index: 1;
  white-space: nowrap; }
.nk-table tbody tr { border-top: 1px solid var(--nk-line); }
.nk-table .nk-n { width: 3.2em; text-align: right; padding-right: 12px; font-variant-numeric: tabular-nums; }
.nk-table .nk-s { width: 13em; } .nk-table .nk-t { width: 7em; font-variant-numeric: tabular-nums; }
.nk-table td { overflow-wrap: anywhere; } .nk-table .nk-t { white-space: nowrap; }
.nk-table img { width: 40px; height: 40px; object-fit: cover; border-radius: 6px; vertical-align: middle; margin-right: 8px; }
.nk-i { display: inline-block; width: 16px; height: 16px; vertical-align: -3px; margin-right: 6px; background: currentColor;
  opacity: .7; -webkit-mask-repeat: no-repeat; mask-repeat: no-repeat; }
.nk-s::before { content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em;
  background: var(--nk-quiet); }
thead .nk-s::before { display: none; }
.nk-waiting .nk-s::before { background: var(--nk-wait); } .nk-running .nk-s::before { background: var(--nk-accent); }
.nk-good .nk-s::before { background: var(--nk-good); } .nk-bad .nk-s::before { background: var(--nk-bad); }
.nk-bad .nk-s { color: var(--nk-bad); }
.nk-b { display: block; height: 6px; margin-top: 3px; border-radius: 3px; overflow: hidden; background: var(--nk-skeleton); }
.nk-b i { display: block; height: 100%; border-radius: 3px; background: var(--nk-accent); }
.nk-cell { margin: 0; } .nk-cell figcaption { font-size: 12px; line-height: 1.35; overflow-wrap: anywhere; }
.nk-cell video, .nk-cell img { width: 100%; height: auto; aspect-ratio: 1; object-fit: contain; display: block;
  background: var(--nk-quiet2); border-radius: 6px; }
.nk-cell video { aspect-ratio: 16 / 9; } .nk-cell audio { width: 100%; height: 40px; }
.nk-cell .nk-text { max-height: 9em; overflow: hidden; padding: 0; }
.nk-details table { border-collapse: collapse; margin: 6px 0; }
.nk-details th, .nk-details td { text-align: left; vertical-align: top; padding: 2px 10px 2px 0; overflow-wrap: anywhere; }
.nk-details pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 6px 0; }
.nk-details video, .nk-details img { max-width: 100%; height: auto; border-radius: 6px; } .nk-details .nk-text { padding: 0; }
.nk-gallery .nk-table, .nk-gallery .nk-table td { display: contents; }
.nk-gallery .nk-table.nk-table :is(thead, .nk-t), .nk-gallery .nk-good .nk-s { display: block; position: absolute; width: 1px;
  height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.nk-gallery .nk-table tbody { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); }
.nk-gallery .nk-table tbody tr { display: grid; grid-template-columns: auto minmax(0, 1fr); border: 0; font-size: 12px;
  gap: 4px 6px; position: relative; }
.nk-gallery .nk-table tr::before { content: ""; grid-area: 1 / 1 / auto / -1; aspect-ratio: 1; border-radius: 6px;
  background: var(--nk-skeleton); box-sizing: border-box; }
.nk-gallery .nk-table :is(.nk-bad, .nk-waiting, .nk-quiet)::before { background: none; border: 1px dashed var(--nk-line); }
.nk-gallery .nk-table .nk-bad::before { border-color: var(--nk-bad); }
.nk-gallery .nk-table img { grid-area: 1 / 1 / auto / -1; width: 100%; height: 100%; aspect-ratio: 1; margin: 0; }
.nk-gallery .nk-table .nk-i { grid-area: 1 / 1 / auto / -1; place-self: center; width: 32px; height: 32px; margin: 0;
  opacity: .35; }
.nk-gallery tr:not(.nk-good) .nk-i { display: none; }
.nk-gallery .nk-table td.nk-s { display: block; grid-area: 1 / 1 / auto / -1; width: auto; padding: 10px; text-align: center;
  align-self: center; }
.nk-gallery .nk-s::before { display: none; } .nk-gallery .nk-b { margin: 8px 0 0; }
.nk-gallery .nk-table .nk-n { width: auto; padding: 0; font-weight: 600; text-align: left; grid-area: 2 / 1; }
.nk-gallery .nk-p { grid-area: 2 / 2; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
@media (max-width: 560px) { .nk-table .nk-s { width: 6.2em; } .nk-table .nk-t { width: 6em; padding-right: 0; }
  .nk-table .nk-n { width: 2.4em; padding-right: 8px; } }
""")
    + _masks()
    + Markup("</style>")
)
PLAIN_BOARD = (
    Markup("<style>")
    + _SWEEP
    + Markup("""
.novakit-plain.novakit-plain-board { max-width: 960px; }
.novakit-plain-board .nk-title { margin-right: 0; }
.nk-results { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 10px; padding: 4px 12px 12px; }
.nk-result { min-width: 0; font-size: 12px; } .nk-result.nk-row, .nk-result[open] { grid-column: 1 / -1; }
.nk-result summary { list-style: none; cursor: pointer; } .nk-result summary::-webkit-details-marker { display: none; }
.nk-result .nk-stage { aspect-ratio: 1; border-radius: 6px; } .nk-result .nk-stage > img { object-fit: cover; }
.nk-result.nk-wide { grid-column: span 2; } .nk-wide .nk-stage { aspect-ratio: 16 / 9; }
.nk-result[open] .nk-stage { aspect-ratio: auto; height: 480px; } .nk-result[open] .nk-stage > img { object-fit: contain; }
.nk-failed .nk-stage, .nk-failed[open] .nk-stage { display: grid; place-items: center; background: none; font-weight: 600;
  border: 1px dashed var(--nk-bad); color: var(--nk-bad); }
.nk-failed[open] .nk-stage { height: 60px; } .nk-result .nk-message.nk-message { padding: 4px 0; }
.novakit-plain .nk-caption.nk-caption { margin: 4px 0 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.nk-row .nk-caption.nk-caption, .nk-result[open] .nk-caption.nk-caption { white-space: normal; }
.nk-result audio { display: block; width: 100%; height: 40px; }
.novakit-plain-board .nk-result pre { padding: 8px 10px; border: 1px solid var(--nk-line); border-radius: 6px; user-select: all; }
.nk-all { padding: 0 12px 10px; } .nk-all > summary { cursor: pointer; color: var(--nk-run); font-size: 12px; }
.novakit-plain-board .nk-all table { width: 100%; table-layout: fixed; }
.novakit-plain-board .nk-all tbody tr { border-top: 1px solid var(--nk-line); }
.novakit-plain-board .nk-all thead th { white-space: nowrap; overflow-wrap: normal; }
.novakit-plain-board .nk-all caption { text-align: left; color: var(--nk-font2); padding: 4px 0; }
.novakit-plain-board .nk-n { width: 3em; } .novakit-plain-board .nk-s { width: 9em; }
.novakit-plain-board .nk-t { width: 7em; white-space: nowrap; }
.novakit-plain-board .nk-c { width: 5em; } .novakit-plain-board .nk-id { width: 14em; }
@media (max-width: 720px) { .novakit-plain-board .nk-id, .novakit-plain-board .nk-c { display: none; }
  .novakit-plain-board .nk-n { width: 2.4em; } .novakit-plain-board .nk-s { width: 7em; }
  .novakit-plain-board .nk-t { width: 6.5em; } .nk-result.nk-wide { grid-column: 1 / -1; } }
</style>""")
)
# Tables and forms that are no card: the history, the quota, the login, the explorer.
PAGE = (
    Markup("<style>")
    + _TOKENS
    + Markup("""
.novakit-page.novakit-page { padding: 10px 12px; max-width: 960px; }
.jp-RenderedHTMLCommon > .novakit-page { margin-right: -18px; }
.novakit-page.novakit-page p { margin: 4px 0; }
.novakit-page.novakit-page table { border-collapse: collapse; line-height: 1.45; margin: 6px 0; font-size: 13px; color: inherit; }
.novakit-page.novakit-page th, .novakit-page.novakit-page td { text-align: left; vertical-align: top; padding: 4px 14px 4px 0;
  font-weight: inherit; }
.novakit-page.novakit-page thead th { font-weight: 600; white-space: nowrap; }
.novakit-page.novakit-page tbody tr { border-top: 1px solid var(--nk-line); background: none; }
.novakit-page caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
.novakit-page meter { width: 12em; max-width: 30vw; height: 1em; vertical-align: middle; }
.novakit-page button { font-size: 12px; border: 1px solid var(--nk-line); border-radius: 6px; background: none;
  color: var(--nk-font); box-shadow: none; }
.novakit-page button:hover { background: var(--nk-quiet2); box-shadow: none; }
.novakit-page button.mod-primary { background: var(--nk-run); border-color: var(--nk-run); color: var(--nk-back); }
.novakit-page details > summary { cursor: pointer; color: var(--nk-run); font-size: 12px; }
.novakit-page pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; user-select: all; }
.novakit-page .nk-thumb { width: 40px; height: 40px; object-fit: cover; border-radius: 6px; float: left; margin: 0 8px 0 0; }
</style>""")
)
EXPLORER = (
    CARD
    + PAGE
    + Markup("""<style>
.novakit-page.novakit-explorer { max-width: 1480px; }
.novakit-explorer > * > * > .nk-head { padding: 0 0 8px; }
.novakit-explorer .nk-reason { color: var(--nk-bad); font-weight: 600; overflow-wrap: anywhere; }
.novakit-explorer mark { background: rgba(255, 193, 7, .35); color: inherit; border-radius: 3px; padding: 0 2px; }
.novakit-explorer .nk-name { font-weight: 600; }
.novakit-explorer .nk-news { margin: 0; overflow-wrap: anywhere; }
.novakit-explorer .nk-short { font-weight: 600; color: var(--nk-bad); }
.nk-compare.nk-compare { table-layout: fixed; width: 100%; border-collapse: collapse; margin: 0; line-height: 1.45; }
.nk-compare.nk-compare th, .nk-compare.nk-compare td { text-align: left; vertical-align: top; padding: 2px 10px 2px 0;
  overflow-wrap: anywhere; }
.nk-compare video, .nk-compare img { max-width: 100%; height: auto; border-radius: 6px; } .nk-compare audio { width: 100%; }
</style>""")
)
