CREATE TABLE zopnight_deployments (
    org_id              TEXT    NOT NULL,
    id                  BLOB    NOT NULL,
    name                TEXT    NOT NULL,
    forge               TEXT    NOT NULL,
    integration_id      TEXT    NOT NULL,
    repository_id       INTEGER NOT NULL,
    owner               TEXT    NOT NULL,
    repo                TEXT    NOT NULL,
    branch              TEXT    NOT NULL,
    root_path           TEXT    NOT NULL,
    auto_deploy         INTEGER NOT NULL,
    build               TEXT    NOT NULL,
    runtime             TEXT    NOT NULL,
    space_id            TEXT    NOT NULL,
    namespace           TEXT    NOT NULL,
    image_repository    TEXT    NOT NULL,
    config_version      INTEGER NOT NULL,
    version             INTEGER NOT NULL,
    next_number         INTEGER NOT NULL,
    next_seq            INTEGER NOT NULL,
    current_revision_id BLOB,
    current_number      INTEGER NOT NULL DEFAULT 0,
    newest_revision_id  BLOB    NOT NULL,
    source_head         TEXT,
    skipped_head        TEXT,
    branch_mark         TEXT,
    last_accepted_at    INTEGER,
    deleting_at         INTEGER,
    deleted_at          INTEGER,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    PRIMARY KEY (org_id, id)
) STRICT;

CREATE UNIQUE INDEX zopnight_deployments_name ON zopnight_deployments (org_id, name) WHERE deleted_at IS NULL;

CREATE INDEX zopnight_deployments_listing ON zopnight_deployments (org_id, created_at, id);

CREATE INDEX zopnight_deployments_branch ON zopnight_deployments (repository_id, forge, branch, org_id, id);

CREATE INDEX zopnight_deployments_deleted ON zopnight_deployments (deleted_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE zopnight_revisions (
    org_id            TEXT    NOT NULL,
    id                BLOB    NOT NULL,
    deployment_id     BLOB    NOT NULL,
    number            INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    version           INTEGER NOT NULL,
    event_count       INTEGER NOT NULL DEFAULT 0,
    cause             TEXT    NOT NULL,
    delivery_id       TEXT,
    delivery_digest   BLOB,
    cause_to_id       BLOB,
    cause_to_number   INTEGER,
    commit_sha        TEXT    NOT NULL,
    branch            TEXT    NOT NULL,
    commit_message    TEXT,
    author            TEXT,
    actor_kind        TEXT    NOT NULL,
    actor_id          TEXT    NOT NULL,
    snapshot          TEXT    NOT NULL,
    plan              TEXT,
    image_ref         TEXT,
    reason_code       TEXT,
    reason_message    TEXT,
    superseded_by     BLOB,
    rollout           TEXT,
    created_at        INTEGER NOT NULL,
    build_started_at  INTEGER,
    built_at          INTEGER,
    deploy_started_at INTEGER,
    finished_at       INTEGER,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'building', 'built', 'deploying')))
) STRICT;

CREATE UNIQUE INDEX zopnight_revisions_number ON zopnight_revisions (org_id, deployment_id, number);

CREATE INDEX zopnight_revisions_unfinished ON zopnight_revisions (org_id, deployment_id, id) WHERE finished_at IS NULL;

CREATE TABLE zopnight_build_attempts (
    org_id           TEXT    NOT NULL,
    jti              BLOB    NOT NULL,
    deployment_id    BLOB    NOT NULL,
    revision_id      BLOB    NOT NULL,
    number           INTEGER NOT NULL,
    image_repository TEXT    NOT NULL,
    commit_sha       TEXT    NOT NULL,
    deadline         INTEGER NOT NULL,
    dispatch         TEXT    NOT NULL,
    run_id           TEXT,
    run_url          TEXT,
    settled          TEXT,
    outcome          TEXT,
    body_digest      BLOB,
    refusals         INTEGER NOT NULL DEFAULT 0,
    last_refusal     TEXT,
    opened_at        INTEGER NOT NULL,
    dispatched_at    INTEGER,
    closed_at        INTEGER,
    PRIMARY KEY (org_id, jti),
    CHECK ((closed_at IS NULL) = (settled IS NULL))
) STRICT;

CREATE UNIQUE INDEX zopnight_build_attempts_number ON zopnight_build_attempts (org_id, revision_id, number);

CREATE INDEX zopnight_build_attempts_open ON zopnight_build_attempts (org_id) WHERE closed_at IS NULL;

CREATE TABLE zopnight_build_logs (
    org_id        TEXT    NOT NULL,
    revision_id   BLOB    NOT NULL,
    source        TEXT    NOT NULL,
    deployment_id BLOB    NOT NULL,
    body          TEXT    NOT NULL,
    truncated     INTEGER NOT NULL,
    complete      INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (org_id, revision_id, source)
) STRICT;

CREATE INDEX zopnight_build_logs_deployment ON zopnight_build_logs (org_id, deployment_id);

CREATE INDEX zopnight_build_attempts_deployment ON zopnight_build_attempts (org_id, deployment_id);

CREATE TABLE zopnight_events (
    org_id        TEXT    NOT NULL,
    deployment_id BLOB    NOT NULL,
    seq           INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    revision_id   BLOB,
    actor_kind    TEXT    NOT NULL,
    actor_id      TEXT    NOT NULL,
    message       TEXT    NOT NULL,
    data          TEXT    NOT NULL,
    PRIMARY KEY (org_id, deployment_id, seq)
) STRICT;

CREATE TABLE zopnight_idempotency (
    org_id         TEXT    NOT NULL,
    scope_hash     BLOB    NOT NULL,
    key_hash       BLOB    NOT NULL,
    request_digest BLOB    NOT NULL,
    deployment_id  BLOB    NOT NULL,
    revision_id    BLOB,
    status         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (org_id, scope_hash, key_hash)
) STRICT;

CREATE INDEX zopnight_idempotency_age ON zopnight_idempotency (created_at);
