//! The statements on jobs and turns that are MySQL's and MariaDB's own.
//!
//! A list is read as a table first, and its rows then found by their key: `STRAIGHT_JOIN` keeps that order, and the key is
//! forced, since a plan that reads all jobs, as a small table invites to, would lock them all. The line's index is forced
//! because the statistics of a queue are always old.

use crate::database::sql::{Style, statements};
use crate::database::standard::{brief, standard_jobs};
use crate::database::{JobsSql, Sql, sql};

const STYLE: Style = Style::Bare;

macro_rules! now {
    () => {
        "CAST(COALESCE(?1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))) AS SIGNED)"
    };
}

/// The jobs of the list ?1.
macro_rules! listed {
    () => {
        "JSON_TABLE(?1, '$[*]' COLUMNS (wanted BIGINT PATH '$')) AS e STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted"
    };
}

/// Pairs of an org and a key.
macro_rules! keys {
    () => {
        "JSON_TABLE(?1, '$[*]' COLUMNS (
           org VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
           wanted VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]')) AS e"
    };
}

pub(super) static JOBS: JobsSql = JobsSql {
    briefs: sql!(STYLE, "SELECT ", brief!(), " FROM ", listed!()),
    lock_jobs: sql!(STYLE, "SELECT ", brief!(), " FROM ", listed!(), " FOR UPDATE"),
    still_due: sql!(STYLE, "SELECT ", brief!(), " FROM ", listed!(), " WHERE state = 'delayed' AND place <= ?2 FOR UPDATE"),
    still_expired: sql!(
        STYLE,
        "SELECT ",
        brief!(),
        " FROM ",
        listed!(),
        " WHERE state = 'leased' AND lease_until < ?2 FOR UPDATE"
    ),
    rival: sql!(
        STYLE,
        "SELECT seq FROM zopnight_jobs FORCE INDEX (zopnight_jobs_dedupe)
         WHERE org_id = ?1 AND dedupe_live = ?2 AND seq <> ?3 LIMIT 1"
    ),
    next_of_key: sql!(
        STYLE,
        "SELECT ",
        brief!(),
        " FROM zopnight_jobs FORCE INDEX (zopnight_jobs_waiting)
         WHERE org_id = ?1 AND blocked_on = 'serial' AND serial_key = ?2
          AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h FORCE INDEX (zopnight_jobs_serial)
                          WHERE h.org_id = ?1 AND h.serial_live = ?2)
         ORDER BY seq LIMIT 1"
    ),
    waiting_for_slot: sql!(
        STYLE,
        "SELECT ",
        brief!(),
        " FROM zopnight_jobs FORCE INDEX (zopnight_jobs_waiting) WHERE org_id = ?1 AND blocked_on = 'slot'
         ORDER BY seq LIMIT ?2"
    ),
    orphans: sql!(
        STYLE,
        "SELECT DISTINCT w.org_id, w.lane, w.serial_key FROM zopnight_jobs AS w FORCE INDEX (zopnight_jobs_line)
         WHERE w.lane IN ('deploy', 'status', 'sweep') AND w.state = 'blocked' AND w.blocked_on = 'serial'
          AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h FORCE INDEX (zopnight_jobs_serial)
                          WHERE h.org_id = w.org_id AND h.serial_live = w.serial_key)
         LIMIT 500"
    ),
    slot_lines: sql!(
        STYLE,
        "SELECT DISTINCT org_id FROM zopnight_jobs FORCE INDEX (zopnight_jobs_line)
         WHERE lane = 'build' AND state = 'blocked' AND blocked_on = 'slot' LIMIT 500"
    ),
    of_key: sql!(
        STYLE,
        "SELECT ",
        brief!(),
        " FROM zopnight_jobs FORCE INDEX (zopnight_jobs_dedupe) WHERE org_id = ?1 AND dedupe_live = ?2"
    ),
    purge_jobs: sql!(
        STYLE,
        "DELETE j FROM JSON_TABLE(?1, '$[*]' COLUMNS (wanted BIGINT PATH '$')) AS e
          STRAIGHT_JOIN zopnight_jobs AS j FORCE INDEX (PRIMARY) ON j.seq = e.wanted WHERE j.state = ?2"
    ),
    ..standard_jobs!(
        STYLE,
        now: "CAST(COALESCE(?1, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))) AS SIGNED)",
        line: " FORCE INDEX (zopnight_jobs_line)",
        lock: " FOR UPDATE",
        seqs: "IN (?1)",
        {
            make_line: sql!(
                STYLE,
                "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, 0)
                 ON DUPLICATE KEY UPDATE last_turn = last_turn"
            ),
            take_turns: sql!(
                STYLE,
                "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, ?3)
                 ON DUPLICATE KEY UPDATE last_turn = GREATEST(?3, last_turn + ?4)"
            ),
            present: sql!(
                STYLE,
                "SELECT id FROM JSON_TABLE(?1, '$[*]' COLUMNS (wanted CHAR(32) CHARACTER SET ascii PATH '$')) AS e
                  STRAIGHT_JOIN zopnight_jobs FORCE INDEX (zopnight_jobs_id) ON id = UNHEX(e.wanted)"
            ),
            survivors: sql!(
                STYLE,
                "SELECT j.org_id, j.dedupe_key, j.seq, j.id, j.state, j.place FROM ", keys!(),
                " STRAIGHT_JOIN zopnight_jobs AS j FORCE INDEX (zopnight_jobs_dedupe) ON j.org_id = e.org
                  AND j.dedupe_live = e.wanted"
            ),
            held: sql!(
                STYLE,
                "SELECT e.org AS org_id, e.wanted AS serial_key FROM ", keys!(),
                " WHERE EXISTS (SELECT 1 FROM zopnight_jobs AS h FORCE INDEX (zopnight_jobs_serial)
                                WHERE h.org_id = e.org AND h.serial_live = e.wanted)
                     OR EXISTS (SELECT 1 FROM zopnight_jobs AS w FORCE INDEX (zopnight_jobs_waiting)
                                WHERE w.org_id = e.org AND w.blocked_on = 'serial' AND w.serial_key = e.wanted)"
            ),
            step: sql!(
                STYLE,
                "UPDATE JSON_TABLE(?1, '$[*]' COLUMNS (
                   wanted BIGINT PATH '$.seq', was_state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin PATH '$.old',
                   was INT PATH '$.was', next_state VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin PATH '$.new',
                   next_place BIGINT PATH '$.place', next_fence INT PATH '$.fence', next_failures INT PATH '$.failures',
                   next_losses INT PATH '$.losses', next_panics INT PATH '$.panics', next_snoozes INT PATH '$.snoozes',
                   next_blocked_on VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin PATH '$.blocked_on',
                   next_payload MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.payload',
                   next_error MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.error', revived INT PATH '$.revived', drops_key INT PATH '$.drops_key')) AS e
                 STRAIGHT_JOIN zopnight_jobs AS j FORCE INDEX (PRIMARY) ON j.seq = e.wanted
                 SET j.place = e.next_place, j.fence = e.next_fence, j.failures = e.next_failures,
                   j.losses = e.next_losses, j.panics = e.next_panics, j.snoozes = e.next_snoozes,
                   j.blocked_on = e.next_blocked_on, j.lease_until = NULL, j.worker = NULL,
                   j.payload = COALESCE(e.next_payload, j.payload), j.last_error = COALESCE(e.next_error, j.last_error),
                   j.cancel_asked = CASE WHEN e.revived THEN FALSE ELSE j.cancel_asked END,
                   j.dedupe_key = CASE WHEN e.drops_key THEN NULL ELSE j.dedupe_key END,
                   j.ready_at = CASE WHEN e.next_state = 'ready' THEN ?2 ELSE j.ready_at END,
                   j.finished_at = CASE WHEN e.next_state IN ('done', 'cancelled', 'parked') THEN ?2 END,
                   j.state = e.next_state
                 WHERE j.state = e.was_state AND j.fence = e.was"
            ),
        }
    )
};

