"""The cell magic's line: what it means, what it refuses, and how it goes on."""

from __future__ import annotations

import json
import shlex

import pytest
from core_fixtures import _no_waiting, _served, client, nothing_left, sandbox, serve, small  # noqa: F401
from hypothesis import assume, given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from novakit_widgets.model.parameters import PARAMETERS
from novakit_widgets.model.tools import Tool
from novakit_widgets.notebook.magic import complete
from novakit_widgets.notebook.magic_line import parse
from novakit_widgets.widgets.common.code import main_parameter

SETTABLE = [
    (tool, parameter)
    for tool, table in PARAMETERS.items()
    for parameter in table.values()
    if parameter.name != main_parameter(tool)
]


def value_of(parameter):
    """Return some value of the right kind, and how the line says it."""
    if parameter.choices and parameter.kind is not list:
        return parameter.choices[-1], str(parameter.choices[-1])
    return {
        str: ("a word", "a word"),
        int: (7, "7"),
        float: (2.5, "2.5"),
        dict: ({"a": [1, "b"]}, '{"a": [1, "b"]}'),
        list: (["segment", "word"], "segment,word"),
    }[parameter.kind]


@pytest.mark.parametrize(("tool", "parameter"), SETTABLE, ids=lambda one: getattr(one, "name", None) or str(one))
def test_parse_has_option_for_each_parameter(tool, parameter):
    """As ``--name value`` and as ``name=value``, with the type that the service wants, and nothing else is sent."""
    option = "--" + parameter.name.replace("_", "-")
    if parameter.kind is bool:
        lines = {f"{option}": True, f"--no-{option[2:]}": False, f"{parameter.name}=false": False}
    else:
        value, text = value_of(parameter)
        lines = {f"{option} {shlex.quote(text)}": value, f"{parameter.name}={shlex.quote(text)}": value}
    for line, value in lines.items():
        _, params, ours = parse(f"{tool} {line}", "A sunset")
        assert params == {main_parameter(tool): "A sunset", parameter.name: value}
        assert type(params[parameter.name]) is type(value)
        assert ours == {}


@given(st.text(), st.text())
def test_parse_sends_or_refuses_any_line(line, cell):
    """There is no other end, whatever stands on the line, and the cell is never changed but at its ends."""
    problem = ""
    try:
        tool, params, _ = parse(f"video {line}", cell)
    except UsageError as error:
        problem = str(error)
    if problem:
        assert problem.endswith((".", "options."))
        return
    assert tool is Tool.VIDEO
    if cell.strip() and "prompt=" not in line:
        assert params["prompt"] == cell.strip()


@given(st.dictionaries(st.from_regex(r"x_[a-z]{1,8}", fullmatch=True), st.integers() | st.text() | st.booleans()))
def test_parse_sends_unknown_parameters_unchanged(others):
    """What JSON says is that; all else is text."""
    said = {name: value if not isinstance(value, str) else f"'{value}" for name, value in others.items()}
    line = " ".join(
        shlex.quote(f"{name}={value if isinstance(value, str) else json.dumps(value)}") for name, value in said.items()
    )
    assert parse(f"image {line}", "A boat")[1] == {"prompt": "A boat", **said}


def test_parse_separates_own_options():
    """And a line without a cell ends in the prompt."""
    tool, params, ours = parse("speech --as voice --wait --timeout 9 --embed link --no-reuse --voice echo Good morning")
    assert (tool, params) == (Tool.TTS, {"input": "Good morning", "voice": "echo"})
    assert ours == {"as": "voice", "wait": True, "timeout": 9.0, "embed": "link", "reuse": False}


@pytest.mark.parametrize(
    ("line", "prompt", "others"),
    [
        ("A chalkboard that says E=mc2", "A chalkboard that says E=mc2", {}),
        ("A sailor's dog", "A sailor's dog", {}),
        ("seed=7 A sailor's dog", "A sailor's dog", {"seed": 7}),
        (
            '--size 512x512 seed=7   two  spaces \\ and "quotes" ',
            'two  spaces \\ and "quotes"',
            {"size": "512x512", "seed": 7},
        ),
        ("--negative-prompt 'blurred, dark' A boat", "A boat", {"negative_prompt": "blurred, dark"}),
        ("--seed=7 A boat", "A boat", {"seed": 7}),
        ("-- a=b", "a=b", {}),
        ("'A red boat'", "A red boat", {}),
        ('"A red boat" and "a mill"', '"A red boat" and "a mill"', {}),
        ("x=1", None, {"x": 1}),
        ("prompt=hello", "hello", {}),
    ],
)
def test_line_prompt_is_sent_unchanged(line, prompt, others):
    """No part of it is parsed as a parameter or as shell quoting."""
    _, params, _ = parse(f"image {line}")
    assert params == ({"prompt": prompt} if prompt else {}) | others


@given(
    st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), st.text(st.characters(exclude_categories=["C"]))
)
def test_line_prompt_after_dashes_is_sent_unchanged(first, others):
    """After ``--``, any words are the prompt."""
    prompt = f"a{first} {others}".strip()
    assume(not any(word.startswith("-") for word in prompt.split()))
    assert parse(f"image --seed 7 -- {prompt}")[1] == {"prompt": prompt, "seed": 7}


