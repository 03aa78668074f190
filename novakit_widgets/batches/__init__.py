"""Many jobs: a queue that fits the limits."""
