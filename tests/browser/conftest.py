"""One browser and one server of each kind for all of these tests; a context, a folder and kernels for each of them."""

from __future__ import annotations

import os

import pytest
import pytest_asyncio
from browsers import HOW_TO_GET_ONE, chromium, launch, launch_with_profile
from environments import KERNELS, environment
from page import Desk, Notebook, write_notebook
from playwright.async_api import async_playwright
from servers import end_sessions, serving

from novakit_widgets import Sandbox

SPEED = 10.0  # a job that takes 20 seconds by its own clock takes two
_WIDTH = 1000  # of a page, in pixels
_REMEMBERED = "cookies,local_storage,indexeddb"  # what a page can leave for the next, but for its programs
_FAILED = pytest.StashKey[bool]()
_ON_ITS_WAY = """
window.ran = [];
window.alert = window.confirm = window.prompt = (text) => { window.ran.push(String(text)); };
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def driver():
    """Playwright, and a browser's path; without one the tests are skipped, which continuous integration does not let pass."""
    async with async_playwright() as playwright:
        path = chromium(playwright)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_ONE)
        yield playwright, path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(driver):
    """The browser, for contexts that know nothing of each other."""
    running = await launch(*driver)
    yield running
    await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def profile(driver, tmp_path_factory):
    """A context that keeps what it has loaded, as everybody's browser does: it reads JupyterLab's programs once, not each time."""
    context = await launch_with_profile(*driver, tmp_path_factory.mktemp("profile"), viewport=_view(_WIDTH))
    await context.add_init_script(_ON_ITS_WAY)
    yield context
    await context.close()


@pytest.fixture(scope="session")
def lab(driver, tmp_path_factory):
    """JupyterLab."""
    with serving("lab", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(driver, tmp_path_factory):
    """Notebook 7."""
    with serving("notebook", tmp_path_factory.mktemp("notebook")) as server:
        yield server


@pytest.fixture(scope="session")
def voila(driver, tmp_path_factory):
    """Voila."""
    with serving("voila", tmp_path_factory.mktemp("voila")) as server:
        yield server


@pytest.fixture(scope="session")
def _sandbox():
    durations = dict.fromkeys(("video", "music", "image", "image_edit", "tts", "stt"), 5)
    with Sandbox(speed=SPEED, seed=1, limits="off", quotas="off", durations=durations) as running:
        yield running


@pytest.fixture
def sandbox(_sandbox):
    """A sandbox that outlives every kernel; its jobs take half a second unless a test says otherwise."""
    yield _sandbox
    _sandbox.clear_faults()
    _sandbox._pace.next_seconds.clear()
    _sandbox.finish()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let fixtures know whether their test has failed."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest_asyncio.fixture(loop_scope="session")
async def context_of(browser, request, tmp_path):
    """Make contexts of the browser; they end with the test, and one that failed leaves pictures of its pages."""
    contexts = []

    async def make(*, width=_WIDTH, dark=False, offline=False):
        context = await browser.new_context(viewport=_view(width), color_scheme="dark" if dark else "light")
        await context.add_init_script(_ON_ITS_WAY)
        if offline:
            # A page from the disk asks for scripts of the world outside.
            await context.route("http*://**", lambda route: route.abort())
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        await _keep_pictures(context.pages, request.node, tmp_path)
        await context.close()


def _view(width):
    return {"width": width, "height": 1400}


async def _keep_pictures(pages, node, folder):
    """Leave pictures of the pages of a test that has failed."""
    for number, page in enumerate(pages if node.stash.get(_FAILED, False) else ()):
        picture = folder / f"page-{number}.png"
        await page.screenshot(path=picture)
        node.add_report_section("teardown", "page", f"{page.url} looked like {picture}")


@pytest.fixture(scope="session")
def _desks():
    """The page that the last test has left in good order, if there is one."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def open_notebook(_desks, profile, lab, sandbox, request, tmp_path):
    """Write a notebook that uses the sandbox and open it; its kernels end with the test.

    One of JupyterLab is opened in the page that the last test has left, unless that one has closed it, or failed in it.
    """
    used = set()

    async def make(*cells, server=lab, kernel="python3", width=_WIDTH, dark=False) -> Notebook:
        first = f"import asyncio, ipywidgets, novakit_widgets as nk; nk.use_sandbox(url={sandbox.origin!r})"
        folder = server.folder / request.node.name.translate(str.maketrans("[]-.", "____"))
        path = write_notebook(folder / "notebook.ipynb", [first, *cells], kernel=kernel)
        if server.kind != "voila":  # it ends a page's kernel itself
            used.add(server)
        if server is not lab:
            return await Notebook.open(profile, server, path)
        if not _desks:
            _desks.append(Desk(await profile.new_page(), lab))
        (desk,) = _desks
        await desk.page.set_viewport_size(_view(width))
        await desk.page.emulate_media(color_scheme="dark" if dark else "light")
        return await desk.open(path)

    yield make
    failed = request.node.stash.get(_FAILED, True)
    for page in profile.pages[1:]:  # without any page the browser would end
        if failed:
            await _keep_pictures([page], request.node, tmp_path)
        elif any([desk.page is page and await desk.put_away() for desk in _desks]):
            continue
        await page.close()
    _desks[:] = [desk for desk in _desks if not desk.page.is_closed()]
    for server in used:
        end_sessions(server)
    if not _desks:
        await _forget(profile, {lab.origin, *(server.origin for server in used)})


async def _forget(context, origins):
    """Leave nothing of what pages have stored but their programs."""
    memory = await context.new_cdp_session(context.pages[0])
    for origin in origins:
        await memory.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": _REMEMBERED})
    await memory.detach()


@pytest.fixture(params=KERNELS, ids=lambda name: f"ipykernel-{name}")
def kernel(request, lab):
    """The name of a kernel of each generation, for JupyterLab."""
    return environment(request.param).write_kernelspec(lab.kernels)
