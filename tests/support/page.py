"""A notebook in a browser: what a user does with it, and what a user sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nbformat
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from playwright.async_api import BrowserContext, Dialog, Locator, Page, WebSocket
    from servers import Server

LONG = 1_000_000  # seconds, more than any test waits: its jobs are cancelled, or end when the sandbox is told to finish them
PATIENCE = 30_000  # milliseconds that a page on a busy machine may take for one step
# A cell that runs until `Notebook.go_on`, and leaves the kernel's loop to others.
UNTIL_TOLD = "import pathlib\nwhile not pathlib.Path('go-on').exists(): await asyncio.sleep(0.05)"
_DEAF_SECONDS = 15.0  # a kernel that has not said what it is by then did not hear the question
_LOADS = 2  # before the last one, for which nothing is done if it fails
expect.set_options(timeout=PATIENCE)

# A page that was loaded without the token in its address has the token in a cookie. Kernels may have come since it was loaded.
_OPEN = """async (path) => {
  const app = window.jupyterapp;
  await app.serviceManager.kernelspecs.refreshSpecs();
  await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
}"""
_PUT_AWAY = """() => {
  for (const document of [...window.jupyterapp.shell.widgets('main')]) document.dispose();
  for (const style of document.querySelectorAll('style[data-test]')) style.remove();
  window.ran = [];
  return document.querySelectorAll('.jp-Notebook, .jp-Dialog').length;
}"""
_TALL = """() => {
  const style = document.createElement('style');
  style.dataset.test = '';
  style.textContent = 'html, body { height: 100%; }';
  document.head.append(style);
}"""


def write_notebook(path: Path, cells: Sequence[str], *, kernel: str = "python3") -> Path:
    """Write a notebook whose cells have not run.

    Args:
        path: where.
        cells: the code of each.
        kernel: the kernelspec's name.
    """
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@dataclass  # no slots: Playwright leaves notes on what listens
class Traffic:
    """What came from the kernel over the page's websockets.

    Attributes:
        frames: how many messages.
        size: their bytes.
        largest: the bytes of the largest.
        greetings: how often a kernel has said what it is, which it does before all else.
    """

    frames: int = 0
    size: int = 0
    largest: int = 0
    greetings: int = 0

    def listen(self, socket: WebSocket) -> None:
        """Count what a kernel's socket receives."""
        if "/channels" in socket.url:
            socket.on("framereceived", self._add)

    def _add(self, payload: str | bytes) -> None:
        size = len(payload)
        self.greetings += b"kernel_info_reply" in (payload if isinstance(payload, bytes) else payload.encode())
        self.frames += 1
        self.size += size
        self.largest = max(self.largest, size)