@pytest.mark.parametrize(
    ("line", "cell", "told"),
    [
        ("image prompt=hello", "The cell", "prompt is set twice: as prompt=… and as the cell"),
        ("tts input=hello Good morning", None, "input is set twice"),
        ("image A boat --seed 7", None, "'--seed' comes after the beginning of the prompt"),
        ("image --sise 512x512 A boat", None, "did you mean --size[?]"),
        ("image --seed", None, "expected one argument"),
    ],
)
def test_option_that_would_change_the_prompt_is_refused(line, cell, told):
    """Before anything is billed."""
    with pytest.raises(UsageError, match=told):
        parse(line, cell)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("image --seed 7 seed=8 A cat", "seed is set twice"),
        ("image --seed 7 --seed 8 A cat", "--seed is set twice"),
        ("image seed=7 seed=8 A cat", "seed is set twice"),
        ("video --loop --no-loop A cat", "use either --loop or --no-loop, once"),
        ("video --loop loop=false A cat", "loop is set twice"),
        ("image --as x --as y A cat", "--as is set twice"),
        ("image as=x A cat", "Write --as[.]"),
        ("image timeout=5 A cat", "Write --timeout[.]"),
        ("image loras=[1, 2] A cat", "without spaces, or in quotes"),
        ("image loras={a A cat", "is not valid JSON"),
        ("video --loop true A cat", "Write --loop or --no-loop alone"),
        ("video --no-loop False A cat", "Write --loop or --no-loop alone"),
        ("image --wait true A cat", "Write --wait alone"),
        ("image -seed 7 A cat", "--seed"),
        ("image \N{EM DASH}seed 7 A cat", "unknown option"),
        ("video aspect-ratio=1:1 A cat", "unknown option"),
    ],
)
def test_line_with_mistake_is_refused(line, told):
    """Otherwise a wrong prompt, one of two seeds, or half a list would be billed."""
    head, _, cell = line.partition(" A cat")
    for slip in ((line, None), (head, f"A cat{cell}")):
        with pytest.raises(UsageError, match=told) as refused:
            parse(*slip)
        assert "Nothing was sent or billed" in str(refused.value)


def test_line_prompt_that_looks_like_an_option_is_sent_after_dashes():
    """A list without spaces, or in quotes, is a value."""
    assert parse("video --loop -- True love")[1] == {"loop": True, "prompt": "True love"}
    assert parse("video -- -seed of a fig")[1] == {"prompt": "-seed of a fig"}
    assert parse("video - loop of wire")[1] == {"prompt": "- loop of wire"}
    assert parse("video loop of wire")[1] == {"prompt": "loop of wire"}
    assert parse("image loras=[1,2] A cat")[1] == {"loras": [1, 2], "prompt": "A cat"}
    assert parse("image 'loras=[1, 2]' A cat")[1] == {"loras": [1, 2], "prompt": "A cat"}
    assert parse("image negative_prompt=[blurry] A cat")[1] == {"negative_prompt": "[blurry]", "prompt": "A cat"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", r"Name a tool: .* edit_image \(image_edit\), speech \(tts\), transcribe \(stt\)"),
        ("--seed 7", "Name a tool"),
        ("vidio", r"NovaKit has no tool 'vidio'\. .* speech \(tts\)"),
        ("video --seed many", "must be a whole number, got 'many'"),
        ("video --sede 7", "unknown option '--sede': did you mean --seed[?] Nothing was sent"),
        ("image --sise=512x512", "did you mean --size[?]"),
        ("video --duration_seconds 5", "did you mean --duration-seconds[?]"),
        ("video --sparkle", "unknown option '--sparkle'[.] Nothing was sent"),
        ("video duration_second=5", "did you mean 'duration_seconds'"),
        ("video fast", "the prompt is the cell"),
        ("video 'open", "No closing quotation"),
        ("video --embed nowhere", "embed"),
        ("stt model_inputs={", "must be a JSON object"),
    ],
)
def test_line_that_is_not_valid_is_refused(line, told):
    """One line tells the reason."""
    with pytest.raises(UsageError, match=told):
        parse(line, "A sunset")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%%novakit ", ["video", "music", "image", "image_edit", "tts", "stt", "edit_image", "speech", "transcribe"]),
        ("%novakit mu", ["music"]),
        ("%%novakit video --res", ["--resolution"]),
        ("%%novakit video --resolution ", ["720p", "1080p", "4k"]),
        ("%%novakit video resolution=4", ["resolution=4k"]),
        ("%%novakit video --no-l", ["--no-loop"]),
        ("%%novakit video --embed f", ["file"]),
        ("%%novakit video --tim", ["--timeout"]),
        ("%%novakit nothing --tim", []),
        ("print('%%novakit ", []),
        ("novakit ", []),
    ],
)
def test_complete_returns_tools_options_and_values(text, found):
    """Lines without the magic have no completions."""
    assert complete(text) == found
