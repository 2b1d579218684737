CREATE TABLE IF NOT EXISTS zopnight_turns (
    org_id    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    lane      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    last_turn BIGINT NOT NULL,
    PRIMARY KEY (org_id, lane),
    KEY zopnight_turns_lane (lane, last_turn)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin
