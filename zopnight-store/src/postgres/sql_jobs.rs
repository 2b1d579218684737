//! The statements on jobs and turns that are PostgreSQL's own.

use crate::database::sql::{Style, statements};
use crate::database::standard::{leased, standard_jobs};
use crate::database::{JobsSql, sql};

const STYLE: Style = Style::Dollar;

macro_rules! now {
    () => {
        "COALESCE(?1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    };
}

pub(super) static JOBS: JobsSql = standard_jobs!(
    STYLE,
    now: "COALESCE(?1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)",
    line: "",
    lock: " FOR UPDATE",
    seqs: "= ANY (ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(?1::jsonb)))",
    {
        make_line: sql!(
            STYLE,
            "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, 0) ON CONFLICT (org_id, lane) DO NOTHING"
        ),
        take_turns: sql!(
            STYLE,
            "INSERT INTO zopnight_turns AS t (org_id, lane, last_turn) VALUES (?1, ?2, ?3)
             ON CONFLICT (org_id, lane) DO UPDATE SET last_turn = GREATEST(excluded.last_turn, t.last_turn + ?4)
             RETURNING last_turn"
        ),
        present: sql!(
            STYLE,
            "SELECT id FROM zopnight_jobs
             WHERE id = ANY (ARRAY(SELECT value::uuid FROM jsonb_array_elements_text(?1::jsonb)))"
        ),
        survivors: sql!(
            STYLE,
            "SELECT j.org_id, j.dedupe_key, j.seq, j.id, j.state, j.place
             FROM jsonb_array_elements(?1::jsonb) AS e(v)
             JOIN zopnight_jobs AS j ON j.org_id = e.v ->> 0 AND j.dedupe_key = e.v ->> 1
             WHERE j.state IN ('delayed', 'blocked', 'ready') OR (j.state = 'leased' AND j.dedupe_until = 'finished')"
        ),
        held: sql!(
            STYLE,
            "SELECT e.v ->> 0 AS org_id, e.v ->> 1 AS serial_key FROM jsonb_array_elements(?1::jsonb) AS e(v)
             WHERE EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.v ->> 0 AND serial_key = e.v ->> 1
                           AND state IN ('delayed', 'ready', 'leased'))
                OR EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.v ->> 0 AND blocked_on = 'serial'
                           AND serial_key = e.v ->> 1)"
        ),
        step: sql!(
            STYLE,
            "UPDATE zopnight_jobs AS j SET
               state = e.\"new\", place = e.place, fence = e.fence, failures = e.failures, losses = e.losses,
               panics = e.panics, snoozes = e.snoozes, blocked_on = e.blocked_on, lease_until = NULL, worker = NULL,
               payload = COALESCE(e.payload, j.payload), last_error = COALESCE(e.error, j.last_error),
               cancel_asked = j.cancel_asked AND NOT e.revived,
               dedupe_key = CASE WHEN e.drops_key THEN NULL ELSE j.dedupe_key END,
               ready_at = CASE WHEN e.\"new\" = 'ready' THEN ?2 ELSE j.ready_at END,
               finished_at = CASE WHEN e.\"new\" IN ('done', 'cancelled', 'parked') THEN ?2 END
             FROM jsonb_to_recordset(?1::jsonb) AS e(seq bigint, \"old\" text, was int, \"new\" text, place bigint, fence int,
               failures int, losses int, panics int, snoozes int, blocked_on text, payload text, error text,
               revived boolean, drops_key boolean)
             WHERE j.seq = e.seq AND j.state = e.\"old\" AND j.fence = e.was"
        ),
    }
);

statements! {
    /// The operations whose shape is PostgreSQL's own.
    Own {
        /// ?1 rows, ?2 now
        insert,
        /// ?1 clock, ?2 lane, ?3 max, ?4 worker, ?5 lease
        claim,
        /// ?1 clock, ?2 lease, ?3 pairs of seq and hand-out
        extend,
        /// ?1 clock, ?2 pairs of seq and hand-out
        finish_done,
    }
}

pub(super) static OWN: Own = Own {
    insert: sql!(
        STYLE,
        "INSERT INTO zopnight_jobs
          (id, org_id, lane, kind, state, place, blocked_on, dedupe_key, dedupe_until, serial_key, deployment_id, revision_id,
           payload, created_at, ready_at)
         SELECT (e.v ->> 0)::uuid, e.v ->> 1, e.v ->> 2, e.v ->> 3, e.v ->> 4, (e.v ->> 5)::bigint, e.v ->> 6, e.v ->> 7,
                e.v ->> 8, e.v ->> 9, (e.v ->> 10)::uuid, (e.v ->> 11)::uuid, e.v ->> 12, ?2, ?2
         FROM jsonb_array_elements(?1::jsonb) WITH ORDINALITY AS e(v, n) ORDER BY e.n"
    ),
    // Not materialised, the planner may update more than the limit.
    claim: sql!(
        STYLE,
        "WITH picked AS MATERIALIZED (
           SELECT seq AS picked_seq FROM zopnight_jobs WHERE lane = ?2 AND state = 'ready'
           ORDER BY place, seq LIMIT ?3 FOR UPDATE SKIP LOCKED)
         UPDATE zopnight_jobs SET state = 'leased', fence = fence + 1, worker = ?4, started_at = ", now!(),
        ", lease_until = ?5 + ", now!(),
        " FROM picked WHERE seq = picked_seq RETURNING ", leased!()
    ),
    extend: sql!(
        STYLE,
        "UPDATE zopnight_jobs SET lease_until = ?2 + ", now!(),
        " FROM jsonb_array_elements(?3::jsonb) AS e(v)
          WHERE seq = (e.v ->> 0)::bigint AND fence = (e.v ->> 1)::int AND state = 'leased'
          RETURNING seq, fence, cancel_asked"
    ),
    finish_done: sql!(
        STYLE,
        "UPDATE zopnight_jobs SET state = 'done', lease_until = NULL, worker = NULL, place = ", now!(),
        ", finished_at = ", now!(),
        " FROM jsonb_array_elements(?2::jsonb) AS e(v)
          WHERE seq = (e.v ->> 0)::bigint AND fence = (e.v ->> 1)::int AND state = 'leased' AND serial_key IS NULL
          RETURNING seq, fence, org_id, serial_key"
    ),
};
