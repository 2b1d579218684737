//! What every [`JobQueue`](crate::ports::JobQueue) keeps. Stamped by [`store_suite!`](crate::store_suite).

pub mod enqueue;
pub mod finish;
pub mod lease;
pub mod serial;
pub mod slots;
pub mod turns;
pub mod upkeep;

/// Stamps the queue's cases; `store_suite!` calls it.
#[doc(hidden)]
#[macro_export]
macro_rules! queue_cases {
    ($factory:expr) => {
        $crate::store_suite!(
            @stamp $factory, queue::enqueue,
            [
                enqueue_then_claim_round_trip,
                enqueue_answers_in_order,
                enqueue_is_all_or_none,
                enqueue_limits,
                enqueue_same_id_folds,
                dedupe_folds_delayed,
                dedupe_folds_blocked,
                dedupe_folds_ready,
                dedupe_finished_folds_while_leased,
                dedupe_started_does_not_fold_while_leased,
                dedupe_started_retry_beside_successor,
                dedupe_free_after_done,
                dedupe_free_after_parked,
                dedupe_free_after_cancel,
                dedupe_held_through_retry,
                dedupe_takes_earlier_due_time,
                dedupe_key_is_per_org,
                dedupe_10_producers_1000_times,
                dedupe_loser_survives_winner_rollback,
                dedupe_fold_vs_claim,
                key_prefix_of_other_lane_refused,
                delay_is_honoured_by_db_clock,
                huge_unicode_payload_round_trip,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::lease,
            [
                claim_empty_is_ok,
                claim_respects_max_and_lanes,
                claim_bounds,
                claim_order_is_turn_then_seq,
                claim_two_claimers_disjoint,
                claim_skips_locked,
                claim_unknown_kind_is_delayed,
                claim_bad_row_is_parked,
                claim_sets_fence_plus_one,
                fence_strictly_increases,
                fence_grows_across_jobs_of_serial_key,
                lease_expires_by_db_clock,
                extend_prolongs,
                extend_many_mixed,
                extend_after_take_back_is_lost,
                extend_expired_but_not_taken_back_is_ok,
                extend_does_not_touch_other_fence,
                extend_100_in_one_statement,
                long_job_starts_once,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::finish,
            [
                finish_done,
                finish_cancelled,
                finish_park,
                finish_retry_charges_failure,
                finish_retry_panic_charges_both,
                finish_snooze_is_free_and_resets_failures,
                finish_snooze_replaces_payload,
                finish_release_is_free_and_bumps_fence,
                finish_stale_fence_is_lost,
                finish_stale_after_take_back_before_reclaim_is_lost,
                finish_twice_is_accepted_twice,
                finish_after_expiry_before_take_back_is_accepted,
                finish_vs_cancel,
                finish_vs_take_back,
                finish_many_mixed,
                finish_error_is_cut_and_redacted,
                terminal_is_terminal,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::serial,
            [
                serial_one_at_a_time,
                serial_in_enqueue_order,
                serial_order_survives_retry,
                serial_unblocks_on_done,
                serial_unblocks_on_park,
                serial_unblocks_on_cancel,
                serial_holder_dies_next_starts,
                serial_enqueue_vs_finish,
                serial_delayed_holder_blocks,
                serial_deploy_and_teardown_share_key,
                serial_blocked_can_be_cancelled,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::slots,
            [
                slot_limit_holds,
                slot_at_capacity_blocks_job_and_writes_nothing_else,
                slot_freed_by_callback,
                slot_freed_by_supersede,
                slot_freed_by_timeout,
                slot_freed_by_cancel,
                slot_wakes_oldest_first,
                slot_open_vs_close_race,
                slot_of_org_a_never_counts_for_b,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::turns,
            [
                turn_idle_org_waits_two,
                turn_equal_shares,
                turn_no_memory_of_idle_past,
                turn_ping_pong_cannot_starve,
                turn_retry_storm_is_fair,
                turn_work_conserving,
                turn_fifo_inside_org,
            ]
        );
        $crate::store_suite!(
            @stamp $factory, queue::upkeep,
            [
                promote_due_only,
                promote_batches,
                promote_from_two_processes,
                promote_isolates_bad_row,
                take_back_expired_only,
                take_back_charges_loss_not_failure,
                take_back_stale_snapshot,
                take_back_pages_past_stuck_rows,
                take_back_cancel_asked_becomes_cancelled,
                mend_finds_orphan,
                losses_limit_hands_out_for_giving_up,
                purge_keeps_live_and_young,
                purge_batches_commit_each,
                purge_spares_what_is_revived_meanwhile,
                purge_deleted_deployment_whole,
                claim_while_purge_runs,
                claim_while_promote_runs,
                maintain_budget_is_kept,
                maintain_reports_next_due,
                maintain_concurrent_four,
                stats_counts_by_kind_and_state,
                stats_cost_ignores_finished,
                parked_list_is_per_org,
                revive_foreign_is_not_found,
                revive_zeroes_and_bumps,
                revive_with_taken_key_is_a_conflict,
                wait_wakes_on_enqueue_in_process,
                wait_wakes_across_connections,
                wait_times_out,
            ]
        );
    };
}
