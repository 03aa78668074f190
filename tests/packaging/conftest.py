"""What the tests of the package as a whole share."""

import pytest

import novakit_widgets


@pytest.fixture(scope="session")
def package():
    """The package."""
    return novakit_widgets
