//! The statements on jobs and turns.
//!
//! Lists travel as one JSON parameter, so that every statement is one prepared text. `?1` is the bind of the clock where a
//! statement reads it.

/// The database's clock in microseconds, unless a test brings its own.
macro_rules! now {
    () => {
        "COALESCE(?1, CAST(unixepoch('subsec') * 1000000 AS INTEGER))"
    };
}

macro_rules! lanes {
    () => {
        "lane IN ('control', 'watch', 'deploy', 'build', 'status', 'sweep')"
    };
}

macro_rules! every_lane {
    () => {
        "[\"control\", \"watch\", \"deploy\", \"build\", \"status\", \"sweep\"]"
    };
}

/// The condition of the index of live dedupe keys, word for word.
macro_rules! live {
    () => {
        "(state IN ('delayed', 'blocked', 'ready') OR (state = 'leased' AND dedupe_until = 'finished'))"
    };
}

macro_rules! brief {
    () => {
        "seq, org_id, lane, state, fence, failures, losses, panics, snoozes, cancel_asked, dedupe_until, \
         serial_key"
    };
}

pub(super) const NOW: &str = concat!("SELECT ", now!());

pub(super) const VIRTUAL_TIME: &str = "SELECT COALESCE(
    (SELECT MIN(place) FROM zopnight_jobs WHERE lane = ?1 AND state = 'ready'),
    (SELECT MAX(last_turn) FROM zopnight_turns WHERE lane = ?1),
    0) AS v";

/// `?3` is V + n - 1, `?4` is n.
pub(super) const TAKE_TURNS: &str = "INSERT INTO zopnight_turns (org_id, lane, last_turn) VALUES (?1, ?2, ?3)
    ON CONFLICT (org_id, lane) DO UPDATE SET last_turn = MAX(excluded.last_turn, zopnight_turns.last_turn + ?4)
    RETURNING last_turn";

pub(super) const PRESENT: &str = "SELECT id FROM zopnight_jobs WHERE id IN (SELECT unhex(value) FROM json_each(?1))";

pub(super) const SURVIVORS: &str = concat!(
    "SELECT j.org_id, j.dedupe_key, j.seq, j.id, j.state, j.place
     FROM json_each(?1) AS e CROSS JOIN zopnight_jobs AS j
     WHERE j.org_id = e.value ->> 0 AND j.dedupe_key = e.value ->> 1 AND ",
    live!()
);

pub(super) const HELD: &str = "SELECT e.value ->> 0 AS org_id, e.value ->> 1 AS serial_key FROM json_each(?1) AS e
    WHERE EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.value ->> 0 AND serial_key = e.value ->> 1
                  AND state IN ('delayed', 'ready', 'leased'))
       OR EXISTS (SELECT 1 FROM zopnight_jobs WHERE org_id = e.value ->> 0 AND blocked_on = 'serial'
                  AND serial_key = e.value ->> 1)";

pub(super) const INSERT: &str = "INSERT INTO zopnight_jobs
    (id, org_id, lane, kind, state, place, blocked_on, dedupe_key, dedupe_until, serial_key, deployment_id, revision_id,
     payload, created_at, ready_at)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
           value ->> 8, value ->> 9, unhex(value ->> 10), unhex(value ->> 11), value ->> 12, ?2, ?2
    FROM json_each(?1) ORDER BY key";

pub(super) const BRING_FORWARD: &str =
    "UPDATE zopnight_jobs SET place = ?2 WHERE seq = ?1 AND state = 'delayed' AND place > ?2";

pub(super) const PROBE: &str = "SELECT value AS lane FROM json_each(?1)
    WHERE EXISTS (SELECT 1 FROM zopnight_jobs WHERE lane = json_each.value AND state = 'ready')";

pub(super) const CLAIM: &str = concat!(
    "UPDATE zopnight_jobs SET state = 'leased', fence = fence + 1, worker = ?4, started_at = ",
    now!(),
    ", lease_until = ?5 + ",
    now!(),
    " WHERE seq IN (SELECT seq FROM zopnight_jobs WHERE lane = ?2 AND state = 'ready' ORDER BY place, seq LIMIT ?3)
     RETURNING seq, id, org_id, lane, kind, state, place, fence, failures, losses, panics, snoozes, cancel_asked,
               serial_key, deployment_id, revision_id, payload, started_at - ready_at AS waited"
);

