//! The statements on deployments, revisions, attempts, logs, events and idempotency rows.

macro_rules! deployment {
    () => {
        "org_id, id, name, forge, integration_id, repository_id, owner, repo, branch, root_path, auto_deploy, build, \
         runtime, space_id, namespace, image_repository, config_version, version, next_number, next_seq, \
         current_revision_id, current_number, newest_revision_id, source_head, skipped_head, branch_mark, \
         last_accepted_at, deleting_at, deleted_at, created_at, updated_at"
    };
}

macro_rules! revision {
    () => {
        "org_id, id, deployment_id, number, state, version, cause, delivery_id, delivery_digest, cause_to_id, \
         cause_to_number, commit_sha, branch, commit_message, author, actor_kind, actor_id, snapshot, plan, image_ref, \
         reason_code, reason_message, superseded_by, rollout, created_at, build_started_at, built_at, \
         deploy_started_at, finished_at, updated_at"
    };
}

macro_rules! attempt {
    () => {
        "jti, revision_id, number, image_repository, commit_sha, deadline, dispatch, run_id, run_url, settled, outcome, \
         body_digest, refusals, last_refusal, opened_at, dispatched_at, closed_at"
    };
}

macro_rules! listed {
    () => {
        " FROM zopnight_deployments WHERE org_id = ?1 AND deleted_at IS NULL
          AND (?2 IS NULL OR instr(name, ?2) > 0) AND (?3 IS NULL OR integration_id = ?3)
          AND (?4 IS NULL OR (lower(owner) = lower(?4) AND lower(repo) = lower(?5)))"
    };
}

pub(super) const LOCK_ORG: &str =
    "INSERT INTO zopnight_orgs (org_id, created_at) VALUES (?1, ?2) ON CONFLICT (org_id) DO NOTHING";

pub(super) const IDEMPOTENCY: &str = "SELECT request_digest, deployment_id, revision_id, status, created_at
    FROM zopnight_idempotency WHERE org_id = ?1 AND scope_hash = ?2 AND key_hash = ?3";

pub(super) const PUT_IDEMPOTENCY: &str = "INSERT INTO zopnight_idempotency
      (org_id, scope_hash, key_hash, request_digest, deployment_id, revision_id, status, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (org_id, scope_hash, key_hash) DO UPDATE SET request_digest = excluded.request_digest,
      deployment_id = excluded.deployment_id, revision_id = excluded.revision_id, status = excluded.status,
      created_at = excluded.created_at";

pub(super) const DEPLOYMENT: &str =
    concat!("SELECT ", deployment!(), " FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2");

pub(super) const COUNTS: &str =
    "SELECT next_number, next_seq FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2 AND deleted_at IS NULL";

pub(super) const NAME_TAKEN: &str =
    "SELECT 1 AS n FROM zopnight_deployments WHERE org_id = ?1 AND name = ?2 AND deleted_at IS NULL";

pub(super) const COUNT_DEPLOYMENTS: &str =
    "SELECT COUNT(*) AS n FROM zopnight_deployments WHERE org_id = ?1 AND deleted_at IS NULL";

pub(super) const INSERT_DEPLOYMENT: &str = concat!(
    "INSERT INTO zopnight_deployments (",
    deployment!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,
      ?25, ?26, ?27, ?28, ?29, ?30, ?31)"
);

/// The same binds as the INSERT.
pub(super) const UPDATE_DEPLOYMENT: &str = "UPDATE zopnight_deployments SET
      name = ?3, forge = ?4, integration_id = ?5, repository_id = ?6, owner = ?7, repo = ?8, branch = ?9, root_path = ?10,
      auto_deploy = ?11, build = ?12, runtime = ?13, space_id = ?14, namespace = ?15, image_repository = ?16,
      config_version = ?17, version = ?18, next_number = ?19, next_seq = ?20, current_revision_id = ?21,
      current_number = ?22, newest_revision_id = ?23, source_head = ?24, skipped_head = ?25, branch_mark = ?26,
      last_accepted_at = ?27, deleting_at = ?28, deleted_at = ?29, created_at = ?30, updated_at = ?31
    WHERE org_id = ?1 AND id = ?2";

pub(super) const COUNT_LISTED: &str = concat!("SELECT COUNT(*) AS n", listed!());

pub(super) const LIST_NEWEST: &str =
    concat!("SELECT ", deployment!(), listed!(), " ORDER BY created_at DESC, id DESC LIMIT ?6 OFFSET ?7");

pub(super) const LIST_OLDEST: &str =
    concat!("SELECT ", deployment!(), listed!(), " ORDER BY created_at, id LIMIT ?6 OFFSET ?7");

pub(super) const LIST_BY_NAME: &str = concat!("SELECT ", deployment!(), listed!(), " ORDER BY name, id LIMIT ?6 OFFSET ?7");

pub(super) const LIST_BY_NAME_BACKWARDS: &str =
    concat!("SELECT ", deployment!(), listed!(), " ORDER BY name DESC, id DESC LIMIT ?6 OFFSET ?7");