statements! {
    /// The operations whose shape is MySQL's own.
    Own {
        /// The first of a line. ?1 lane, ?2 limit
        candidates,
        /// The next of a line. ?1 lane, ?2 place, ?3 seq, ?4 limit
        candidates_after,
        /// Those that nobody else holds, as they will be leased. ?1 clock, ?2 seqs
        pick,
        /// ?1 clock, ?2 seqs, ?3 worker, ?4 lease
        lease,
        /// ?1 clock, ?2 lease, ?3 pairs of seq and hand-out
        extend,
        /// ?1 pairs of seq and hand-out
        extended,
        /// ?1 clock, ?2 pairs of seq and hand-out
        finish_done,
        /// ?1 pairs of seq and hand-out
        finished,
    }
}

pub(super) static OWN: Own = Own {
    candidates: sql!(
        STYLE,
        "SELECT seq, place FROM zopnight_jobs FORCE INDEX (zopnight_jobs_line)
         WHERE lane = ?1 AND state = 'ready' ORDER BY place, seq LIMIT ?2"
    ),
    candidates_after: sql!(
        STYLE,
        "SELECT seq, place FROM zopnight_jobs FORCE INDEX (zopnight_jobs_line)
         WHERE lane = ?1 AND state = 'ready' AND place >= ?2 AND (place > ?2 OR seq > ?3) ORDER BY place, seq LIMIT ?4"
    ),
    pick: sql!(
        STYLE,
        "SELECT seq, id, org_id, lane, kind, state, place, fence + 1 AS fence, failures, losses, panics, snoozes,
          cancel_asked, dedupe_key, dedupe_until, serial_key, deployment_id, revision_id, payload, ",
        now!(),
        " - ready_at AS waited
         FROM JSON_TABLE(?2, '$[*]' COLUMNS (wanted BIGINT PATH '$')) AS e STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted
         WHERE state = 'ready' FOR UPDATE SKIP LOCKED"
    ),
    lease: sql!(
        STYLE,
        "UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (wanted BIGINT PATH '$')) AS e STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted
         SET state = 'leased', fence = fence + 1, worker = ?3, started_at = ", now!(), ", lease_until = ?4 + ", now!(),
        " WHERE state = 'ready'"
    ),
    extend: sql!(
        STYLE,
        "UPDATE JSON_TABLE(?3, '$[*]' COLUMNS (wanted BIGINT PATH '$[0]', n INT PATH '$[1]')) AS e
          STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted
         SET lease_until = ?2 + ", now!(), " WHERE fence = e.n AND state = 'leased'"
    ),
    extended: sql!(
        STYLE,
        "SELECT seq, fence, cancel_asked
         FROM JSON_TABLE(?1, '$[*]' COLUMNS (wanted BIGINT PATH '$[0]', n INT PATH '$[1]')) AS e
          STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted WHERE fence = e.n AND state = 'leased'"
    ),
    finish_done: sql!(
        STYLE,
        "UPDATE JSON_TABLE(?2, '$[*]' COLUMNS (wanted BIGINT PATH '$[0]', n INT PATH '$[1]')) AS e
          STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted
         SET state = 'done', lease_until = NULL, worker = NULL, place = ", now!(), ", finished_at = ", now!(),
        " WHERE fence = e.n AND state = 'leased' AND serial_key IS NULL"
    ),
    finished: sql!(
        STYLE,
        "SELECT seq, fence, org_id, serial_key
         FROM JSON_TABLE(?1, '$[*]' COLUMNS (wanted BIGINT PATH '$[0]', n INT PATH '$[1]')) AS e
          STRAIGHT_JOIN zopnight_jobs FORCE INDEX (PRIMARY)
          ON seq = e.wanted WHERE fence = e.n AND state = 'done' AND serial_key IS NULL"
    ),
};

