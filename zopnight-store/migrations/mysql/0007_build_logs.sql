CREATE TABLE IF NOT EXISTS zopnight_build_logs (
    org_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    revision_id   BINARY(16) NOT NULL,
    source        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    deployment_id BINARY(16) NOT NULL,
    body          MEDIUMTEXT NOT NULL,
    truncated     BOOLEAN NOT NULL,
    complete      BOOLEAN NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (org_id, revision_id, source),
    KEY zopnight_build_logs_deployment (org_id, deployment_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
