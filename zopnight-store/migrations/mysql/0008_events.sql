CREATE TABLE IF NOT EXISTS zopnight_events (
    org_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    deployment_id BINARY(16) NOT NULL,
    seq           BIGINT NOT NULL,
    at            BIGINT NOT NULL,
    kind          VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    revision_id   BINARY(16),
    actor_kind    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    actor_id      VARCHAR(128) NOT NULL,
    message       VARCHAR(1024) NOT NULL,
    data          MEDIUMTEXT NOT NULL,
    PRIMARY KEY (org_id, deployment_id, seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
