"""The fixtures of the widgets' tests."""

from widget_fixtures import client, no_widget_stays, sandbox  # noqa: F401
