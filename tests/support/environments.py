"""Versions of ipykernel, each in a folder that stands before the packages these tests are installed with."""

from __future__ import annotations

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
from packaging.version import Version

__all__ = ["KERNELS", "NEWEST", "Environment", "environment"]

NEWEST = "newest"
# The last of the line without subshells, the last that brings every click on a subshell, and what a user gets today.
KERNELS = ("6.31.0", "7.3.0", NEWEST)

# What one of them needs besides what these tests are installed with; no version has an upper bound for anything.
_REQUIREMENTS = {"6.31.0": ("nest-asyncio",)}


@dataclass(frozen=True, slots=True)
class Environment:
    """A version of ipykernel for the Python that runs these tests, and so for the package that they import.

    Attributes:
        ipykernel: the version.
        folder: where it is installed; ``None`` where it is the one of these tests.
    """

    ipykernel: str
    folder: Path | None

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to import that version."""
        return {} if self.folder is None else {"PYTHONPATH": str(self.folder)}

    def write_kernelspec(self, data_folder: Path) -> str:
        """Make it a kernel that Jupyter finds, and return the kernel's name.

        Args:
            data_folder: what JUPYTER_PATH names.
        """
        name = f"novakit-{self.ipykernel}"
        folder = data_folder / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": self.variables,
        }
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return name


def environment(ipykernel: str) -> Environment:
    """Return the environment with a version of ipykernel; where there is none yet, it is made, once for a machine.

    Args:
        ipykernel: a version, or `NEWEST` for what runs these tests, which was installed without an upper bound.
    """
    if ipykernel == NEWEST:
        newest = metadata.version("ipykernel")
        assert Version(newest) >= Version("7.4"), f"the tests run on ipykernel {newest}, which is not the newest"
        return Environment(newest, None)
    folder = _cache() / f"ipykernel-{ipykernel}-python-{sys.version_info.major}.{sys.version_info.minor}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _make(folder, f"ipykernel=={ipykernel}", *_REQUIREMENTS.get(ipykernel, ()))
    return Environment(ipykernel, folder)


def _cache() -> Path:
    named = os.environ.get("NOVAKIT_TEST_ENVS")
    return Path(named) if named else platformdirs.user_cache_path("novakit_widgets-tests", appauthor=False)


def _make(folder: Path, *requirements: str) -> None:
    if folder.exists():
        shutil.rmtree(folder)  # left behind by a run that was ended in the middle
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    ended = subprocess.run(
        [*pip, "--target", folder, *requirements], capture_output=True, text=True, check=False, timeout=600
    )
    if ended.returncode != 0:
        raise RuntimeError(f"pip can't install {requirements}:\n{ended.stdout}{ended.stderr}")
    (folder / "complete").touch()
