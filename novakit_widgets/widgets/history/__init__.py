"""Past jobs as a table."""
