"""Past jobs."""
