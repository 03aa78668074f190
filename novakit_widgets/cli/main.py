"""``novakit-widgets``: the demo, with and without a browser, the sandbox, and recordings."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from . import demo

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["main"]

# What the extras install, by import name.
_FOR_SANDBOX = ("av", "numpy", "PIL", "starlette", "uvicorn")
_FOR_PAGE = (*_FOR_SANDBOX, "ipykernel", "jupyterlab")
_FOR_HEADLESS = (*_FOR_SANDBOX, "ipykernel", "nbclient", "nbconvert")
_FOR_RECORDING = ("ipykernel", "nbclient", "nbformat")
_INTERRUPTED = 130  # what a shell expects after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The arguments after the command's name; ``None`` for this process's.

    Returns:
        The exit status: 0 for success, 1 for failure, 2 for arguments that are not valid, and 130 when Ctrl-C ended a headless
        run.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["sandbox"]:
            return _sandbox(given[1:])
        chosen = _parser().parse_args(given)
        run: Callable[[argparse.Namespace], int] = chosen.run
        return run(chosen)
    except (demo.DemoError, OSError) as problem:
        print(f"novakit-widgets: {problem}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="novakit-widgets",
        description="NovaKit jobs in a notebook: try it without a key, and record what jobs did.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    # It parses its own arguments; this entry is for the help only.
    commands.add_parser(
        "sandbox", add_help=False, help="a local NovaKit, as a process; see: novakit-widgets sandbox --help"
    )
    show = commands.add_parser(
        "demo",
        help="the quick start in JupyterLab, with a sandbox of its own",
        description="Open a fresh copy of the quick start in JupyterLab, with a sandbox of its own. Ctrl-C ends both.",
    )
    show.add_argument(
        "--headless", action="store_true", help="execute the notebook here instead, and report on every job"
    )
    show.add_argument("--folder", type=Path, default=Path("novakit-demo"), help="where the copy goes (./%(default)s)")
    show.add_argument("--port", type=_port, help="JupyterLab's (the first free one from 8888 on)")
    show.add_argument("--no-browser", action="store_true", help="print JupyterLab's address instead of opening it")
    show.add_argument(
        "--speed", type=_speed, default=12.0, help="how fast the sandbox's clock runs; at 12 a video takes 2.5 to 10 s"
    )
    show.set_defaults(run=_demo)
    _add_recordings(commands)
    return parser


def _add_recordings(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    recording = commands.add_parser(
        "record",
        help="execute a notebook, and record its jobs in a file for nk.replay()",
        description="Execute a notebook with its own settings, and record its jobs. With a key of yours they are billed.",
    )
    recording.add_argument("notebook", type=Path, help="it is executed in its folder, and not changed")
    recording.add_argument("-o", "--output", type=Path, help="the recording (the notebook's name with .novakit)")
    recording.set_defaults(run=_record)
    lesson = commands.add_parser("lesson", help="list what a recording has, with sizes")
    actions = lesson.add_subparsers(required=True, metavar="action")
    shown = actions.add_parser("show", help="list what a recording has, with sizes")
    shown.add_argument("file", type=Path, help="such as lesson.novakit")
    shown.set_defaults(run=_show)


def _demo(chosen: argparse.Namespace) -> int:
    return _headless(chosen) if chosen.headless else _page(chosen)


def _record(chosen: argparse.Namespace) -> int:
    _need(_FOR_RECORDING)
    from . import lesson

    target = chosen.output or chosen.notebook.with_suffix(".novakit")
    with demo.interrupted_by_signals():
        try:
            problems = lesson.execute_and_record(chosen.notebook, target)
        except KeyboardInterrupt:
            print("\nInterrupted. The kernel has ended; its jobs may go on at the service.", file=sys.stderr)
            return _INTERRUPTED
    if target.exists():
        print(lesson.show(target))
    for problem in problems:
        print(f"novakit-widgets: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _show(chosen: argparse.Namespace) -> int:
    from . import lesson

    print(lesson.show(chosen.file))
    return 0


def _page(chosen: argparse.Namespace) -> int:
    _need(_FOR_PAGE)
    folder = demo.make_folder(chosen.folder)
    notebook = demo.fresh_copy(demo.quickstart(), folder)
    server: subprocess.Popen[str] | None = None
    with demo.interrupted_by_signals():
        try:
            with (
                demo.sandbox(folder, speed=chosen.speed) as link,
                demo.jupyterlab(notebook, link, port=chosen.port, browser=not chosen.no_browser) as server,
            ):
                print(
                    _welcome(link, chosen.speed), f"The notebook is {notebook}. Ctrl-C ends both.", sep="\n", flush=True
                )
                server.wait()
        except KeyboardInterrupt:
            print(f"\nJupyterLab and the sandbox have ended. Your notebook is {notebook}.")
            return 0
    assert server is not None  # for the type checker
    return 1 if server.returncode else 0


def _headless(chosen: argparse.Namespace) -> int:
    _need(_FOR_HEADLESS)
    from . import headless

    folder = demo.make_folder(chosen.folder)
    with demo.interrupted_by_signals():
        try:
            with demo.sandbox(folder, speed=chosen.speed) as link:
                print(_welcome(link, chosen.speed), "Executing the notebook …", sep="\n", flush=True)
                report = headless.run(demo.quickstart(), folder, link)
        except KeyboardInterrupt:
            print("\nInterrupted. The kernel and the sandbox have ended.", file=sys.stderr)
            return _INTERRUPTED
    print(report)
    return 1 if report.problems else 0


def _sandbox(arguments: Sequence[str]) -> int:
    _need(_FOR_SANDBOX, extra="sandbox")
    from ..sandbox.__main__ import main as serve

    return serve(arguments)


def _welcome(link: demo.Link, speed: float) -> str:
    return f"NovaKit sandbox at {link.origin}, {speed:g} times as fast as the service. Nothing is billed."


def _need(modules: Iterable[str], *, extra: str = "demo") -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise demo.DemoError(
            f"this needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            f'pip install "novakit_widgets[{extra}]"'
        )


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        raise argparse.ArgumentTypeError("a port is 1 to 65535")
    return port


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("a speed is a number above 0")
    return speed
