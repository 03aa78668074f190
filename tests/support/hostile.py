"""Twenty strings that want to be more than text."""

from __future__ import annotations

__all__ = ["HOSTILE", "shown"]

# Each tells `window.ran` if anything of it is run.
HOSTILE = (
    "<script>window.top.ran.push(1)</script>",
    '"><script>window.top.ran.push(2)</script>',
    "<img src=x onerror=window.top.ran.push(3)>",
    "<svg onload=window.top.ran.push(4)>",
    "<svg><script>window.top.ran.push(5)</script></svg>",
    "<iframe srcdoc='<script>window.top.ran.push(6)</script>'></iframe>",
    "<a href='javascript:window.top.ran.push(7)' onfocus=window.top.ran.push(7) autofocus tabindex=0>a</a>",
    "javascript:window.top.ran.push(8)",
    "data:text/html,<script>window.top.ran.push(9)</script>",
    "<details open ontoggle=window.top.ran.push(10)><summary>a</summary></details>",
    '" onmouseover="window.top.ran.push(11)" onfocus="window.top.ran.push(11)" autofocus tabindex="0',
    "' onerror='window.top.ran.push(12)' src='x",
    "</p></div></style></title></textarea></script><script>window.top.ran.push(13)</script>",
    "</style><style>* { display: none !important }</style><img src=x onerror=window.top.ran.push(14)>",
    "<!--><img src=x onerror=window.top.ran.push(15)>-->",
    "{{ window.top.ran.push(16) }} ${window.top.ran.push(16)} {0.__class__} %s",
    "\u202egpj.exe\u202c \u2066\u200b<b>\u2069",
    "&lt;script&gt;window.top.ran.push(18)&lt;/script&gt;&#60;img src=x onerror=window.top.ran.push(18)&#62;",
    "<img src=x onerror=window.top.ran.push(19)//",
    "long " * 20_000 + "<script>window.top.ran.push(20)</script>",
)


def shown(text: str) -> str:
    """Return what is to be read on the page at least: a beginning, on one line."""
    return " ".join(text[:120].split())