pub(super) const INSERT_REVISION: &str = "INSERT INTO zopnight_revisions
      (org_id, id, deployment_id, number, state, version, event_count, cause, delivery_id, delivery_digest, cause_to_id,
       cause_to_number, commit_sha, branch, commit_message, author, actor_kind, actor_id, snapshot, image_ref, created_at,
       built_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?20)";

pub(super) const REVISIONS_BY_ID: &str = concat!(
    "SELECT ",
    revision!(),
    " FROM zopnight_revisions WHERE org_id = ?1 AND id IN (SELECT unhex(value) FROM json_each(?2))"
);

pub(super) const SNAPSHOT: &str = "SELECT snapshot FROM zopnight_revisions WHERE org_id = ?1 AND id = ?2";

pub(super) const HAS_REVISION: &str =
    "SELECT 1 AS n FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3";

pub(super) const MOVE_REVISION: &str = "UPDATE zopnight_revisions SET
      state = ?6, version = version + 1, plan = COALESCE(?7, plan), snapshot = COALESCE(?8, snapshot),
      image_ref = COALESCE(?9, image_ref), reason_code = COALESCE(?10, reason_code),
      reason_message = COALESCE(?11, reason_message), superseded_by = COALESCE(?12, superseded_by),
      rollout = COALESCE(?13, rollout),
      build_started_at = CASE WHEN ?6 = 'building' AND state <> ?6 THEN ?14 ELSE build_started_at END,
      built_at = CASE WHEN ?6 = 'built' AND state <> ?6 THEN ?14 ELSE built_at END,
      deploy_started_at = CASE WHEN ?6 = 'deploying' AND state <> ?6 THEN ?14 ELSE deploy_started_at END,
      finished_at = CASE WHEN ?6 NOT IN ('queued', 'building', 'built', 'deploying') THEN ?14 END,
      updated_at = ?14
    WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3 AND version = ?4 AND state = ?5 AND finished_at IS NULL
    RETURNING number";

pub(super) const COUNT_UNFINISHED: &str = "SELECT COUNT(*) AS n FROM zopnight_revisions
    WHERE org_id = ?1 AND deployment_id = ?2 AND finished_at IS NULL";

/// Few rows of the partial index, sorted; the index by number would pass over all that ended.
pub(super) const UNFINISHED: &str = concat!(
    "SELECT ",
    revision!(),
    " FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2 AND finished_at IS NULL ORDER BY +number LIMIT ?3"
);

pub(super) const COUNT_REVISIONS: &str = "SELECT COUNT(*) AS n FROM zopnight_revisions
    WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)";

pub(super) const REVISIONS_NEWEST: &str = concat!(
    "SELECT ",
    revision!(),
    " FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)
      ORDER BY number DESC LIMIT ?4 OFFSET ?5"
);

pub(super) const REVISIONS_OLDEST: &str = concat!(
    "SELECT ",
    revision!(),
    " FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2 AND (?3 IS NULL OR state = ?3)
      ORDER BY number LIMIT ?4 OFFSET ?5"
);

pub(super) const COUNT_EVENTS_OF: &str =
    "UPDATE zopnight_revisions SET event_count = event_count + ?3 WHERE org_id = ?1 AND id = ?2 RETURNING event_count";

pub(super) const OPEN_SLOTS: &str =
    "SELECT COUNT(*) AS n FROM zopnight_build_attempts WHERE org_id = ?1 AND closed_at IS NULL";

pub(super) const INSERT_ATTEMPT: &str = "INSERT INTO zopnight_build_attempts
      (org_id, jti, deployment_id, revision_id, number, image_repository, commit_sha, deadline, dispatch, opened_at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9
    WHERE NOT EXISTS (SELECT 1 FROM zopnight_build_attempts
                      WHERE org_id = ?1 AND (jti = ?2 OR (revision_id = ?4 AND number = ?5)))";

pub(super) const AWAITS_BUILD: &str = "SELECT 1 AS n FROM zopnight_revisions
    WHERE org_id = ?1 AND deployment_id = ?2 AND id = ?3 AND state IN ('queued', 'building')";

pub(super) const PATCH_ATTEMPT: &str = "UPDATE zopnight_build_attempts SET
      dispatch = COALESCE(?4, dispatch), run_id = COALESCE(?5, run_id), run_url = COALESCE(?6, run_url),
      dispatched_at = CASE WHEN ?4 <> 'pending' THEN COALESCE(dispatched_at, ?7) ELSE dispatched_at END
    WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3 AND closed_at IS NULL";

pub(super) const REFUSE_ATTEMPT: &str = "UPDATE zopnight_build_attempts SET refusals = refusals + 1, last_refusal = ?4
    WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3";

pub(super) const CLOSE_ATTEMPT: &str = "UPDATE zopnight_build_attempts SET
      settled = ?4, outcome = ?5, body_digest = ?6, closed_at = ?7
    WHERE org_id = ?1 AND deployment_id = ?2 AND jti = ?3 AND closed_at IS NULL";

pub(super) const END_ATTEMPTS: &str = "UPDATE zopnight_build_attempts SET settled = 'ended', closed_at = ?3
    WHERE org_id = ?1 AND revision_id = ?2 AND closed_at IS NULL";

pub(super) const ATTEMPTS: &str = concat!(
    "SELECT ",
    attempt!(),
    " FROM zopnight_build_attempts WHERE org_id = ?1 AND revision_id IN (SELECT unhex(value) FROM json_each(?2))
      ORDER BY revision_id, number"
);

pub(super) const INSERT_EVENTS: &str = "INSERT INTO zopnight_events
      (org_id, deployment_id, seq, at, kind, revision_id, actor_kind, actor_id, message, data)
    SELECT ?1, ?2, value ->> 0, ?3, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?4)";

