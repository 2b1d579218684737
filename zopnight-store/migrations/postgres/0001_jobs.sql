CREATE TABLE zopnight_jobs (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            UUID NOT NULL,
    org_id        TEXT COLLATE "C" NOT NULL,
    lane          TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('delayed', 'blocked', 'ready', 'leased', 'done', 'cancelled', 'parked')),
    place         BIGINT NOT NULL,
    fence         INT NOT NULL DEFAULT 0,
    failures      INT NOT NULL DEFAULT 0,
    losses        INT NOT NULL DEFAULT 0,
    panics        INT NOT NULL DEFAULT 0,
    snoozes       INT NOT NULL DEFAULT 0,
    lease_until   BIGINT,
    worker        TEXT COLLATE "C",
    cancel_asked  BOOLEAN NOT NULL DEFAULT FALSE,
    blocked_on    TEXT COLLATE "C" CHECK (blocked_on IN ('serial', 'slot')),
    dedupe_key    TEXT COLLATE "C",
    dedupe_until  TEXT COLLATE "C",
    serial_key    TEXT COLLATE "C",
    deployment_id UUID,
    revision_id   UUID,
    payload       TEXT COLLATE "C" NOT NULL,
    last_error    TEXT COLLATE "C",
    created_at    BIGINT NOT NULL,
    ready_at      BIGINT NOT NULL,
    started_at    BIGINT,
    finished_at   BIGINT,
    CHECK ((blocked_on IS NULL) = (state <> 'blocked')),
    CHECK ((lease_until IS NULL) = (state <> 'leased'))
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.01);

CREATE UNIQUE INDEX zopnight_jobs_id ON zopnight_jobs (id);

CREATE UNIQUE INDEX zopnight_jobs_dedupe ON zopnight_jobs (org_id, dedupe_key)
    WHERE state IN ('delayed', 'blocked', 'ready') OR (state = 'leased' AND dedupe_until = 'finished');

CREATE UNIQUE INDEX zopnight_jobs_serial ON zopnight_jobs (org_id, serial_key)
    WHERE state IN ('delayed', 'ready', 'leased');

CREATE INDEX zopnight_jobs_ready ON zopnight_jobs (lane, place, seq) WHERE state = 'ready';

CREATE INDEX zopnight_jobs_line ON zopnight_jobs (lane, state, place, seq) WHERE state <> 'ready';

CREATE INDEX zopnight_jobs_waiting ON zopnight_jobs (org_id, blocked_on, serial_key, seq) WHERE blocked_on IS NOT NULL;

CREATE INDEX zopnight_jobs_of_revision ON zopnight_jobs (revision_id, state) WHERE revision_id IS NOT NULL;

CREATE TABLE zopnight_turns (
    org_id    TEXT COLLATE "C" NOT NULL,
    lane      TEXT COLLATE "C" NOT NULL,
    last_turn BIGINT NOT NULL,
    PRIMARY KEY (org_id, lane)
);

CREATE INDEX zopnight_turns_lane ON zopnight_turns (lane, last_turn);

CREATE TABLE zopnight_orgs (
    org_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);
