//! The statements on the catalog that are PostgreSQL's own.

use crate::database::sql::Style;
use crate::database::standard::standard_catalog;
use crate::database::{CatalogSql, sql};

const STYLE: Style = Style::Dollar;

pub(super) static CATALOG: CatalogSql = standard_catalog!(
    STYLE,
    lock: " FOR UPDATE",
    ids: "= ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text(?2::jsonb)))",
    position: "strpos",
    nothing: "",
    {
        make_org: sql!(
            STYLE,
            "INSERT INTO zopnight_orgs (org_id, created_at) VALUES (?1, ?2) ON CONFLICT (org_id) DO NOTHING"
        ),
        insert_events: sql!(
            STYLE,
            "INSERT INTO zopnight_events
              (org_id, deployment_id, seq, at, kind, revision_id, actor_kind, actor_id, message, data)
             SELECT ?1, ?2, (e.v ->> 0)::bigint, ?3, e.v ->> 1, (e.v ->> 2)::uuid, e.v ->> 3, e.v ->> 4, e.v ->> 5,
                    e.v ->> 6
             FROM jsonb_array_elements(?4::jsonb) AS e(v)"
        ),
        put_log: sql!(
            STYLE,
            "INSERT INTO zopnight_build_logs
              (org_id, revision_id, source, deployment_id, body, truncated, complete, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (org_id, revision_id, source) DO UPDATE SET body = excluded.body, truncated = excluded.truncated,
               complete = excluded.complete, updated_at = excluded.updated_at"
        ),
        purge_idempotency: sql!(
            STYLE,
            "DELETE FROM zopnight_idempotency
             WHERE ctid = ANY (ARRAY(SELECT ctid FROM zopnight_idempotency WHERE created_at < ?1 LIMIT 500))"
        ),
    }
);
