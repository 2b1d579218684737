CREATE TABLE IF NOT EXISTS zopnight_idempotency (
    org_id         VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    scope_hash     BINARY(32) NOT NULL,
    key_hash       BINARY(32) NOT NULL,
    request_digest BINARY(32) NOT NULL,
    deployment_id  BINARY(16) NOT NULL,
    revision_id    BINARY(16),
    status         INT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, scope_hash, key_hash),
    KEY zopnight_idempotency_age (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