/// What cannot be read here may be read by another process: back into line, as if never handed out.
pub(super) const PUT_BACK: &str = concat!(
    "UPDATE zopnight_jobs SET state = 'delayed', place = ?3 + ",
    now!(),
    ", lease_until = NULL, worker = NULL,
      dedupe_key = CASE WHEN EXISTS (SELECT 1 FROM zopnight_jobs AS o
        WHERE o.org_id = zopnight_jobs.org_id AND o.dedupe_key = zopnight_jobs.dedupe_key AND o.seq <> zopnight_jobs.seq
        AND (o.state IN ('delayed', 'blocked', 'ready') OR (o.state = 'leased' AND o.dedupe_until = 'finished')))
        THEN NULL ELSE dedupe_key END
     WHERE seq = ?2 AND state = 'leased'"
);

pub(super) const PARK_CORRUPT: &str = concat!(
    "UPDATE zopnight_jobs SET state = 'parked', lease_until = NULL, worker = NULL, last_error = ?3, place = ",
    now!(),
    ", finished_at = ",
    now!(),
    " WHERE seq = ?2 AND state = 'leased'"
);

pub(super) const EXTEND: &str = concat!(
    "UPDATE zopnight_jobs SET lease_until = ?2 + ",
    now!(),
    " FROM json_each(?3) AS e
     WHERE zopnight_jobs.seq = e.value ->> 0 AND zopnight_jobs.fence = e.value ->> 1 AND zopnight_jobs.state = 'leased'
     RETURNING seq, fence, cancel_asked"
);

pub(super) const FINISH_DONE: &str = concat!(
    "UPDATE zopnight_jobs SET state = 'done', lease_until = NULL, worker = NULL, place = ",
    now!(),
    ", finished_at = ",
    now!(),
    " FROM json_each(?2) AS e
     WHERE zopnight_jobs.seq = e.value ->> 0 AND zopnight_jobs.fence = e.value ->> 1 AND zopnight_jobs.state = 'leased'
     RETURNING seq, fence, org_id, serial_key"
);

/// A step decided by the pure rules: absolute values, guarded by state and fence. A row that comes back from a lease
/// beside its successor gives up its dedupe key.
pub(super) const STEP: &str = "UPDATE zopnight_jobs SET
      state = e.value ->> 'to', place = e.value ->> 'place', fence = e.value ->> 'fence',
      failures = e.value ->> 'failures', losses = e.value ->> 'losses', panics = e.value ->> 'panics',
      snoozes = e.value ->> 'snoozes', blocked_on = e.value ->> 'blocked_on', lease_until = NULL, worker = NULL,
      payload = COALESCE(e.value ->> 'payload', payload), last_error = COALESCE(e.value ->> 'error', last_error),
      cancel_asked = CASE WHEN e.value ->> 'revived' THEN 0 ELSE cancel_asked END,
      dedupe_key = CASE WHEN state = 'leased' AND dedupe_until = 'started'
        AND e.value ->> 'to' IN ('ready', 'delayed', 'blocked') AND EXISTS (SELECT 1 FROM zopnight_jobs AS o
        WHERE o.org_id = zopnight_jobs.org_id AND o.dedupe_key = zopnight_jobs.dedupe_key AND o.seq <> zopnight_jobs.seq
        AND (o.state IN ('delayed', 'blocked', 'ready') OR (o.state = 'leased' AND o.dedupe_until = 'finished')))
        THEN NULL ELSE dedupe_key END,
      ready_at = CASE WHEN e.value ->> 'to' = 'ready' THEN ?2 ELSE ready_at END,
      finished_at = CASE WHEN e.value ->> 'to' IN ('done', 'cancelled', 'parked') THEN ?2 END
    FROM json_each(?1) AS e
    WHERE zopnight_jobs.seq = e.value ->> 'seq' AND zopnight_jobs.state = e.value ->> 'from'
      AND zopnight_jobs.fence = e.value ->> 'was'";

pub(super) const ASK_CANCEL: &str = "UPDATE zopnight_jobs SET cancel_asked = 1 WHERE seq = ?1 AND state = 'leased'";

pub(super) const BRIEFS: &str =
    concat!("SELECT ", brief!(), " FROM zopnight_jobs WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq");

/// By lane, since the index gives no order over several.
pub(super) const DUE: &str = concat!(
    "SELECT ",
    brief!(),
    " FROM zopnight_jobs WHERE lane = ?1 AND state = 'delayed' AND place <= ?2 ORDER BY place, seq LIMIT ?3"
);

pub(super) const EXPIRED: &str = concat!(
    "SELECT ",
    brief!(),
    " FROM zopnight_jobs WHERE ",
    lanes!(),
    " AND state = 'leased' AND lease_until < ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
);

pub(super) const NEXT_OF_KEY: &str = concat!(
    "SELECT ",
    brief!(),
    " FROM zopnight_jobs WHERE org_id = ?1 AND blocked_on = 'serial' AND serial_key = ?2
      AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h WHERE h.org_id = ?1 AND h.serial_key = ?2
                      AND h.state IN ('delayed', 'ready', 'leased'))
      ORDER BY seq LIMIT 1"
);

