"""The tree of errors: as drawn, importable, pickled whole, and caught by what people write."""

from __future__ import annotations

import builtins
import pickle
import re

import pytest

import novakit_widgets
from novakit_widgets import errors
from novakit_widgets.model.job import Job

CLASSES = [getattr(errors, name) for name in errors.__all__]


def _drawn():
    """Read the tree in the module's docstring: each class with its parent."""
    parents, tree = {}, {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"^    ((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+Error)\b", line)
        if found is None:
            continue
        branch = "── " in line
        depth = len(found[1]) // 4 + branch
        parents[depth] = found[2]
        tree[found[2]] = parents[depth - 1] if depth else None
    return tree


def test_the_tree_that_is_drawn_is_the_tree_that_is():
    """Every class is drawn once, below its own base."""
    drawn = _drawn()
    assert set(drawn) == set(errors.__all__)
    for name, parent in drawn.items():
        bases = [base.__name__ for base in getattr(errors, name).__bases__]
        assert bases[0] == (parent or "Exception")
        also = re.search(rf"{name}\b.*\(also a (\w+)\)", errors.__doc__)
        assert bases[1:] == ([also[1]] if also else [])


def test_what_is_drawn_beside_a_class_it_carries():
    """The attributes named in the tree are there."""
    assert errors.NovaKitError("m").__dict__.keys() >= {"message", "status_code", "response", "job_id"}
    assert errors.APIError("m").retry_after is None
    assert errors.InvalidParameterError("m").parameter is None
    assert errors.SubmissionUncertainError("m").candidates == ()


def test_all_of_them_are_public_and_sorted():
    """The package exports exactly these, in the order of the alphabet."""
    assert errors.__all__ == sorted(errors.__all__)
    defined = [name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)]
    assert sorted(defined) == errors.__all__
    assert set(errors.__all__) <= set(novakit_widgets.__all__)
    assert novakit_widgets.__all__ == sorted(novakit_widgets.__all__)
    assert set(novakit_widgets.__all__) <= set(dir(novakit_widgets))
    for name in novakit_widgets.__all__:
        assert getattr(novakit_widgets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = novakit_widgets.nothing


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_has_a_message_and_survives_a_pickle(kind):
    """An error can go to another process and be read there."""
    error = kind("What happened.")
    error.job_id = "job_1"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.message, again.job_id) == ("What happened.", "What happened.", "job_1")
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        (errors.NovaKitConnectionError, builtins.ConnectionError),
        (errors.JobTimeoutError, builtins.TimeoutError),
        (errors.ConfigurationError, builtins.ValueError),
    ],
)
def test_who_knows_only_python_catches_them_too(kind, usual):
    """They are also what Python calls such a thing."""
    with pytest.raises(usual):
        raise kind("x")


def test_a_job_error_knows_its_job():
    """The id comes from the job where there is one."""
    job = Job("job_1", "failed")
    assert errors.JobFailedError("x", job=job).job_id == "job_1"
    assert errors.JobFailedError("x", job_id="job_2").job_id == "job_2"
    assert errors.JobFailedError("x", job_id="job_2").job is None
