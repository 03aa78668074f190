"""Import helpers of the tests, for benchmarks that repeat a test more often."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["load"]

_TESTS = Path(__file__).parent.parent / "tests"


def load(name: str) -> ModuleType:
    """Import a module of the tests by its path.

    Args:
        name: such as ``"support/killing"``.

    Raises:
        FileNotFoundError: this is no checkout, so there are no tests.
    """
    path = _TESTS / f"{name}.py"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: this benchmark runs in a checkout.")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # for what it imports from beside itself
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