pub(super) const WAITING_FOR_SLOT: &str =
    concat!("SELECT ", brief!(), " FROM zopnight_jobs WHERE org_id = ?1 AND blocked_on = 'slot' ORDER BY seq LIMIT ?2");

pub(super) const ORPHANS: &str = "SELECT DISTINCT w.org_id, w.serial_key FROM zopnight_jobs AS w
    WHERE w.blocked_on = 'serial' AND w.blocked_on IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h WHERE h.org_id = w.org_id AND h.serial_key = w.serial_key
                      AND h.state IN ('delayed', 'ready', 'leased'))
    LIMIT 500";

pub(super) const SLOT_LINES: &str = "SELECT DISTINCT org_id FROM zopnight_jobs
    WHERE blocked_on = 'slot' AND blocked_on IS NOT NULL LIMIT 500";

pub(super) const ON_THE_WAY: &str = "SELECT COUNT(*) AS n FROM zopnight_jobs
    WHERE lane = 'build' AND state IN ('ready', 'leased') AND org_id = ?1";

pub(super) const OF_REVISION: &str = concat!(
    "SELECT ",
    brief!(),
    " FROM zopnight_jobs WHERE revision_id = ?2 AND state IN ('delayed', 'blocked', 'ready', 'leased')
      AND org_id = ?1 AND kind IN ('build', 'watch_build', 'deploy') ORDER BY seq"
);

pub(super) const OF_KEY: &str =
    concat!("SELECT ", brief!(), " FROM zopnight_jobs WHERE org_id = ?1 AND dedupe_key = ?2 AND ", live!());

pub(super) const PARKED_JOB: &str =
    concat!("SELECT ", brief!(), ", dedupe_key FROM zopnight_jobs WHERE id = ?2 AND org_id = ?1 AND state = 'parked'");

pub(super) const PARKED: &str = concat!(
    "SELECT id, kind, deployment_id, revision_id, last_error, place, failures, losses, panics FROM zopnight_jobs
     WHERE ",
    lanes!(),
    " AND state = 'parked' AND org_id = ?1 ORDER BY place DESC, seq DESC LIMIT 100"
);

pub(super) const STATS: &str = concat!(
    "SELECT lane, kind, state, COUNT(*) AS n, MIN(ready_at) AS oldest FROM zopnight_jobs
     WHERE ",
    lanes!(),
    " AND state IN ('ready', 'leased', 'delayed', 'blocked', 'parked') GROUP BY lane, kind, state"
);

/// The first of each line by its own index end-point, however many are delayed.
pub(super) const NEXT_DUE: &str = concat!(
    "SELECT MIN((SELECT MIN(place) FROM zopnight_jobs WHERE lane = l.value AND state = 'delayed')) AS due
     FROM json_each('",
    every_lane!(),
    "') AS l"
);

pub(super) const PURGE_JOBS: &str = concat!(
    "DELETE FROM zopnight_jobs WHERE state = ?1 AND seq IN (SELECT seq FROM zopnight_jobs WHERE ",
    lanes!(),
    " AND state = ?1 AND place < ?2 LIMIT 500)"
);

pub(super) const KIND_OF: &str = "SELECT kind FROM zopnight_jobs WHERE seq = ?1";

pub(super) const DUE_ONE: &str =
    concat!("SELECT ", brief!(), " FROM zopnight_jobs WHERE seq = ?3 AND lane = ?1 AND state = 'delayed' AND place <= ?2");

pub(super) const DUE_SEQS: &str = "SELECT seq FROM zopnight_jobs
    WHERE lane = ?1 AND state = 'delayed' AND place <= ?2 ORDER BY place, seq LIMIT ?3";

pub(super) const PARK_DELAYED: &str = concat!(
    "UPDATE zopnight_jobs SET state = 'parked', last_error = ?3, place = ",
    now!(),
    ", finished_at = ",
    now!(),
    " WHERE seq = ?2 AND state = 'delayed'"
);

pub(super) const HOUSEWORK: &str = concat!(
    "SELECT
      (SELECT COALESCE(group_concat(l.value, ' '), '')
         FROM json_each('",
    every_lane!(),
    "') AS l
        WHERE EXISTS (SELECT 1 FROM zopnight_jobs WHERE lane = l.value AND state = 'delayed' AND place <= ?1)) AS due,
      EXISTS (SELECT 1 FROM zopnight_jobs WHERE ",
    lanes!(),
    " AND state = 'leased' AND lease_until < ?1) AS leased,
      EXISTS (SELECT 1 FROM zopnight_jobs WHERE blocked_on IS NOT NULL) AS blocked"
);