pub(super) const EVENTS_AFTER: &str = "SELECT seq, at, kind, revision_id, actor_kind, actor_id, message, data
    FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";

pub(super) const EVENTS_NEWEST: &str = "SELECT seq, at, kind, revision_id, actor_kind, actor_id, message, data
    FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2 ORDER BY seq DESC LIMIT ?3 OFFSET ?4";

pub(super) const EVENTS_OLDEST: &str = "SELECT seq, at, kind, revision_id, actor_kind, actor_id, message, data
    FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2 ORDER BY seq LIMIT ?3 OFFSET ?4";

pub(super) const PUT_LOG: &str = "INSERT INTO zopnight_build_logs
      (org_id, revision_id, source, deployment_id, body, truncated, complete, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (org_id, revision_id, source) DO UPDATE SET body = excluded.body, truncated = excluded.truncated,
      complete = excluded.complete, updated_at = excluded.updated_at";

pub(super) const LOG: &str = "SELECT revision_id, body, truncated, complete FROM zopnight_build_logs
    WHERE org_id = ?1 AND revision_id = ?2 AND source = ?3";

/// Cross-tenant: following.
pub(super) const FOLLOWING: &str = "SELECT org_id, id FROM zopnight_deployments
    WHERE repository_id = ?1 AND forge = ?2 AND branch = ?3 AND auto_deploy = 1 AND deleting_at IS NULL
      AND deleted_at IS NULL AND (org_id, id) > (?4, ?5)
    ORDER BY org_id, id LIMIT 500";

/// Cross-tenant: sweep_page.
pub(super) const TRACKED: &str = "SELECT org_id, id, integration_id, repository_id, owner, repo, forge, branch, source_head,
      skipped_head, branch_mark, next_number, last_accepted_at
    FROM zopnight_deployments
    WHERE auto_deploy = 1 AND deleting_at IS NULL AND deleted_at IS NULL AND (org_id, id) > (?1, ?2)
    ORDER BY org_id, id LIMIT 500";

/// Cross-tenant: sweep_page.
pub(super) const STALLED: &str = "SELECT r.org_id, r.deployment_id, r.id, r.state FROM zopnight_revisions AS r
    WHERE r.finished_at IS NULL AND r.updated_at <= ?1 AND (r.org_id, r.deployment_id, r.id) > (?2, ?3, ?4)
      AND NOT EXISTS (SELECT 1 FROM zopnight_jobs AS j WHERE j.revision_id = r.id
                      AND j.state IN ('delayed', 'blocked', 'ready', 'leased') AND j.org_id = r.org_id
                      AND j.kind IN ('build', 'watch_build', 'deploy'))
    ORDER BY r.org_id, r.deployment_id, r.id LIMIT 500";

/// Cross-tenant: purge.
pub(super) const PURGE_IDEMPOTENCY: &str = "DELETE FROM zopnight_idempotency
    WHERE rowid IN (SELECT rowid FROM zopnight_idempotency WHERE created_at < ?1 LIMIT 500)";

/// Cross-tenant: purge.
pub(super) const PURGEABLE: &str = "SELECT org_id, id FROM zopnight_deployments
    WHERE deleted_at IS NOT NULL AND deleted_at < ?1 ORDER BY deleted_at, id LIMIT 1";

pub(super) const PURGE_LOGS: &str = "DELETE FROM zopnight_build_logs WHERE org_id = ?1 AND deployment_id = ?2";

pub(super) const PURGE_ATTEMPTS: &str = "DELETE FROM zopnight_build_attempts WHERE org_id = ?1 AND deployment_id = ?2";

pub(super) const PURGE_REVISIONS: &str = "DELETE FROM zopnight_revisions WHERE org_id = ?1 AND deployment_id = ?2";

pub(super) const PURGE_EVENTS: &str = "DELETE FROM zopnight_events WHERE org_id = ?1 AND deployment_id = ?2";

pub(super) const PURGE_DEPLOYMENT: &str = "DELETE FROM zopnight_deployments WHERE org_id = ?1 AND id = ?2";
