"""The tables, and how each version of them is made from the one before."""

import sqlite3
from collections.abc import Iterator

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE heads (
        key TEXT PRIMARY KEY,
        etag INTEGER NOT NULL,
        due_at INTEGER,
        live INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX heads_due ON heads (due_at, key) WHERE due_at IS NOT NULL;
    CREATE INDEX heads_live ON heads (live, key);

    CREATE TABLE history (
        key TEXT NOT NULL,
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, number)
    ) WITHOUT ROWID;

    CREATE TABLE rollouts (
        key TEXT NOT NULL,
        id TEXT NOT NULL,
        ended_at INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, id)
    );
    CREATE INDEX rollouts_ended ON rollouts (ended_at);

    CREATE TABLE messages (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        not_before INTEGER,
        due_at INTEGER NOT NULL,
        deliveries INTEGER NOT NULL DEFAULT 0,
        lent_until INTEGER
    );
    CREATE INDEX messages_due ON messages (queue, due_at, sequence);
    CREATE INDEX messages_lent ON messages (queue, lent_until) WHERE lent_until IS NOT NULL;
    CREATE INDEX sessions_lent ON messages (queue, session) WHERE lent_until IS NOT NULL;

    CREATE TABLE sent (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (queue, id)
    ) WITHOUT ROWID;
    CREATE INDEX sent_at ON sent (at);

    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL,
        body BLOB NOT NULL,
        not_before INTEGER,
        reason TEXT NOT NULL,
        deliveries INTEGER NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE INDEX dead_letters_id ON dead_letters (queue, id);

    CREATE TABLE samples (
        key TEXT NOT NULL,
        source TEXT NOT NULL,
        hour INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (key, source, hour)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON history
    BEGIN SELECT RAISE(ABORT, 'a history entry is never changed'); END;
    CREATE TRIGGER history_is_not_removed BEFORE DELETE ON history
    BEGIN SELECT RAISE(ABORT, 'a history entry is never removed'); END;
    """,
    """
    ALTER TABLE heads ADD COLUMN back INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE heads ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
    UPDATE heads SET back = 1 WHERE json_extract(body, '$.rollout.phase') = 'rolling_back';
    CREATE INDEX heads_back ON heads (due_at, key) WHERE back = 1;

    DROP TRIGGER history_is_not_removed;
    CREATE TRIGGER history_is_removed_behind_a_checkpoint BEFORE DELETE ON history
    WHEN OLD.number > COALESCE((SELECT pruned FROM heads WHERE key = OLD.key), 0)
    BEGIN SELECT RAISE(ABORT, 'a history entry is removed only behind its checkpoint'); END;
    CREATE TRIGGER history_only_grows BEFORE INSERT ON history
    WHEN NEW.number <= COALESCE((SELECT max(number) FROM history WHERE key = NEW.key), 0)
    BEGIN SELECT RAISE(IGNORE); END;
    """,
    """
    CREATE TABLE feed (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        number INTEGER NOT NULL
    );
    CREATE INDEX feed_key ON feed (key, sequence);
    INSERT INTO feed (key, number)
        SELECT key, number FROM history ORDER BY json_extract(body, '$.at'), key, number;
    CREATE TRIGGER history_is_told AFTER INSERT ON history
    BEGIN INSERT INTO feed (key, number) VALUES (NEW.key, NEW.number); END;
    CREATE TRIGGER history_is_told_no_more AFTER DELETE ON history
    BEGIN DELETE FROM feed WHERE key = OLD.key AND number = OLD.number; END;
    """,
    """
    DROP INDEX rollouts_ended;
    CREATE INDEX rollouts_latest ON rollouts (ended_at, id);
    """,
)
"""How many scripts there are is the version."""


def statements(script: str) -> Iterator[str]:
    """One after another; a trigger holds semicolons of its own."""
    begun = ""
    for part in script.split(";")[:-1]:
        begun += part + ";"
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""
    if begun.strip():
        yield begun
