"""Python environments with one version of ipykernel each, made once for a machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs
from filelock import FileLock
from packaging.requirements import Requirement
from packaging.version import Version

import novakit_widgets

__all__ = ["KERNELS", "NEWEST", "Environment", "environment"]

NEWEST = "newest"
# The last of the line without subshells, the last that brings every click on a subshell, and what a user gets today.
KERNELS = ("6.31.0", "7.3.0", NEWEST)

_PACKAGE = "novakit_widgets"
_EXTRA = "sandbox"
_FOR_NOTEBOOKS = ("matplotlib",)  # the extra ``demo`` brings it, with much that a kernel does not need
# The environments are kept, and checkouts come and go: which one is tested is said when a kernel starts.
_VARIABLE = "NOVAKIT_TEST_PACKAGE"
_PATH_LINE = f"import os, sys; sys.path.extend(filter(None, [os.environ.get({_VARIABLE!r})]))\n"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python that has ipykernel and finds the package that is being tested.

    Attributes:
        python: its interpreter.
        ipykernel: the version it has.
    """

    python: Path
    ipykernel: str

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to import the same package as these tests do."""
        return {_VARIABLE: str(Path(novakit_widgets.__file__).parent.parent)}

    def write_kernelspec(self, data_folder: Path) -> str:
        """Make it a kernel that Jupyter finds, and return the kernel's name.

        Args:
            data_folder: what JUPYTER_PATH names.
        """
        name = f"novakit-{self.ipykernel}"
        folder = data_folder / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": self.variables,
        }
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return name


def environment(ipykernel: str) -> Environment:
    """Return the environment with a version of ipykernel; where there is none yet, it is made.

    Args:
        ipykernel: a version, or `NEWEST` for what runs these tests, which was installed without an upper bound.
    """
    if ipykernel == NEWEST:
        newest = metadata.version("ipykernel")
        assert Version(newest) >= Version("7.4"), f"the tests run on ipykernel {newest}, which is not the newest"
        return Environment(Path(sys.executable), newest)
    requirements = [f"ipykernel=={ipykernel}", *_of_the_package(), *_FOR_NOTEBOOKS]
    folder = _cache() / f"ipykernel-{ipykernel}-{_digest(requirements)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _make(folder, requirements)
    return Environment(_python(folder), ipykernel)


def _of_the_package() -> list[str]:
    """Return what the package needs to run with its sandbox, from its own metadata."""
    wanted = []
    for line in metadata.requires(_PACKAGE) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": _EXTRA}):
            requirement.marker = None
            wanted.append(str(requirement))
    return sorted(wanted)


def _cache() -> Path:
    named = os.environ.get("NOVAKIT_TEST_ENVS")
    return Path(named) if named else platformdirs.user_cache_path("novakit_widgets-tests", appauthor=False)


def _digest(requirements: list[str]) -> str:
    facts = [*requirements, sys.version, sys.base_prefix, _PATH_LINE]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _make(folder: Path, requirements: list[str]) -> None:
    if folder.exists():
        shutil.rmtree(folder)  # left behind by a run that was ended in the middle
    _call(sys.executable, "-m", "venv", folder)
    python = _python(folder)
    _call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    site_packages = _call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site_packages, "novakit_under_test.pth").write_text(_PATH_LINE, encoding="utf-8")
    (folder / "complete").touch()


def _call(*command: str | Path) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout
