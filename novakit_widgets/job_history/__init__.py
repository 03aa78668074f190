"""The jobs on disk, in SQLite."""