const INSERT: &str = "INSERT INTO zopnight_jobs
  (id, org_id, lane, kind, state, place, blocked_on, dedupe_key, dedupe_until, serial_key, deployment_id, revision_id,
   payload, created_at, ready_at)
 VALUES ";
const ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), ";

/// How long an INSERT of `rows` rows is: nothing follows the last one.
const fn insert_length(rows: usize) -> usize {
    INSERT.len() + rows * ROW.len() - ", ".len()
}

/// An INSERT of some rows, written while compiling.
const fn insert<const N: usize>() -> [u8; N] {
    let (head, row) = (INSERT.as_bytes(), ROW.as_bytes());
    let (mut out, mut at) = ([0; N], 0);
    while at < N {
        out[at] = if at < head.len() { head[at] } else { row[(at - head.len()) % row.len()] };
        at += 1;
    }
    out
}

macro_rules! inserts {
    ($($rows:literal $name:literal),+ $(,)?) => {
        &[$(($rows, $name, {
            const BYTES: [u8; insert_length($rows)] = insert();
            match std::str::from_utf8(&BYTES) {
                Ok(text) => Sql { text, order: &[] },
                Err(_) => panic!("a statement is text"),
            }
        })),+]
    };
}

/// How many rows an INSERT has, its name and it, the largest first. Of each row: the columns as they stand, now twice.
pub(super) static INSERTS: &[(usize, &str, Sql)] = inserts![
    500 "insert_500", 250 "insert_250", 100 "insert_100", 50 "insert_50", 20 "insert_20", 10 "insert_10", 5 "insert_5",
    2 "insert_2", 1 "insert_1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_has_its_rows() {
        for (rows, name, sql) in INSERTS {
            assert_eq!(sql.text.matches('(').count(), rows + 1, "{name}");
            assert_eq!(sql.text.matches('?').count(), rows * 15, "{name}");
            assert!(sql.text.ends_with("?)"), "{name}");
        }
        assert!(INSERTS.is_sorted_by(|a, b| a.0 > b.0));
    }
}
