//! The statements that every database reads alike, written once. A database adds its own to them, or puts its own in their
//! place, in its `sql_*.rs`.

/// Every lane; the index of the lines begins with it.
macro_rules! lanes {
    () => {
        "lane IN ('control', 'watch', 'deploy', 'build', 'status', 'sweep')"
    };
}
pub(crate) use lanes;

/// The condition of the index of live dedupe keys, word for word.
macro_rules! live {
    () => {
        "(state IN ('delayed', 'blocked', 'ready') OR (state = 'leased' AND dedupe_until = 'finished'))"
    };
}
pub(crate) use live;

macro_rules! brief {
    () => {
        "seq, org_id, lane, state, fence, failures, losses, panics, snoozes, cancel_asked, dedupe_key, dedupe_until, \
         serial_key"
    };
}
pub(crate) use brief;

/// What a lease is read from.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
macro_rules! leased {
    () => {
        "seq, id, org_id, lane, kind, state, place, fence, failures, losses, panics, snoozes, cancel_asked, dedupe_key, \
         dedupe_until, serial_key, deployment_id, revision_id, payload, started_at - ready_at AS waited"
    };
}
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use leased;

/// One word for each lane of which something holds.
macro_rules! each_lane {
    ($line:literal, $condition:literal) => {
        concat!(
            "SELECT 'control' AS what FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'control' AND ",
            $condition,
            ") UNION ALL SELECT 'watch' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'watch' AND ",
            $condition,
            ") UNION ALL SELECT 'deploy' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'deploy' AND ",
            $condition,
            ") UNION ALL SELECT 'build' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'build' AND ",
            $condition,
            ") UNION ALL SELECT 'status' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'status' AND ",
            $condition,
            ") UNION ALL SELECT 'sweep' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs",
            $line,
            " WHERE lane = 'sweep' AND ",
            $condition,
            ")"
        )
    };
}
pub(crate) use each_lane;

