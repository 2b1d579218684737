//! The forge's record of webhook deliveries that nobody answered well.

use async_trait::async_trait;

use super::FakeForge;
use crate::domain::{Delivery, DeliveryId, Missed, MissedDelivery, MissedRequest, RepoEvent, Timestamp};
use crate::error::{Error, Result};
use crate::ports::DeliveryLog;

/// One delivery in the forge's record.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// What was sent.
    pub delivery: Delivery,
    /// When it was first sent.
    pub at: Timestamp,
    /// The last answer; `None` = no connection.
    pub last_status: Option<u16>,
    /// How often it was sent again.
    pub redeliveries: u32,
}

/// Answers after which sending again is no use: the receiver refused knowingly.
const KNOWINGLY: [u16; 4] = [400, 409, 413, 422];

impl Undelivered {
    fn is_missed(&self) -> bool {
        let knowingly = self.last_status.is_some_and(|s| (200..300).contains(&s) || KNOWINGLY.contains(&s));
        !knowingly && self.redeliveries < 3 && event_name(&self.delivery.event).is_some()
    }
}

fn event_name(event: &RepoEvent) -> Option<&'static str> {
    match event {
        RepoEvent::Push(_) | RepoEvent::BranchDeleted(_) | RepoEvent::TagPushed(_) | RepoEvent::TagDeleted(_) => {
            Some("push")
        }
        RepoEvent::PullRequest(_) => Some("pull_request"),
        RepoEvent::Installation(_) => Some("installation"),
        RepoEvent::Repository(_) => Some("repository"),
        RepoEvent::Ping | RepoEvent::Ignored { .. } => None,
    }
}

impl FakeForge {
    /// Notes in the record that a delivery was sent at `at` and answered so; `None` = no connection.
    pub fn record_delivery(&self, delivery: &Delivery, at: Timestamp, status: Option<u16>) {
        let entry = Undelivered { delivery: delivery.clone(), at, last_status: status, redeliveries: 0 };
        self.lock().log.push(entry);
    }

    /// Notes how a delivery that was sent again was answered.
    pub fn record_answer(&self, id: &DeliveryId, status: Option<u16>) {
        for entry in self.lock().log.iter_mut().filter(|e| e.delivery.id == *id) {
            entry.last_status = status;
        }
    }

    /// The record, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Undelivered> {
        self.lock().log.clone()
    }

    /// Takes what `redeliver` asked for and was not taken yet, in order: what the test must now hand to the pipeline.
    #[must_use]
    pub fn take_redelivered(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.lock().outbox)
    }
}

#[async_trait]
impl DeliveryLog for FakeForge {
    async fn missed(&self, request: &MissedRequest) -> Result<Missed> {
        let after = self.faults.enter("missed").await?;
        let answer = {
            let state = self.lock();
            let mut seen: Vec<_> = state.log.iter().enumerate().filter(|(_, e)| e.at >= request.since).collect();
            seen.sort_by_key(|(_, e)| e.at);
            let newest = seen.last().map(|(_, e)| e.at);
            let mut deliveries: Vec<_> = seen.iter().filter_map(|(n, e)| missed(*n, e)).collect();
            let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
            let complete = deliveries.len() <= limit;
            deliveries.truncate(limit);
            Missed { deliveries, complete, newest }
        };
        after.with(answer).await
    }

    async fn redeliver(&self, delivery: &MissedDelivery) -> Result<()> {
        let after = self.faults.enter("redeliver").await?;
        {
            let mut state = self.lock();
            let entry = state.log.iter_mut().find(|e| e.delivery.id == delivery.id).ok_or_else(|| {
                Error::not_found("forge.redeliver", "delivery_not_found", "the forge has no such delivery")
            })?;
            entry.redeliveries += 1;
            let again = entry.delivery.clone();
            state.outbox.push(again);
        }
        after.leave().await
    }
}

fn missed(n: usize, entry: &Undelivered) -> Option<MissedDelivery> {
    let event = event_name(&entry.delivery.event).filter(|_| entry.is_missed())?;
    Some(MissedDelivery {
        attempt: (n * 10 + entry.redeliveries as usize + 1).to_string(),
        id: entry.delivery.id.clone(),
        event: event.to_owned(),
        at: entry.at,
        last_status: entry.last_status,
        redeliveries: entry.redeliveries,
    })
}
