"""Which kernels a test is about, where it is not about all of them."""

from __future__ import annotations

import pytest
from environments import KERNELS

__all__ = ["on_both_ends", "on_subshells", "on_the_newest", "on_the_oldest"]

OLD, MIDDLE, NEW = KERNELS


def _on(*kernels: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "environ", kernels, indirect=True, scope="session", ids=lambda name: f"ipykernel-{name}"
    )


on_the_oldest = _on(OLD)
on_the_newest = _on(NEW)  # what is tested has nothing to do with ipykernel
on_both_ends = _on(OLD, NEW)  # without subshells and with them
on_subshells = _on(MIDDLE, NEW)
