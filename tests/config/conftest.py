"""The fixtures of the core's tests."""

from core_fixtures import _frozen, _no_waiting, _served, client, nothing_left, sandbox, serve, small  # noqa: F401
