"""What comes from outside, in every form that JSON has."""

from __future__ import annotations

from hypothesis import strategies as st

# What the documentation calls the fields of a job, a result and an error: an odd value hurts only where it is looked for.
JOB_FIELDS = [
    "id",
    "status",
    "progress",
    "tool",
    "inputParams",
    "outputData",
    "errorMessage",
    "error",
    "createdAt",
    "completedAt",
    "model",
    "estimatedCredits",
    "actualCredits",
]
RESULT_FIELDS = (
    "data video audio image images url video_url audio_url text segments duration_seconds width height revised_prompt "
    "prompt input aspect_ratio jobs message quotas plan retryAfter"
)
NAMES = [*JOB_FIELDS, *RESULT_FIELDS.split()]
ADDRESSES = [
    "https://cdn.example/a.mp4",
    "http://cdn.example:1/b",
    "https://[::1/",
    "https://a:b@cdn.example/c.png?d#e",
]


def nested(depth):
    """A value in so many lists and objects."""
    value = "x"
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


_NASTY = (
    *(10**400, -(10**400), 2**63, 1e308, -0.0, 0, -1, "9" * 5_000, "1e999", "nan", "\ud800", "\0", "0:0", "99:1"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "completed", "failed", "video", "image", *ADDRESSES),
    nested(600),
)
# By its number: hypothesis writes its strategies down, and these are long.
NASTY = st.integers(0, len(_NASTY) - 1).map(_NASTY.__getitem__)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | NASTY,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=12,
)
# A result: mostly of the documented shape, so that what it holds is looked at.
RESULTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        name: JSON
        | st.fixed_dictionaries(
            {"url": st.sampled_from(ADDRESSES)}, optional={name: NASTY for name in NAMES if name != "url"}
        )
        for name in ("video", "audio", "image", "data")
    }
    | {"duration_seconds": NASTY, "url": st.sampled_from(ADDRESSES)},
)
