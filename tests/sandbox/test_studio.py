"""What the sandbox's pictures show: what the prompt names, at the time of day that it names, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from novakit_widgets.sandbox.studio.palettes import look_of
from novakit_widgets.sandbox.studio.scene import Scene
from novakit_widgets.sandbox.studio.seeds import generator
from novakit_widgets.sandbox.studio.subjects import subjects_of

WIDTH, HEIGHT = 192, 108
# fmt: off
NAMED = (
    "cat", "dog", "fox", "rabbit", "horse", "elephant", "owl", "bird", "penguin", "butterfly", "fish", "whale",
    "turtle", "camel", "dragon", "robot", "woman", "lighthouse", "castle", "windmill", "house", "bridge", "sailboat",
    "ship", "car", "bus", "train", "bicycle", "plane", "rocket", "balloon", "planet", "umbrella", "flower", "mushroom",
    "cactus", "tree", "snowman", "coffee", "apple", "cake", "guitar", "book", "clock", "heart",
)
# fmt: on


def subjects(prompt, seed=None):
    return subjects_of(prompt, generator(prompt, seed))


def drawn(prompt, seed=None, *, bare=False):
    """Return a picture; without what it names in it where that is to be left out."""
    rng = generator(prompt, seed)
    look, named = look_of(prompt, rng), subjects_of(prompt, rng)
    return Scene(look, WIDTH, HEIGHT, rng, subjects=() if bare else named).frame(2.0, 5.0)


@pytest.mark.parametrize("word", NAMED)
def test_what_is_named_is_drawn(word):
    """Alone or in a sentence, in the singular and the plural, and always as the same thing."""
    (one,) = subjects(word)
    for prompt in (f"A {word}", f"Slow zoom on the {word}, golden hour", f"{word.upper()}S everywhere"):
        (other,) = subjects(prompt)
        assert other._shapes == one._shapes
    pixels = one.drawn(64)
    assert pixels.shape == (64, 64, 4)
    assert 0.08 < (pixels[..., 3] > 128).mean() < 0.95


def test_no_two_subjects_look_alike():
    """A cat is no dog."""
    assert len({subjects(word)[0]._shapes for word in NAMED}) == len(NAMED)


@pytest.mark.parametrize("prompt", ["A catalogue", "Cargo cults", "The bookkeeper's dogma", "Foxtrot", "", "Freedom"])
def test_what_is_not_named_is_not_drawn(prompt):
    """A word that only contains another one names nothing; the picture has no thing and no land in it."""
    assert subjects(prompt) == ()
    rng = generator(prompt)
    assert Scene(look_of(prompt, rng), WIDTH, HEIGHT, rng).abstract


def test_two_things_and_several_of_one():
    """The first two things of a sentence, or as many of one as it says."""
    robot, guitar = subjects("A robot playing the guitar")
    assert (robot._shapes, guitar._shapes) == (subjects("robot")[0]._shapes, subjects("guitar")[0]._shapes)
    assert len(subjects("Two dogs in the snow")) == 2
    assert len(subjects("three boats")) == 3
    assert len(subjects("Four boats in a harbour")) == 4
    assert len(subjects("cat, dog, fox, owl and horse")) == 2


@pytest.mark.parametrize(("prompt", "colour"), [("A red boat", (206, 66, 60)), ("the black cat", (44, 42, 56))])
def test_a_colour_that_is_said(prompt, colour):
    """The thing has it, with every seed."""
    assert {subjects(prompt, seed)[0]._main for seed in range(8)} == {colour}


def test_another_seed_varies_the_same_subject():
    """It is the same thing in other colours or another place; the same seed draws the same picture."""
    assert np.array_equal(drawn("A boat", 1), drawn("A boat", 1))
    assert len({subjects("A boat", seed)[0]._shapes for seed in range(6)}) == 1
    assert len({drawn("A boat", seed).tobytes() for seed in range(6)}) == 6


@pytest.mark.parametrize(
    "prompt",
    [
        "A night sky",
        "A lake at night",
        "A fox in the forest at night",
        "Tokyo at night",
        "Snow by moonlight",
        "A dark desert",
    ],
)
def test_night_is_night(prompt):
    """Wherever it is, it is much darker than by day."""
    night = drawn(prompt, bare=True).mean()
    day = drawn(prompt.replace("night", "noon").replace("moonlight", "day").replace("dark", "sunny"), bare=True).mean()
    assert night < 0.6 * day


def test_the_subject_is_in_the_picture():
    """It covers a fair part of it, and it is not where the prompt is written."""
    changed = (drawn("A cat on the beach") != drawn("A cat on the beach", bare=True)).any(axis=2)
    assert 0.03 < changed.mean() < 0.5
    assert not changed[int(HEIGHT * 0.86) :].any()
