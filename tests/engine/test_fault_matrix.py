"""Every fault on every endpoint, once and for good: the expected outcome, nothing lost, nothing doubled, nothing left."""

from __future__ import annotations

import pytest
from faultmatrix import ENDPOINTS, TABLE, Matrix


@pytest.mark.parametrize("name", TABLE)
async def test_a_fault_on_every_endpoint(client, sandbox, tmp_path, name):
    """A job ends as the table says, and once the service is well again it is known, exactly once, to its end."""
    trials = await Matrix(sandbox, client, tmp_path).row(name)
    assert len(trials) == 2 * len(ENDPOINTS)
    assert [trial for trial in trials if not trial.right] == []
