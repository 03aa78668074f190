"""Recordings of jobs: keep them in one file, and replay them without key, network or cost."""
