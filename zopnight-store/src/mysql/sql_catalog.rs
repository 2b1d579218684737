//! The statements on the catalog that are MySQL's and MariaDB's own.

use crate::database::sql::Style;
use crate::database::standard::{attempt, count_events_of, move_revision, revision, standard_catalog};
use crate::database::{CatalogSql, sql};

const STYLE: Style = Style::Bare;

pub(super) static CATALOG: CatalogSql = CatalogSql {
    revisions_by_id: sql!(
        STYLE,
        "SELECT ",
        revision!(),
        " FROM JSON_TABLE(?2, '$[*]' COLUMNS (wanted CHAR(32) CHARACTER SET ascii PATH '$')) AS e
          STRAIGHT_JOIN zopnight_revisions FORCE INDEX (PRIMARY) ON org_id = ?1 AND id = UNHEX(e.wanted)"
    ),
    attempts: sql!(
        STYLE,
        "SELECT ",
        attempt!(),
        " FROM JSON_TABLE(?2, '$[*]' COLUMNS (wanted CHAR(32) CHARACTER SET ascii PATH '$')) AS e
          STRAIGHT_JOIN zopnight_build_attempts FORCE INDEX (zopnight_build_attempts_number)
          ON org_id = ?1 AND revision_id = UNHEX(e.wanted)
         ORDER BY revision_id, number"
    ),
    move_revision: sql!(STYLE, move_revision!()),
    count_events_of: sql!(STYLE, count_events_of!()),
    open_slots: sql!(STYLE, "SELECT COUNT(*) AS n FROM zopnight_build_attempts WHERE open_org = ?1 AND org_id = ?1"),
    ..standard_catalog!(
        STYLE,
        lock: " FOR UPDATE",
        ids: "IN (?2)",
        position: "instr",
        nothing: " FROM DUAL",
        {
            make_org: sql!(
                STYLE,
                "INSERT INTO zopnight_orgs (org_id, created_at) VALUES (?1, ?2)
                 ON DUPLICATE KEY UPDATE created_at = created_at"
            ),
            insert_events: sql!(
                STYLE,
                "INSERT INTO zopnight_events
                  (org_id, deployment_id, seq, at, kind, revision_id, actor_kind, actor_id, message, data)
                 SELECT ?1, ?2, e.n, ?3, e.event, UNHEX(e.revision), e.actor, e.actor_name, e.text, e.facts
                 FROM JSON_TABLE(?4, '$[*]' COLUMNS (
                   n BIGINT PATH '$[0]', event VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]',
                   revision CHAR(32) CHARACTER SET ascii PATH '$[2]',
                   actor VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin PATH '$[3]',
                   actor_name VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]',
                   text VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5]',
                   facts MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[6]')) AS e"
            ),
            put_log: sql!(
                STYLE,
                "INSERT INTO zopnight_build_logs
                  (org_id, revision_id, source, deployment_id, body, truncated, complete, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON DUPLICATE KEY UPDATE body = ?5, truncated = ?6, complete = ?7, updated_at = ?8"
            ),
            purge_idempotency: sql!(
                STYLE,
                "DELETE FROM zopnight_idempotency WHERE created_at < ?1 ORDER BY created_at LIMIT 500"
            ),
        }
    )
};
