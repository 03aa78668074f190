"""Many jobs as one board."""