/// The statements on jobs. `now` reads the clock, which ?1 replaces in tests; `line` names the index of the lines where a
/// database must be told; `lock` ends a SELECT that locks; `seqs` is "is in the list ?1".
macro_rules! standard_jobs {
    ($style:expr, now: $now:literal, line: $line:literal, lock: $lock:literal, seqs: $seqs:literal, { $($own:tt)* }) => {{
        use $crate::database::standard::{brief, each_lane, lanes, live};
        $crate::database::JobsSql {
            now: sql!($style, "SELECT ", $now, " AS now"),
            virtual_time: sql!(
                $style,
                "SELECT COALESCE((SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = ?1 AND state = 'ready'),
                  (SELECT MAX(last_turn) FROM zopnight_turns WHERE lane = ?1), 0) AS v"
            ),
            lock_line: sql!($style, "SELECT 1 AS n FROM zopnight_turns WHERE org_id = ?1 AND lane = ?2", $lock),
            last_turn: sql!($style, "SELECT last_turn FROM zopnight_turns WHERE org_id = ?1 AND lane = ?2"),
            bring_forward: sql!(
                $style,
                "UPDATE zopnight_jobs SET place = ?2 WHERE seq = ?1 AND state = 'delayed' AND place > ?2"
            ),
            probe: sql!($style, each_lane!($line, "state = 'ready'")),
            put_back: sql!(
                $style,
                "UPDATE zopnight_jobs SET place = ?3 + ", $now, ", lease_until = NULL, worker = NULL,
                  dedupe_key = CASE WHEN ?4 THEN NULL ELSE dedupe_key END, state = 'delayed'
                 WHERE seq = ?2 AND state = 'leased'"
            ),
            park_corrupt: sql!(
                $style,
                "UPDATE zopnight_jobs SET state = 'parked', lease_until = NULL, worker = NULL, last_error = ?3,
                  place = ", $now, ", finished_at = ", $now, " WHERE seq = ?2 AND state = 'leased'"
            ),
            ask_cancel: sql!($style, "UPDATE zopnight_jobs SET cancel_asked = TRUE WHERE seq = ?1 AND state = 'leased'"),
            briefs: sql!($style, "SELECT ", brief!(), " FROM zopnight_jobs WHERE seq ", $seqs, " ORDER BY seq"),
            lock_jobs: sql!($style, "SELECT ", brief!(), " FROM zopnight_jobs WHERE seq ", $seqs, " ORDER BY seq", $lock),
            due: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs", $line, " WHERE lane = ?1 AND state = 'delayed' AND place <= ?2
                 ORDER BY place, seq LIMIT ?3"
            ),
            still_due: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE seq ", $seqs, " AND state = 'delayed' AND place <= ?2
                 ORDER BY seq", $lock
            ),
            due_one: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE seq = ?3 AND lane = ?1 AND state = 'delayed'
                  AND place <= ?2"
            ),
            due_seqs: sql!(
                $style,
                "SELECT seq FROM zopnight_jobs", $line, " WHERE lane = ?1 AND state = 'delayed' AND place <= ?2
                 ORDER BY place, seq LIMIT ?3"
            ),
            park_delayed: sql!(
                $style,
                "UPDATE zopnight_jobs SET state = 'parked', last_error = ?3, place = ", $now, ", finished_at = ", $now,
                " WHERE seq = ?2 AND state = 'delayed'"
            ),
            housework: sql!(
                $style,
                each_lane!($line, "state = 'delayed' AND place <= ?1"),
                " UNION ALL SELECT 'leased' FROM (SELECT 1 AS one) AS o WHERE EXISTS (SELECT 1 FROM zopnight_jobs", $line, " WHERE ",
                lanes!(),
                " AND state = 'leased' AND lease_until < ?1)
                 UNION ALL SELECT 'blocked' FROM (SELECT 1 AS one) AS o
                  WHERE EXISTS (SELECT 1 FROM zopnight_jobs", $line, " WHERE ", lanes!(), " AND state = 'blocked')"
            ),
            expired: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs", $line, " WHERE ", lanes!(),
                " AND state = 'leased' AND lease_until < ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
            ),
            still_expired: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE seq ", $seqs, " AND state = 'leased' AND lease_until < ?2
                 ORDER BY seq", $lock
            ),
            rival: sql!(
                $style,
                "SELECT seq FROM zopnight_jobs WHERE org_id = ?1 AND dedupe_key = ?2 AND seq <> ?3 AND ", live!(), " LIMIT 1"
            ),
            next_of_key: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE org_id = ?1 AND blocked_on = 'serial' AND serial_key = ?2
                  AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h WHERE h.org_id = ?1 AND h.serial_key = ?2
                                  AND h.state IN ('delayed', 'ready', 'leased'))
                 ORDER BY seq LIMIT 1"
            ),
            waiting_for_slot: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE org_id = ?1 AND blocked_on = 'slot' ORDER BY seq LIMIT ?2"
            ),
            orphans: sql!(
                $style,
                "SELECT DISTINCT w.org_id, w.lane, w.serial_key FROM zopnight_jobs AS w
                 WHERE w.blocked_on = 'serial' AND w.blocked_on IS NOT NULL
                  AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS h WHERE h.org_id = w.org_id AND h.serial_key = w.serial_key
                                  AND h.state IN ('delayed', 'ready', 'leased'))
                 LIMIT 500"
            ),
            slot_lines: sql!(
                $style,
                "SELECT DISTINCT org_id FROM zopnight_jobs WHERE blocked_on = 'slot' AND blocked_on IS NOT NULL LIMIT 500"
            ),
            on_the_way: sql!(
                $style,
                "SELECT COUNT(*) AS n FROM zopnight_jobs", $line, " WHERE lane = 'build' AND state IN ('ready', 'leased')
                  AND org_id = ?1"
            ),
            of_revision: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE revision_id = ?2
                  AND state IN ('delayed', 'blocked', 'ready', 'leased') AND org_id = ?1
                  AND kind IN ('build', 'watch_build', 'deploy') ORDER BY seq"
            ),
            of_key: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE org_id = ?1 AND dedupe_key = ?2 AND ", live!()
            ),
            parked_job: sql!(
                $style,
                "SELECT ", brief!(), " FROM zopnight_jobs WHERE id = ?2 AND org_id = ?1 AND state = 'parked'"
            ),
            parked: sql!(
                $style,
                "SELECT id, kind, deployment_id, revision_id, last_error, place, failures, losses, panics
                 FROM zopnight_jobs", $line, " WHERE ", lanes!(),
                " AND state = 'parked' AND org_id = ?1 ORDER BY place DESC, seq DESC LIMIT 100"
            ),
            stats: sql!(
                $style,
                "SELECT lane, kind, state, COUNT(*) AS n, MIN(ready_at) AS oldest FROM zopnight_jobs", $line, " WHERE ", lanes!(),
                " AND state = 'ready' GROUP BY lane, kind, state
                 UNION ALL SELECT lane, kind, state, COUNT(*), MIN(ready_at) FROM zopnight_jobs", $line, " WHERE ", lanes!(),
                " AND state IN ('leased', 'delayed', 'blocked', 'parked') GROUP BY lane, kind, state"
            ),
            next_due: sql!(
                $style,
                "SELECT MIN(due) AS due FROM (
                  SELECT MIN(place) AS due FROM zopnight_jobs", $line, " WHERE lane = 'control' AND state = 'delayed'
                  UNION ALL SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = 'watch' AND state = 'delayed'
                  UNION ALL SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = 'deploy' AND state = 'delayed'
                  UNION ALL SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = 'build' AND state = 'delayed'
                  UNION ALL SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = 'status' AND state = 'delayed'
                  UNION ALL SELECT MIN(place) FROM zopnight_jobs", $line, " WHERE lane = 'sweep' AND state = 'delayed') AS d"
            ),
            kind_of: sql!($style, "SELECT kind FROM zopnight_jobs WHERE seq = ?1"),
            purgeable_jobs: sql!(
                $style,
                "SELECT seq FROM zopnight_jobs", $line, " WHERE lane = ?1 AND state = ?2 AND state <> 'ready' AND place < ?3
                 LIMIT ?4"
            ),
            purge_jobs: sql!($style, "DELETE FROM zopnight_jobs WHERE seq ", $seqs, " AND state = ?2"),
            $($own)*
        }
    }};
}
pub(crate) use standard_jobs;

