"""Which kernels a test runs on.

Without a mark it runs on each generation of ipykernel. That is for what differs between them: the thread on which a click comes,
what an interrupt ends, and which cells of "Run All" run while one waits.
"""

from __future__ import annotations

import pytest
from environments import KERNELS

__all__ = ["OTHERS", "first_on_the_newest", "on_both_ends", "on_subshells", "on_the_newest", "on_the_oldest"]

OLD, MIDDLE, NEW = KERNELS
# The kernels besides the newest, for what is the same on all of them: left out unless `-m thorough` asks for it.
OTHERS = (pytest.param(OLD, marks=pytest.mark.thorough), pytest.param(MIDDLE, marks=pytest.mark.thorough))


def _on(*kernels: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "environ", kernels, indirect=True, scope="session", ids=lambda name: f"ipykernel-{name}"
    )


on_the_oldest = _on(OLD)
on_the_newest = _on(NEW)  # what is tested has nothing to do with ipykernel
on_both_ends = _on(OLD, NEW)  # without subshells and with them
on_subshells = _on(MIDDLE, NEW)
first_on_the_newest = _on(*OTHERS, NEW)
