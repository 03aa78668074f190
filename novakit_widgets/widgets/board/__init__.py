"""Many jobs as a board."""