macro_rules! deployment {
    () => {
        "org_id, id, name, forge, integration_id, repository_id, owner, repo, branch, root_path, auto_deploy, build, \
         runtime, space_id, namespace, image_repository, config_version, version, next_number, next_seq, \
         current_revision_id, current_number, newest_revision_id, source_head, skipped_head, branch_mark, \
         last_accepted_at, deleting_at, deleted_at, created_at, updated_at"
    };
}
pub(crate) use deployment;

macro_rules! revision {
    () => {
        "org_id, id, deployment_id, number, state, version, cause, delivery_id, delivery_digest, cause_to_id, \
         cause_to_number, commit_sha, branch, commit_message, author, actor_kind, actor_id, snapshot, plan, image_ref, \
         reason_code, reason_message, superseded_by, rollout, created_at, build_started_at, built_at, \
         deploy_started_at, finished_at, updated_at"
    };
}
pub(crate) use revision;

macro_rules! attempt {
    () => {
        "jti, revision_id, number, image_repository, commit_sha, deadline, dispatch, run_id, run_url, settled, outcome, \
         body_digest, refusals, last_refusal, opened_at, dispatched_at, closed_at"
    };
}
pub(crate) use attempt;

macro_rules! event {
    () => {
        "seq, at, kind, revision_id, actor_kind, actor_id, message, data"
    };
}
pub(crate) use event;

/// The columns that read others are written before those.
macro_rules! move_revision {
    () => {
        "UPDATE zopnight_revisions SET version = version + 1, plan = COALESCE(?7, plan),
          snapshot = COALESCE(?8, snapshot), image_ref = COALESCE(?9, image_ref),
          reason_code = COALESCE(?10, reason_code), reason_message = COALESCE(?11, reason_message),
          superseded_by = COALESCE(?12, superseded_by), rollout = COALESCE(?13, rollout),
          build_started_at = CASE WHEN ?6 = 'building' AND state <> ?6 THEN ?14 ELSE build_started_at END,
          built_at = CASE WHEN ?6 = 'built' AND state <> ?6 THEN ?14 ELSE built_at END,
          deploy_started_at = CASE WHEN ?6 = 'deploying' AND state <> ?6 THEN ?14 ELSE deploy_started_at END,
          updated_at = ?14,
          finished_at = CASE WHEN ?6 NOT IN ('queued', 'building', 'built', 'deploying') THEN ?14 END,
          state = ?6
         WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3 AND version = ?4 AND state = ?5 AND finished_at IS NULL"
    };
}
pub(crate) use move_revision;

