//! What every [`JobQueue`](crate::ports::JobQueue) keeps. Stamped by [`store_suite!`](crate::store_suite).

pub mod enqueue;

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
                dedupe_fold_vs_claim,
                key_prefix_of_other_lane_refused,
                delay_is_honoured_by_db_clock,
            ]
        );
    };
}
