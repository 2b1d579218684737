//! What every [`RevisionStore`](crate::ports::RevisionStore) keeps. Stamped by [`store_suite!`](crate::store_suite).

pub mod attempts;
pub mod create;
pub mod events;
pub mod jobs;
pub mod reads;
pub mod revisions;
pub mod robust;
pub mod script;
pub mod tenants;
mod world;

/// Stamps the catalog's cases; `store_suite!` calls it.
#[doc(hidden)]
#[macro_export]
macro_rules! catalog_cases {
    ($factory:expr) => {
        $crate::store_suite!(
            @stamp $factory, catalog::create,
            [
                create_writes_all,
                create_name_taken,
                create_name_free_after_gone,
                create_quota,
                create_10_concurrent_same_name,
                idempotency_replay,
                idempotency_key_reused,
                idempotency_failed_request_stores_nothing,
                idempotency_expired_is_new,
                idempotency_100_concurrent,
                idempotency_first_wins_at_every_point,
                idempotency_keys_are_hashed,
                purge_idempotency_after_ttl,
                config_version_conflict,
                source_marks_follow_the_branch,
                deleting_refuses_changes,
                gone_needs_all_terminal,
                unknown_deployment_is_not_found,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::revisions,
            [
                push_redelivery_exists,
                push_supersedes_in_one_commit,
                push_a_b_a_b_four_revisions,
                newest_number_stale,
                move_cas_version,
                move_cas_state,
                move_terminal_refused,
                move_two_racers_one_wins,
                move_succeeded_sets_current,
                move_succeeded_older_does_not_move_current_back,
                move_queued_to_built_overtakes,
                clock_is_databases,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::jobs,
            [
                job_hold_checks_fence,
                job_finish_in_same_commit,
                job_lost_rolls_back_all,
                job_finish_repeat_is_already_finished,
                job_lost_beside_its_change,
                self_reenqueue_same_key,
                callback_100_identical,
                cancel_of_revision_is_exact,
                change_jobs_fold_and_stay_in_their_org,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::attempts,
            [
                attempt_open_before_dispatch,
                attempt_number_unique,
                attempt_closed_with_revision,
                attempt_patch_closed_refused,
                attempt_patch_with_close,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::events,
            [
                events_dense_under_concurrency,
                events_dense_at_every_point,
                events_tail_misses_nothing,
                event_limits_cut,
                event_cap_of_a_revision,
                log_tail_replaced,
                log_limit_1mib,
                invalid_changes,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::reads,
            [
                page_totals_exact,
                page_past_end_empty,
                sort_each_key,
                filter_state,
                unfinished_sorted_capped,
                status_inputs_present,
                following_matches_forge_repo_branch_exactly,
                following_pages_501,
                sweep_page_tracked,
                sweep_page_stalled,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::tenants,
            [
                two_org_reads,
                two_org_fuzz,
                foreign_lease_is_lost,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::robust,
            [
                dropped_future_rolls_back,
                crash_hook_each_statement,
                commit_unknown_is_repeatable,
                connection_killed_is_retried_once,
                server_restart_recovers,
                pool_exhausted_is_unavailable_in_5s,
                read_only_database_is_unavailable,
                lock_wait_is_run_again_whole,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, catalog::script,
            [
                same_script_all_backends,
            ]
        );
    };
}
