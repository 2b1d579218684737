CREATE TABLE zopnight_deployments (
    org_id              TEXT COLLATE "C" NOT NULL,
    id                  UUID NOT NULL,
    name                TEXT COLLATE "C" NOT NULL,
    forge               TEXT COLLATE "C" NOT NULL,
    integration_id      TEXT COLLATE "C" NOT NULL,
    repository_id       BIGINT NOT NULL,
    owner               TEXT COLLATE "C" NOT NULL,
    repo                TEXT COLLATE "C" NOT NULL,
    branch              TEXT COLLATE "C" NOT NULL,
    root_path           TEXT COLLATE "C" NOT NULL,
    auto_deploy         BOOLEAN NOT NULL,
    build               TEXT COLLATE "C" NOT NULL,
    runtime             TEXT COLLATE "C" NOT NULL,
    space_id            TEXT COLLATE "C" NOT NULL,
    namespace           TEXT COLLATE "C" NOT NULL,
    image_repository    TEXT COLLATE "C" NOT NULL,
    config_version      INT NOT NULL,
    version             BIGINT NOT NULL,
    next_number         INT NOT NULL,
    next_seq            BIGINT NOT NULL,
    current_revision_id UUID,
    current_number      INT NOT NULL DEFAULT 0,
    newest_revision_id  UUID NOT NULL,
    source_head         TEXT COLLATE "C",
    skipped_head        TEXT COLLATE "C",
    branch_mark         TEXT COLLATE "C",
    last_accepted_at    BIGINT,
    deleting_at         BIGINT,
    deleted_at          BIGINT,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);

CREATE UNIQUE INDEX zopnight_deployments_name ON zopnight_deployments (org_id, name) WHERE deleted_at IS NULL;

CREATE INDEX zopnight_deployments_listing ON zopnight_deployments (org_id, created_at, id);

CREATE INDEX zopnight_deployments_branch ON zopnight_deployments (repository_id, forge, branch, org_id, id);

CREATE INDEX zopnight_deployments_deleted ON zopnight_deployments (deleted_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE zopnight_revisions (
    org_id            TEXT COLLATE "C" NOT NULL,
    id                UUID NOT NULL,
    deployment_id     UUID NOT NULL,
    number            INT NOT NULL,
    state             TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL,
    event_count       INT NOT NULL DEFAULT 0,
    cause             TEXT COLLATE "C" NOT NULL,
    delivery_id       TEXT COLLATE "C",
    delivery_digest   BYTEA,
    cause_to_id       UUID,
    cause_to_number   INT,
    commit_sha        TEXT COLLATE "C" NOT NULL,
    branch            TEXT COLLATE "C" NOT NULL,
    commit_message    TEXT COLLATE "C",
    author            TEXT COLLATE "C",
    actor_kind        TEXT COLLATE "C" NOT NULL,
    actor_id          TEXT COLLATE "C" NOT NULL,
    snapshot          TEXT COLLATE "C" NOT NULL,
    plan              TEXT COLLATE "C",
    image_ref         TEXT COLLATE "C",
    reason_code       TEXT COLLATE "C",
    reason_message    TEXT COLLATE "C",
    superseded_by     UUID,
    rollout           TEXT COLLATE "C",
    created_at        BIGINT NOT NULL,
    build_started_at  BIGINT,
    built_at          BIGINT,
    deploy_started_at BIGINT,
    finished_at       BIGINT,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    CHECK ((finished_at IS NULL) = (state IN ('queued', 'building', 'built', 'deploying')))
);

CREATE UNIQUE INDEX zopnight_revisions_number ON zopnight_revisions (org_id, deployment_id, number);

CREATE INDEX zopnight_revisions_unfinished ON zopnight_revisions (org_id, deployment_id, id) WHERE finished_at IS NULL;

CREATE TABLE zopnight_build_attempts (
    org_id           TEXT COLLATE "C" NOT NULL,
    jti              UUID NOT NULL,
    deployment_id    UUID NOT NULL,
    revision_id      UUID NOT NULL,
    number           INT NOT NULL,
    image_repository TEXT COLLATE "C" NOT NULL,
    commit_sha       TEXT COLLATE "C" NOT NULL,
    deadline         BIGINT NOT NULL,
    dispatch         TEXT COLLATE "C" NOT NULL,
    run_id           TEXT COLLATE "C",
    run_url          TEXT COLLATE "C",
    settled          TEXT COLLATE "C",
    outcome          TEXT COLLATE "C",
    body_digest      BYTEA,
    refusals         INT NOT NULL DEFAULT 0,
    last_refusal     TEXT COLLATE "C",
    opened_at        BIGINT NOT NULL,
    dispatched_at    BIGINT,
    closed_at        BIGINT,
    PRIMARY KEY (org_id, jti),
    CHECK ((closed_at IS NULL) = (settled IS NULL))
);

CREATE UNIQUE INDEX zopnight_build_attempts_number ON zopnight_build_attempts (org_id, revision_id, number);

CREATE INDEX zopnight_build_attempts_open ON zopnight_build_attempts (org_id) WHERE closed_at IS NULL;

CREATE TABLE zopnight_build_logs (
    org_id        TEXT COLLATE "C" NOT NULL,
    revision_id   UUID NOT NULL,
    source        TEXT COLLATE "C" NOT NULL,
    deployment_id UUID NOT NULL,
    body          TEXT COLLATE "C" NOT NULL,
    truncated     BOOLEAN NOT NULL,
    complete      BOOLEAN NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (org_id, revision_id, source)
);

CREATE INDEX zopnight_build_logs_deployment ON zopnight_build_logs (org_id, deployment_id);

CREATE INDEX zopnight_build_attempts_deployment ON zopnight_build_attempts (org_id, deployment_id);

CREATE TABLE zopnight_events (
    org_id        TEXT COLLATE "C" NOT NULL,
    deployment_id UUID NOT NULL,
    seq           BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    revision_id   UUID,
    actor_kind    TEXT COLLATE "C" NOT NULL,
    actor_id      TEXT COLLATE "C" NOT NULL,
    message       TEXT COLLATE "C" NOT NULL,
    data          TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, deployment_id, seq)
);

CREATE TABLE zopnight_idempotency (
    org_id         TEXT COLLATE "C" NOT NULL,
    scope_hash     BYTEA NOT NULL,
    key_hash       BYTEA NOT NULL,
    request_digest BYTEA NOT NULL,
    deployment_id  UUID NOT NULL,
    revision_id    UUID,
    status         INT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, scope_hash, key_hash)
);

CREATE INDEX zopnight_idempotency_age ON zopnight_idempotency (created_at);
