"""The fixtures of the tests of recordings."""

from recordings import _frozen, _no_waiting, _served, _stopped, lesson, sandbox, serve, source  # noqa: F401
