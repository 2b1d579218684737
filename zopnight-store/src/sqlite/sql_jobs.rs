//! The statements on jobs and turns that are SQLite's own.

use crate::database::sql::{Style, statements};
use crate::database::standard::{leased, standard_jobs};
use crate::database::{JobsSql, sql};

const STYLE: Style = Style::Question;

macro_rules! now {
    () => {
        "COALESCE(?1, CAST(unixepoch('subsec') * 1000000 AS INTEGER))"
    };
}

pub(super) static JOBS: JobsSql = standard_jobs!(
    STYLE,
    now: "COALESCE(?1, CAST(unixepoch('subsec') * 1000000 AS INTEGER))",
    line: "",
    lock: "",
    seqs: "IN (SELECT value FROM json_each(?1))",
    {
        make_line: sql!(
            STYLE,
            "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, 0) ON CONFLICT (org_id, lane) DO NOTHING"
        ),
        take_turns: sql!(
            STYLE,
            "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, ?3)
             ON CONFLICT (org_id, lane) DO UPDATE SET last_turn = MAX(excluded.last_turn, zopnight_turns.last_turn + ?4)
             RETURNING last_turn"
        ),
        present: sql!(STYLE, "SELECT id FROM zopnight_jobs WHERE id IN (SELECT unhex(value) FROM json_each(?1))"),
        survivors: sql!(
            STYLE,
            "SELECT j.org_id, j.dedupe_key, j.seq, j.id, j.state, j.place
             FROM json_each(?1) AS e CROSS JOIN zopnight_jobs AS j
             WHERE j.org_id = e.value ->> 0 AND j.dedupe_key = e.value ->> 1
              AND (j.state IN ('delayed', 'blocked', 'ready') OR (j.state = 'leased' AND j.dedupe_until = 'finished'))"
        ),
        held: sql!(
            STYLE,
            "SELECT e.value ->> 0 AS org_id, e.value ->> 1 AS serial_key FROM json_each(?1) AS e
             WHERE EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.value ->> 0 AND serial_key = e.value ->> 1
                           AND state IN ('delayed', 'ready', 'leased'))
                OR EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.value ->> 0 AND blocked_on = 'serial'
                           AND serial_key = e.value ->> 1)"
        ),
        step: sql!(
            STYLE,
            "UPDATE zopnight_jobs SET
               state = e.value ->> 'new', place = e.value ->> 'place', fence = e.value ->> 'fence',
               failures = e.value ->> 'failures', losses = e.value ->> 'losses', panics = e.value ->> 'panics',
               snoozes = e.value ->> 'snoozes', blocked_on = e.value ->> 'blocked_on', lease_until = NULL, worker = NULL,
               payload = COALESCE(e.value ->> 'payload', payload), last_error = COALESCE(e.value ->> 'error', last_error),
               cancel_asked = CASE WHEN e.value ->> 'revived' THEN 0 ELSE cancel_asked END,
               dedupe_key = CASE WHEN e.value ->> 'drops_key' THEN NULL ELSE dedupe_key END,
               ready_at = CASE WHEN e.value ->> 'new' = 'ready' THEN ?2 ELSE ready_at END,
               finished_at = CASE WHEN e.value ->> 'new' IN ('done', 'cancelled', 'parked') THEN ?2 END
             FROM json_each(?1) AS e
             WHERE zopnight_jobs.seq = e.value ->> 'seq' AND zopnight_jobs.state = e.value ->> 'old'
               AND zopnight_jobs.fence = e.value ->> 'was'"
        ),
    }
);

statements! {
    /// The operations whose shape is SQLite's own.
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
         SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value ->> 8, value ->> 9, unhex(value ->> 10), unhex(value ->> 11), value ->> 12, ?2, ?2
         FROM json_each(?1) ORDER BY key"
    ),
    claim: sql!(
        STYLE,
        "UPDATE zopnight_jobs SET state = 'leased', fence = fence + 1, worker = ?4, started_at = ", now!(),
        ", lease_until = ?5 + ", now!(),
        " WHERE seq IN (SELECT seq FROM zopnight_jobs WHERE lane = ?2 AND state = 'ready' ORDER BY place, seq LIMIT ?3)
          RETURNING ", leased!()
    ),
    extend: sql!(
        STYLE,
        "UPDATE zopnight_jobs SET lease_until = ?2 + ", now!(),
        " FROM json_each(?3) AS e
          WHERE zopnight_jobs.seq = e.value ->> 0 AND zopnight_jobs.fence = e.value ->> 1 AND zopnight_jobs.state = 'leased'
          RETURNING seq, fence, cancel_asked"
    ),
    finish_done: sql!(
        STYLE,
        "UPDATE zopnight_jobs SET state = 'done', lease_until = NULL, worker = NULL, place = ", now!(),
        ", finished_at = ", now!(),
        " FROM json_each(?2) AS e
          WHERE zopnight_jobs.seq = e.value ->> 0 AND zopnight_jobs.fence = e.value ->> 1 AND zopnight_jobs.state = 'leased'
          RETURNING seq, fence, org_id, serial_key"
    ),
};