macro_rules! count_events_of {
    () => {
        "UPDATE zopnight_revisions SET event_count = event_count + ?3 WHERE org_id = ?1 AND id = ?2"
    };
}
pub(crate) use count_events_of;

/// The statements on the catalog. `lock` ends a SELECT that locks; `ids` is "is in the list ?2"; `position` finds one text in
/// another; `nothing` is the table of a SELECT without one.
macro_rules! standard_catalog {
    ($style:expr, lock: $lock:literal, ids: $ids:literal, position: $position:literal, nothing: $nothing:literal,
     { $($own:tt)* }) => {{
        use $crate::database::standard::{attempt, count_events_of, deployment, event, listed, move_revision, revision};
        $crate::database::CatalogSql {
            lock_org: sql!($style, "SELECT 1 AS n FROM zopnight_orgs WHERE org_id = ?1", $lock),
            idempotency: sql!(
                $style,
                "SELECT request_digest, deployment_id, revision_id, status, created_at FROM zopnight_idempotency
                 WHERE org_id = ?1 AND scope_hash = ?2 AND key_hash = ?3"
            ),
            put_idempotency: sql!(
                $style,
                "INSERT INTO zopnight_idempotency
                  (org_id, scope_hash, key_hash, request_digest, deployment_id, revision_id, status, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ),
            replace_idempotency: sql!(
                $style,
                "UPDATE zopnight_idempotency SET request_digest = ?4, deployment_id = ?5, revision_id = ?6, status = ?7,
                  created_at = ?8
                 WHERE org_id = ?1 AND scope_hash = ?2 AND key_hash = ?3 AND created_at = ?9"
            ),
            deployment: sql!($style, "SELECT ", deployment!(), " FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2"),
            lock_deployment: sql!(
                $style,
                "SELECT ", deployment!(), " FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2", $lock
            ),
            counts: sql!(
                $style,
                "SELECT next_number, next_seq FROM zopnight_deployments
                 WHERE org_id = ?1 AND id = ?2 AND deleted_at IS NULL"
            ),
            name_taken: sql!(
                $style,
                "SELECT 1 AS n FROM zopnight_deployments WHERE org_id = ?1 AND name = ?2 AND deleted_at IS NULL"
            ),
            count_deployments: sql!(
                $style,
                "SELECT COUNT(*) AS n FROM zopnight_deployments WHERE org_id = ?1 AND deleted_at IS NULL"
            ),
            insert_deployment: sql!(
                $style,
                "INSERT INTO zopnight_deployments (", deployment!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                  ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)"
            ),
            update_deployment: sql!(
                $style,
                "UPDATE zopnight_deployments SET
                  name = ?3, forge = ?4, integration_id = ?5, repository_id = ?6, owner = ?7, repo = ?8, branch = ?9,
                  root_path = ?10, auto_deploy = ?11, build = ?12, runtime = ?13, space_id = ?14, namespace = ?15,
                  image_repository = ?16, config_version = ?17, version = ?18, next_number = ?19, next_seq = ?20,
                  current_revision_id = ?21, current_number = ?22, newest_revision_id = ?23, source_head = ?24,
                  skipped_head = ?25, branch_mark = ?26, last_accepted_at = ?27, deleting_at = ?28, deleted_at = ?29,
                  created_at = ?30, updated_at = ?31
                 WHERE org_id = ?1 AND id = ?2"
            ),
            count_listed: sql!($style, "SELECT COUNT(*) AS n", listed!($position)),
            list_newest: sql!(
                $style,
                "SELECT ", deployment!(), listed!($position), " ORDER BY created_at DESC, id DESC LIMIT ?6 OFFSET ?7"
            ),
            list_oldest: sql!(
                $style,
                "SELECT ", deployment!(), listed!($position), " ORDER BY created_at, id LIMIT ?6 OFFSET ?7"
            ),
            list_by_name: sql!(
                $style,
                "SELECT ", deployment!(), listed!($position), " ORDER BY name, id LIMIT ?6 OFFSET ?7"
            ),
            list_by_name_backwards: sql!(
                $style,
                "SELECT ", deployment!(), listed!($position), " ORDER BY name DESC, id DESC LIMIT ?6 OFFSET ?7"
            ),
            insert_revision: sql!(
                $style,
                "INSERT INTO zopnight_revisions
                  (org_id, id, deployment_id, number, state, version, event_count, cause, delivery_id, delivery_digest,
                   cause_to_id, cause_to_number, commit_sha, branch, commit_message, author, actor_kind, actor_id, snapshot,
                   image_ref, created_at, built_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                         ?20)"
            ),
            revisions_by_id: sql!(
                $style,
                "SELECT ", revision!(), " FROM zopnight_revisions WHERE org_id = ?1 AND id ", $ids
            ),
            snapshot: sql!($style, "SELECT snapshot FROM zopnight_revisions WHERE org_id = ?1 AND id = ?2"),
            has_revision: sql!(
                $style,
                "SELECT 1 AS n FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3"
            ),
            move_revision: sql!($style, move_revision!(), " RETURNING number"),
            number_of: sql!($style, "SELECT number FROM zopnight_revisions WHERE org_id = ?1 AND id = ?2"),
            count_unfinished: sql!(
                $style,
                "SELECT COUNT(*) AS n FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND finished_at IS NULL"
            ),
            // Few rows, sorted; the index by number would pass over all that ended.
            unfinished: sql!(
                $style,
                "SELECT ", revision!(), " FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND finished_at IS NULL ORDER BY +number LIMIT ?3"
            ),
            count_revisions: sql!(
                $style,
                "SELECT COUNT(*) AS n FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)"
            ),
            revisions_newest: sql!(
                $style,
                "SELECT ", revision!(), " FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)
                 ORDER BY number DESC LIMIT ?4 OFFSET ?5"
            ),
            revisions_oldest: sql!(
                $style,
                "SELECT ", revision!(), " FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)
                 ORDER BY number LIMIT ?4 OFFSET ?5"
            ),
            count_events_of: sql!($style, count_events_of!(), " RETURNING event_count"),
            event_count: sql!($style, "SELECT event_count FROM zopnight_revisions WHERE org_id = ?1 AND id = ?2"),
            open_slots: sql!(
                $style,
                "SELECT COUNT(*) AS n FROM zopnight_build_attempts WHERE org_id = ?1 AND closed_at IS NULL"
            ),
            insert_attempt: sql!(
                $style,
                "INSERT INTO zopnight_build_attempts
                  (org_id, jti, deployment_id, revision_id, number, image_repository, commit_sha, deadline, dispatch,
                   opened_at)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9", $nothing,
                " WHERE NOT EXISTS (SELECT 1 FROM zopnight_build_attempts
                                   WHERE org_id = ?1 AND (jti = ?2 OR (revision_id = ?4 AND number = ?5)))"
            ),
            awaits_build: sql!(
                $style,
                "SELECT 1 AS n FROM zopnight_revisions
                 WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3 AND state IN ('queued', 'building')"
            ),
            patch_attempt: sql!(
                $style,
                "UPDATE zopnight_build_attempts SET
                  dispatch = COALESCE(?4, dispatch), run_id = COALESCE(?5, run_id), run_url = COALESCE(?6, run_url),
                  dispatched_at = CASE WHEN ?4 <> 'pending' THEN COALESCE(dispatched_at, ?7) ELSE dispatched_at END
                 WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3 AND closed_at IS NULL"
            ),
            refuse_attempt: sql!(
                $style,
                "UPDATE zopnight_build_attempts SET refusals = refusals + 1, last_refusal = ?4
                 WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3"
            ),
            close_attempt: sql!(
                $style,
                "UPDATE zopnight_build_attempts SET settled = ?4, outcome = ?5, body_digest = ?6, closed_at = ?7
                 WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3 AND closed_at IS NULL"
            ),
            end_attempts: sql!(
                $style,
                "UPDATE zopnight_build_attempts SET settled = 'ended', closed_at = ?3
                 WHERE org_id = ?1 AND revision_id = ?2 AND closed_at IS NULL"
            ),
            attempts: sql!(
                $style,
                "SELECT ", attempt!(), " FROM zopnight_build_attempts WHERE org_id = ?1 AND revision_id ", $ids,
                " ORDER BY revision_id, number"
            ),
            events_after: sql!(
                $style,
                "SELECT ", event!(), " FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2 AND seq > ?3
                 ORDER BY seq LIMIT ?4"
            ),
            events_newest: sql!(
                $style,
                "SELECT ", event!(), " FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2
                 ORDER BY seq DESC LIMIT ?3 OFFSET ?4"
            ),
            events_oldest: sql!(
                $style,
                "SELECT ", event!(), " FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2
                 ORDER BY seq LIMIT ?3 OFFSET ?4"
            ),
            log: sql!(
                $style,
                "SELECT revision_id, body, truncated, complete FROM zopnight_build_logs
                 WHERE org_id = ?1 AND revision_id = ?2 AND source = ?3"
            ),
            following: sql!(
                $style,
                "SELECT org_id, id FROM zopnight_deployments
                 WHERE repository_id = ?1 AND forge = ?2 AND branch = ?3 AND auto_deploy = TRUE AND deleting_at IS NULL
                  AND deleted_at IS NULL AND org_id >= ?4 AND (org_id > ?4 OR id > ?5)
                 ORDER BY org_id, id LIMIT 500"
            ),
            tracked: sql!(
                $style,
                "SELECT org_id, id, integration_id, repository_id, owner, repo, forge, branch, source_head, skipped_head,
                  branch_mark, next_number, last_accepted_at
                 FROM zopnight_deployments
                 WHERE auto_deploy = TRUE AND deleting_at IS NULL AND deleted_at IS NULL
                  AND org_id >= ?1 AND (org_id > ?1 OR id > ?2)
                 ORDER BY org_id, id LIMIT 500"
            ),
            stalled: sql!(
                $style,
                "SELECT r.org_id, r.deployment_id, r.id, r.state FROM zopnight_revisions AS r
                 WHERE r.finished_at IS NULL AND r.updated_at <= ?1 AND r.org_id >= ?2
                  AND (r.org_id > ?2 OR r.deployment_id > ?3 OR (r.deployment_id = ?3 AND r.id > ?4))
                  AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS j WHERE j.revision_id = r.id
                                  AND j.state IN ('delayed', 'blocked', 'ready', 'leased') AND j.org_id = r.org_id
                                  AND j.kind IN ('build', 'watch_build', 'deploy'))
                 ORDER BY r.org_id, r.deployment_id, r.id LIMIT 500"
            ),
            purgeable: sql!(
                $style,
                "SELECT org_id, id FROM zopnight_deployments WHERE deleted_at IS NOT NULL AND deleted_at < ?1
                 ORDER BY deleted_at, id LIMIT 1"
            ),
            purge_logs: sql!($style, "DELETE FROM zopnight_build_logs WHERE org_id = ?1 AND deployment_id = ?2"),
            purge_attempts: sql!($style, "DELETE FROM zopnight_build_attempts WHERE org_id = ?1 AND deployment_id = ?2"),
            purge_revisions: sql!($style, "DELETE FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2"),
            purge_events: sql!($style, "DELETE FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2"),
            purge_deployment: sql!($style, "DELETE FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2"),
            $($own)*
        }
    }};
}
pub(crate) use standard_catalog;

macro_rules! listed {
    ($position:literal) => {
        concat!(
            " FROM zopnight_deployments WHERE org_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR ",
            $position,
            "(name, ?2) > 0) AND (?3 IS NULL OR integration_id = ?3)
              AND (?4 IS NULL OR (lower(owner) = lower(?4) AND lower(repo) = lower(?5)))"
        )
    };
}
pub(crate) use listed;
