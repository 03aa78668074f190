"""The history's tables, and the steps from each older schema to the next."""

from __future__ import annotations

__all__ = ["STEPS", "VERSION"]

# STEPS[n] leads from version n to n + 1. A step, once released, is never changed.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            intent TEXT NOT NULL UNIQUE,
            base_url TEXT NOT NULL,
            tool TEXT,
            params TEXT,
            digest TEXT,
            words TEXT NOT NULL DEFAULT '',
            stage TEXT NOT NULL,
            reason TEXT,
            process TEXT NOT NULL DEFAULT '',
            begun_at REAL NOT NULL,
            job_id TEXT,
            status TEXT,
            error TEXT,
            output TEXT,
            model TEXT,
            created_at TEXT,
            completed_at TEXT,
            estimated_credits REAL,
            actual_credits REAL,
            UNIQUE (base_url, job_id)
        )""",
        "CREATE INDEX jobs_by_digest ON jobs (digest, base_url, number)",
        "CREATE INDEX jobs_by_stage ON jobs (stage)",
    ),
    (
        "ALTER TABLE jobs ADD COLUMN files TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE jobs ADD COLUMN notebook TEXT",
        "ALTER TABLE jobs ADD COLUMN note TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN star INTEGER NOT NULL DEFAULT 0",
    ),
)
VERSION = len(STEPS)
