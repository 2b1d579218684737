//! What every [`DeliveryLog`] keeps, whatever forge's record it reads.
//!
//! An adapter implements [`DeliveryLogHarness`] and stamps the cases with `delivery_log_suite!`. Each case gets a harness of
//! its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{DeliveryId, Missed, MissedDelivery, MissedRequest, Timestamp};
use crate::ports::DeliveryLog;

/// A log over a forge whose record the suite can write.
#[async_trait]
pub trait DeliveryLogHarness: Send + Sync {
    /// The log under test; the same on every call.
    fn log(&self) -> Arc<dyn DeliveryLog>;

    /// An instant from which the suite may count: everything it records lies in the following hour, which the log takes to
    /// be over.
    fn start(&self) -> Timestamp;

    /// Records that a push was delivered at `at` and answered with `status`; `None` = no connection. Answers its id.
    async fn record(&self, at: Timestamp, status: Option<u16>) -> DeliveryId;

    /// The deliveries that the forge was asked to send again, in order.
    async fn redelivered(&self) -> Vec<DeliveryId>;

    /// Sends what the forge was asked to send again, and lets each be answered with `status`.
    async fn deliver_again(&self, status: Option<u16>);
}

async fn record(harness: &impl DeliveryLogHarness, statuses: &[Option<u16>]) -> Vec<DeliveryId> {
    let mut ids = Vec::new();
    for (n, status) in (0..).zip(statuses) {
        ids.push(harness.record(at(harness, n), *status).await);
    }
    ids
}

fn at(harness: &impl DeliveryLogHarness, n: u64) -> Timestamp {
    harness.start().plus(Duration::from_secs(60 * n))
}

async fn missed(harness: &impl DeliveryLogHarness, since: Timestamp, limit: u32) -> Missed {
    harness.log().missed(&MissedRequest { since, limit }).await.expect("the record is answered")
}

fn ids(missed: &Missed) -> Vec<DeliveryId> {
    missed.deliveries.iter().map(|d| d.id.clone()).collect()
}

async fn redeliver(harness: &impl DeliveryLogHarness, delivery: &MissedDelivery) {
    harness.log().redeliver(delivery).await.expect("a redelivery can be asked for");
}

/// An empty record misses nothing.
pub async fn an_empty_record_misses_nothing(harness: &impl DeliveryLogHarness) {
    let answer = missed(harness, harness.start(), 100).await;
    assert_eq!(answer, Missed { deliveries: Vec::new(), complete: true, newest: None });
}

/// What nobody answered well is missed, oldest first; what we took or refused knowingly is not.
pub async fn what_nobody_answered_well_is_missed(harness: &impl DeliveryLogHarness) {
    let statuses =
        [None, Some(200), Some(500), Some(202), Some(503), Some(400), Some(409), Some(413), Some(422), Some(401), Some(404)];
    let sent = record(harness, &statuses).await;
    let answer = missed(harness, harness.start(), 100).await;
    assert_eq!(ids(&answer), [0, 2, 4, 9, 10].map(|n: usize| sent[n].clone()));
    assert!(answer.complete);
    let first = &answer.deliveries[0];
    assert_eq!((first.event.as_str(), first.at, first.last_status), ("push", at(harness, 0), None));
    assert_eq!(answer.deliveries[1].last_status, Some(500));
}

/// The newest delivery is told, whether it was missed or not.
pub async fn the_newest_delivery_is_told(harness: &impl DeliveryLogHarness) {
    record(harness, &[None, Some(202)]).await;
    assert_eq!(missed(harness, harness.start(), 100).await.newest, Some(at(harness, 1)));
}

/// What is older than asked for is left out.
pub async fn older_deliveries_are_left_out(harness: &impl DeliveryLogHarness) {
    let sent = record(harness, &[None, None, None]).await;
    assert_eq!(ids(&missed(harness, at(harness, 1), 100).await), sent[1..]);
    let later = missed(harness, at(harness, 3), 100).await;
    assert!(later.deliveries.is_empty() && later.complete);
}

/// No more than asked for are told, the oldest of them, and that there are more.
pub async fn the_limit_is_kept(harness: &impl DeliveryLogHarness) {
    let sent = record(harness, &[None, None, None]).await;
    let answer = missed(harness, harness.start(), 2).await;
    assert_eq!(ids(&answer), sent[..2]);
    assert!(!answer.complete);
    assert!(missed(harness, harness.start(), 3).await.complete);
}

/// Looking sends nothing again.
pub async fn looking_sends_nothing(harness: &impl DeliveryLogHarness) {
    record(harness, &[None]).await;
    let first = missed(harness, harness.start(), 100).await;
    assert_eq!(missed(harness, harness.start(), 100).await, first);
    assert!(harness.redelivered().await.is_empty());
}

/// A redelivery goes out under the same id; once it is answered well it is no longer missed.
pub async fn a_redelivery_keeps_its_id(harness: &impl DeliveryLogHarness) {
    let sent = record(harness, &[None, Some(500)]).await;
    let answer = missed(harness, harness.start(), 100).await;
    redeliver(harness, &answer.deliveries[1]).await;
    assert_eq!(harness.redelivered().await, sent[1..]);
    harness.deliver_again(Some(202)).await;
    assert_eq!(ids(&missed(harness, harness.start(), 100).await), sent[..1]);
}

/// A redelivery that fails is missed again, with its count, until it failed three times.
pub async fn a_failed_redelivery_is_missed_three_times(harness: &impl DeliveryLogHarness) {
    record(harness, &[None]).await;
    for count in 0..3 {
        let answer = missed(harness, harness.start(), 100).await;
        assert_eq!(answer.deliveries.iter().map(|d| d.redeliveries).collect::<Vec<_>>(), [count]);
        redeliver(harness, &answer.deliveries[0]).await;
        harness.deliver_again(Some(500)).await;
    }
    assert!(missed(harness, harness.start(), 100).await.deliveries.is_empty());
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`DeliveryLogHarness`].
#[macro_export]
macro_rules! delivery_log_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            delivery_log,
            [
                an_empty_record_misses_nothing,
                what_nobody_answered_well_is_missed,
                the_newest_delivery_is_told,
                older_deliveries_are_left_out,
                the_limit_is_kept,
                looking_sends_nothing,
                a_redelivery_keeps_its_id,
                a_failed_redelivery_is_missed_three_times,
            ]
        );
    };
}
