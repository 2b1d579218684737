CREATE TABLE zopnight_jobs (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB    NOT NULL,
    org_id        TEXT    NOT NULL,
    lane          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    state         TEXT    NOT NULL
        CHECK (state IN ('delayed', 'blocked', 'ready', 'leased', 'done', 'cancelled', 'parked')),
    place         INTEGER NOT NULL,
    fence         INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    losses        INTEGER NOT NULL DEFAULT 0,
    panics        INTEGER NOT NULL DEFAULT 0,
    snoozes       INTEGER NOT NULL DEFAULT 0,
    lease_until   INTEGER,
    worker        TEXT,
    cancel_asked  INTEGER NOT NULL DEFAULT 0,
    blocked_on    TEXT CHECK (blocked_on IN ('serial', 'slot')),
    dedupe_key    TEXT,
    dedupe_until  TEXT,
    serial_key    TEXT,
    deployment_id BLOB,
    revision_id   BLOB,
    payload       TEXT    NOT NULL,
    last_error    TEXT,
    created_at    INTEGER NOT NULL,
    ready_at      INTEGER NOT NULL,
    started_at    INTEGER,
    finished_at   INTEGER,
    CHECK ((blocked_on IS NULL) = (state <> 'blocked')),
    CHECK ((lease_until IS NULL) = (state <> 'leased'))
) STRICT;

CREATE UNIQUE INDEX zopnight_jobs_id ON zopnight_jobs (id);

CREATE UNIQUE INDEX zopnight_jobs_dedupe ON zopnight_jobs (org_id, dedupe_key)
    WHERE state IN ('delayed', 'blocked', 'ready') OR (state = 'leased' AND dedupe_until = 'finished');

CREATE UNIQUE INDEX zopnight_jobs_serial ON zopnight_jobs (org_id, serial_key)
    WHERE state IN ('delayed', 'ready', 'leased');

CREATE INDEX zopnight_jobs_line ON zopnight_jobs (lane, state, place, seq);

CREATE INDEX zopnight_jobs_waiting ON zopnight_jobs (org_id, blocked_on, serial_key, seq) WHERE blocked_on IS NOT NULL;

CREATE INDEX zopnight_jobs_of_revision ON zopnight_jobs (revision_id, state) WHERE revision_id IS NOT NULL;

CREATE TABLE zopnight_turns (
    org_id    TEXT    NOT NULL,
    lane      TEXT    NOT NULL,
    last_turn INTEGER NOT NULL,
    PRIMARY KEY (org_id, lane)
) STRICT, WITHOUT ROWID;

CREATE INDEX zopnight_turns_lane ON zopnight_turns (lane, last_turn);

CREATE TABLE zopnight_orgs (
    org_id     TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