@dataclass  # no slots: Playwright leaves notes on what listens
class Notebook:
    """One notebook, open in one page of JupyterLab or Notebook.

    Attributes:
        page: the browser's page.
        server: what serves it.
        path: the notebook's file.
        traffic: what the kernel has sent.
        dialogs: the texts of dialogs that a script has opened; there should be none.
    """

    page: Page
    server: Server
    path: Path
    traffic: Traffic = field(default_factory=Traffic)
    dialogs: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, context: BrowserContext, server: Server, path: Path) -> Notebook:
        """Open a notebook in a page of its own, and return when its kernel is there."""
        return await Desk(await context.new_page(), server).open(path)

    async def _wait_for_first_answer(self) -> None:
        # ipykernel 7.3 now and then does not hear what it is asked while it starts. A user would load the page again.
        for _ in range(_LOADS):
            try:
                await self.until(lambda: self.traffic.greetings, seconds=_DEAF_SECONDS)
            except asyncio.TimeoutError:
                await self.page.reload()
            else:
                return

    async def _answer(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            await dialog.accept()  # the question whether to leave an unsaved notebook
        else:
            self.dialogs.append(dialog.message)
            await dialog.dismiss()

    # What a user sees

    def cell(self, index: int) -> Locator:
        """Return a cell, by its place from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def output(self, index: int) -> Locator:
        """Return what a cell has left below it."""
        return self.cell(index).locator(".jp-Cell-outputWrapper")

    def card(self, index: int) -> Locator:
        """Return the live cards in a cell's output."""
        return self.output(index).locator(".novakit-card")

    def plain(self, index: int) -> Locator:
        """Return the plain results in a cell's output."""
        return self.output(index).locator(".novakit-plain")

    async def wait_for_kernel(self, *, heard: int = 0) -> None:
        """Return when a kernel is there and has nothing to do.

        Args:
            heard: how often one had said what it is before there was reason to say it again.
        """
        await expect(self.cell(0)).to_be_visible(timeout=PATIENCE)
        # The page shows a kernel as idle before it has one.
        await self.until(lambda: self.traffic.greetings > heard)
        idle = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
        await expect(idle.first).to_be_attached(timeout=PATIENCE)

    async def has_run(self, index: int) -> int:
        """Return a cell's execution count as soon as it has run."""
        prompt = self.cell(index).locator(".jp-InputPrompt")
        await expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))
        return int(re.sub(r"\D", "", await prompt.inner_text()))

    async def is_running(self, index: int) -> None:
        """Return when a cell runs or is queued."""
        await expect(self.cell(index).locator(".jp-InputPrompt")).to_have_text("[*]:")

    async def until(self, fact: Callable[[], object], *, seconds: float = PATIENCE / 1000) -> None:
        """Return when something that the page does not show is so.

        Args:
            fact: whether it is.
            seconds: after which it won't be any more.
        """

        async def so() -> None:
            while not fact():
                await asyncio.sleep(0.05)

        await asyncio.wait_for(so(), seconds)

    # What a user does

    async def choose(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar.

        JupyterLab now and then takes its launcher for the current document while it shows the notebook: its menus are the
        launcher's then, until the notebook has the focus.
        """
        title = self.page.get_by_role("menubar").get_by_role("menuitem", name=menu, exact=True).first
        chosen = self.page.get_by_role("menu").get_by_role("menuitem", name=re.compile(f"^{re.escape(entry)}"))
        await title.click()
        entries = self.page.get_by_role("menu").get_by_role("menuitem")
        await expect(entries.first).to_be_visible()
        if not await chosen.count():
            await self.page.keyboard.press("Escape")
            await self.page.locator(".jp-Notebook").first.focus()
            await title.click()
        await chosen.click()

    async def confirm(self, button: str) -> None:
        """Press a button of the dialog that is open."""
        await self.page.get_by_role("dialog").get_by_role("button", name=button).click()

    async def run_all(self) -> None:
        """Send all cells to the kernel at once."""
        await self.choose("Run", "Run All Cells")

    async def run(self, index: int, *, wait: bool = True) -> None:
        """Run a cell.

        Args:
            index: its place from 0.
            wait: whether to return only when it has run.
        """
        await self.cell(index).locator(".cm-content").click()
        await self.page.keyboard.press("Control+Enter")
        if wait:
            await self.has_run(index)

    async def add(self, code: str) -> int:
        """Add a cell at the end, run it, and return its place."""
        last = await self.page.locator(".jp-Notebook .jp-CodeCell").count() - 1
        await self.cell(last).locator(".cm-content").click()
        await self.page.keyboard.press("Escape")
        await self.page.keyboard.press("b")
        editor = self.cell(last + 1).locator(".cm-content")
        await editor.click()
        await self.page.keyboard.insert_text(code)
        await self.page.keyboard.press("Control+Enter")
        await self.has_run(last + 1)
        return last + 1

    async def save(self) -> dict[str, Any]:
        """Save, and return what is in the file then."""
        before = self.path.stat().st_mtime_ns
        await self.page.keyboard.press("Control+s")
        await self.until(lambda: self.path.stat().st_mtime_ns != before)
        saved: dict[str, Any] = {}

        def is_whole() -> bool:
            # The file is emptied first and then written.
            with contextlib.suppress(json.JSONDecodeError):
                saved.update(json.loads(self.path.read_text(encoding="utf-8")))
            return bool(saved)

        await self.until(is_whole)
        return saved

    async def reload(self, *, look_at: int = 0) -> None:
        """Load the page anew.

        Args:
            look_at: the cell to look at then; what is out of sight is made when a page has nothing else to do.
        """
        for _ in range(_LOADS):
            heard = self.traffic.greetings
            await self.page.reload()
            await self.wait_for_kernel(heard=heard)
            await self.cell(look_at).scroll_into_view_if_needed()
            # Nor does it always hear the question for the widgets' states. And a page that needs two seconds for the
            # answer may have given its cards up just before: https://github.com/jupyter-widgets/ipywidgets/issues/4026
            if await self._has_its_widgets():
                return

    async def _has_its_widgets(self) -> bool:
        missing = self.page.get_by_text(re.compile("Loading widget|Error displaying widget"))
        try:
            await expect(missing).to_have_count(0, timeout=_DEAF_SECONDS * 1000)
        except AssertionError:
            return False
        return True

    def go_on(self) -> None:
        """End a cell that is `UNTIL_TOLD`."""
        self.path.with_name("go-on").touch()

    async def close(self) -> None:
        """Close the page; the kernel goes on."""
        await self.page.close()

    async def interrupt(self) -> None:
        """Interrupt the kernel."""
        await self.choose("Kernel", "Interrupt Kernel")

    async def restart(self) -> None:
        """Restart the kernel."""
        await self.choose("Kernel", "Restart Kernel…")
        heard = self.traffic.greetings
        await self.confirm("Confirm Kernel Restart")
        await self.wait_for_kernel(heard=heard)

    async def lay_out(self, height: int) -> None:
        """Make the page so high that nothing is out of sight, which no tool could judge.

        Args:
            height: of the page, in pixels.
        """
        await self.page.set_viewport_size({"width": 1000, "height": height})
        # JupyterLab's body is without height and hides what overflows, so that axe takes all that is in it for invisible.
        await self.page.evaluate(_TALL)

    async def shut_down_kernel(self) -> None:
        """Shut the kernel down."""
        await self.choose("Kernel", "Shut Down Kernel")

    async def trust(self) -> None:
        """Trust the notebook."""
        await self.page.keyboard.press("Control+Shift+c")  # no menu has it
        await self.page.get_by_role("textbox", name="SEARCH").fill("Trust Notebook")
        await self.page.keyboard.press("Enter")
        await self.confirm("Confirm Trusting this notebook")

    async def is_trusted(self) -> bool:
        """Whether the page takes the notebook for trusted."""
        return await self.page.get_by_title("Notebook trusted").count() > 0


class Desk:
    """A page of JupyterLab or Notebook, on which one notebook lies at a time.

    Loading JupyterLab takes as long as most of what a test does with it, so the next test's notebook is opened in the page that
    the last test has left, by the command that the file browser uses.

    Args:
        page: the browser's page.
        server: what serves it.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self._notebook: Notebook | None = None
        page.set_default_timeout(PATIENCE)
        page.on("websocket", self._listen)
        page.on("dialog", self._answer)

    async def open(self, path: Path) -> Notebook:
        """Open a notebook, and return it when its kernel is there."""
        loaded = self._notebook is not None
        self._notebook = notebook = Notebook(self.page, self.server, path)
        if loaded:
            await self.page.evaluate(_OPEN, path.relative_to(self.server.folder).as_posix())
        else:
            await self.page.goto(self.server.address(path))
        if self.server.kind != "voila":  # it shows no cells, only what they leave
            await notebook._wait_for_first_answer()
            await notebook.wait_for_kernel()
        return notebook

    async def put_away(self) -> bool:
        """Close the notebook without a question, and return whether the page is as good as new."""
        return await self.page.evaluate(_PUT_AWAY) == 0

    def _listen(self, socket: WebSocket) -> None:
        if self._notebook is not None:
            self._notebook.traffic.listen(socket)

    async def _answer(self, dialog: Dialog) -> None:
        if self._notebook is not None:
            await self._notebook._answer(dialog)
