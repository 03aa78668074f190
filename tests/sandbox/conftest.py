"""The fixtures of the sandbox's tests."""

from sandbox_fixtures import api, client_of, finish, serve, shared, small  # noqa: F401
