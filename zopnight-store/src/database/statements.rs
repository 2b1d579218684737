//! Which statements a database has.

use super::sql::statements;

statements! {
    /// On jobs, turns and orgs. A list travels as one JSON text.
    JobsSql {
        /// The database's clock. ?1 clock
        now,
        /// ?1 lane
        virtual_time,
        /// The line's lock, if its row is there. ?1 org, ?2 lane
        lock_line,
        /// Makes the line's row, if it is not there. ?1 org, ?2 lane
        make_line,
        /// ?1 org, ?2 lane, ?3 V + n - 1, ?4 n
        take_turns,
        /// ?1 org, ?2 lane
        last_turn,
        /// ?1 ids
        present,
        /// Live jobs of dedupe keys. ?1 pairs of org and key
        survivors,
        /// Serial keys that have a holder or a waiting job. ?1 pairs of org and key
        held,
        /// ?1 seq, ?2 due
        bring_forward,
        /// Lanes with a ready job. No parameter.
        probe,
        /// Of a row that this release cannot read. ?1 clock, ?2 seq, ?3 pause, ?4 whether it gives up its dedupe key
        put_back,
        /// ?1 clock, ?2 seq, ?3 error
        park_corrupt,
        /// Writes decided steps: absolute values, guarded by state and fence. ?1 rows, ?2 now
        step,
        /// ?1 seq
        ask_cancel,
        /// ?1 seqs
        briefs,
        /// The same, locked, by seq. ?1 seqs
        lock_jobs,
        /// ?1 lane, ?2 now, ?3 limit
        due,
        /// Which of these are due, locked. ?1 seqs, ?2 now
        still_due,
        /// ?1 lane, ?2 now, ?3 seq
        due_one,
        /// ?1 lane, ?2 now, ?3 limit
        due_seqs,
        /// ?1 clock, ?2 seq, ?3 error
        park_delayed,
        /// Lanes with a due job, `leased` where a lease ran out, `blocked` where a job is blocked. ?1 now
        housework,
        /// ?1 now, ?2 after, ?3 limit
        expired,
        /// Which of these leases have run out, locked. ?1 seqs, ?2 now
        still_expired,
        /// Another live job of a dedupe key. ?1 org, ?2 key, ?3 seq
        rival,
        /// ?1 org, ?2 key
        next_of_key,
        /// ?1 org, ?2 limit
        waiting_for_slot,
        /// No parameter.
        orphans,
        /// No parameter.
        slot_lines,
        /// ?1 org
        on_the_way,
        /// ?1 org, ?2 revision
        of_revision,
        /// ?1 org, ?2 key
        of_key,
        /// ?1 org, ?2 id
        parked_job,
        /// ?1 org
        parked,
        /// No parameter.
        stats,
        /// No parameter.
        next_due,
        /// ?1 seq
        kind_of,
        /// Jobs past their time. ?1 lane, ?2 state, ?3 cutoff, ?4 limit
        purgeable_jobs,
        /// ?1 seqs, ?2 state
        purge_jobs,
    }
}

statements! {
    /// On the catalog. Each names the tenant but for the last ones.
    CatalogSql {
        /// The org's lock, if its row is there. ?1 org
        lock_org,
        /// Makes the org's row, if it is not there. ?1 org, ?2 now
        make_org,
        /// ?1 org, ?2 scope, ?3 key
        idempotency,
        /// ?1 org, ?2 scope, ?3 key, ?4 digest, ?5 deployment, ?6 revision, ?7 status, ?8 now
        put_idempotency,
        /// In the place of an expired one. The same, ?9 its time
        replace_idempotency,
        /// ?1 org, ?2 id
        deployment,
        /// The same, locked. ?1 org, ?2 id
        lock_deployment,
        /// ?1 org, ?2 id
        counts,
        /// ?1 org, ?2 name
        name_taken,
        /// ?1 org
        count_deployments,
        /// ?1 to ?31, as the columns stand
        insert_deployment,
        /// The same binds.
        update_deployment,
        /// ?1 org, ?2 name part, ?3 integration, ?4 owner, ?5 repository
        count_listed,
        /// The same, ?6 limit, ?7 offset
        list_newest,
        list_oldest,
        list_by_name,
        list_by_name_backwards,
        /// ?1 to ?21
        insert_revision,
        /// ?1 org, ?2 ids
        revisions_by_id,
        /// ?1 org, ?2 id
        snapshot,
        /// ?1 org, ?2 deployment, ?3 id
        has_revision,
        /// ?1 org, ?2 deployment, ?3 id, ?4 version, ?5 from, ?6 to, ?7 plan, ?8 snapshot, ?9 image, ?10 reason code,
        /// ?11 reason message, ?12 superseded by, ?13 rollout, ?14 now
        move_revision,
        /// ?1 org, ?2 id
        number_of,
        /// ?1 org, ?2 deployment
        count_unfinished,
        /// ?1 org, ?2 deployment, ?3 limit
        unfinished,
        /// ?1 org, ?2 deployment, ?3 state
        count_revisions,
        /// The same, ?4 limit, ?5 offset
        revisions_newest,
        revisions_oldest,
        /// ?1 org, ?2 revision, ?3 n
        count_events_of,
        /// ?1 org, ?2 revision
        event_count,
        /// ?1 org
        open_slots,
        /// ?1 org, ?2 jti, ?3 deployment, ?4 revision, ?5 number, ?6 image repository, ?7 commit, ?8 deadline, ?9 now
        insert_attempt,
        /// ?1 org, ?2 deployment, ?3 revision
        awaits_build,
        /// ?1 org, ?2 deployment, ?3 jti, ?4 dispatch, ?5 run id, ?6 run url, ?7 now
        patch_attempt,
        /// ?1 org, ?2 deployment, ?3 jti, ?4 code
        refuse_attempt,
        /// ?1 org, ?2 deployment, ?3 jti, ?4 settled, ?5 outcome, ?6 digest, ?7 now
        close_attempt,
        /// ?1 org, ?2 revision, ?3 now
        end_attempts,
        /// ?1 org, ?2 revisions
        attempts,
        /// ?1 org, ?2 deployment, ?3 now, ?4 rows
        insert_events,
        /// ?1 org, ?2 deployment, ?3 after, ?4 limit
        events_after,
        /// ?1 org, ?2 deployment, ?3 limit, ?4 offset
        events_newest,
        events_oldest,
        /// ?1 org, ?2 revision, ?3 source, ?4 deployment, ?5 body, ?6 truncated, ?7 complete, ?8 now
        put_log,
        /// ?1 org, ?2 revision, ?3 source
        log,
        /// Cross-tenant. ?1 repository, ?2 forge, ?3 branch, ?4 after org, ?5 after id
        following,
        /// Cross-tenant. ?1 after org, ?2 after id
        tracked,
        /// Cross-tenant. ?1 since, ?2 after org, ?3 after deployment, ?4 after revision
        stalled,
        /// Cross-tenant. ?1 cutoff
        purge_idempotency,
        /// Cross-tenant. ?1 cutoff
        purgeable,
        /// ?1 org, ?2 deployment
        purge_logs,
        purge_attempts,
        purge_revisions,
        purge_events,
        purge_deployment,
    }
}
