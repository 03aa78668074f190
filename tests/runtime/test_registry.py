"""One registry for what this process has for each account."""

from __future__ import annotations

from novakit_widgets.runtime.registry import forget_all, of_account, replace


def test_of_account_makes_one_thing_for_each_account_and_kind():
    """Neither another account's nor another kind's is returned, and all are forgotten at once."""
    one = of_account("one", list, list)
    assert of_account("one", list, list) is one
    assert of_account("two", list, list) is not one
    assert of_account("one", dict, dict) is not one
    forget_all()
    assert of_account("one", list, list) is not one


def test_of_account_makes_anew_what_no_longer_fits():
    """What was made for other settings is replaced."""
    assert of_account("one", "speed", lambda: 1) == 1
    assert of_account("one", "speed", lambda: 2, still_fits=lambda speed: speed == 1) == 1
    assert of_account("one", "speed", lambda: 2, still_fits=lambda speed: speed == 2) == 2


def test_of_account_asks_for_another_while_it_makes_one():
    """One thing may need another of the same account."""
    assert of_account("one", "outer", lambda: [of_account("one", "inner", lambda: 1)]) == [1]


def test_replace_returns_the_one_before():
    """Its owner can end it."""
    assert replace("one", "shown", "first") is None
    assert replace("one", "shown", "second") == "first"
    assert of_account("one", "shown", lambda: "third") == "second"
