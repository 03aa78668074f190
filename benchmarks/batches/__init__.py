"""Many jobs against the limits."""
