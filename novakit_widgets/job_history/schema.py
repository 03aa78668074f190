"""The history's tables, and the steps from each older schema to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["STEPS", "VERSION", "columns_of"]

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
    (
        """CREATE TABLE batches (
            id TEXT PRIMARY KEY,
            base_url TEXT NOT NULL,
            process TEXT NOT NULL,
            made_at REAL NOT NULL,
            seen_at REAL NOT NULL,
            max_running INTEGER NOT NULL,
            timeout REAL,
            notebook TEXT,
            about TEXT NOT NULL DEFAULT '{}',
            closed INTEGER NOT NULL DEFAULT 0
        )""",
        """CREATE TABLE batch_items (
            batch TEXT NOT NULL,
            place INTEGER NOT NULL,
            tool TEXT NOT NULL,
            params TEXT,
            job_id TEXT,
            dropped INTEGER NOT NULL DEFAULT 0,
            after INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (batch, place)
        ) WITHOUT ROWID""",
        "ALTER TABLE jobs ADD COLUMN answered_at REAL",
        "ALTER TABLE jobs ADD COLUMN batch TEXT",
        "ALTER TABLE jobs ADD COLUMN place INTEGER",
        "CREATE INDEX jobs_by_batch ON jobs (batch, place, number) WHERE batch IS NOT NULL",
    ),
    (
        "ALTER TABLE jobs ADD COLUMN account TEXT",
        "CREATE INDEX jobs_by_time ON jobs (begun_at, number)",
        "DROP INDEX jobs_by_digest",
        "CREATE INDEX jobs_by_digest ON jobs (digest, base_url, begun_at, number)",
    ),
)
VERSION = len(STEPS)


def columns_of(database: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the columns that each of our tables has in a database."""
    query = "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
    found: dict[str, set[str]] = {}
    for table, column in database.execute(query):
        if not table.startswith("sqlite_"):
            found.setdefault(table, set()).add(column)
    return found
