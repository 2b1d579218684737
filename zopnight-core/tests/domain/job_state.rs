//! The state machine of a job's row.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use zopnight_core::domain::job_state::{Counters, JobEvent, next};
use zopnight_core::domain::{Fence, JobError, JobState as S, Outcome};

fn error() -> JobError {
    JobError::new("x", "m")
}

fn events() -> Vec<JobEvent> {
    let snooze = |s| Outcome::Snooze { after: Duration::from_secs(s), payload: None };
    let retry = |panic| Outcome::Retry { after: Duration::from_secs(1), error: error(), panic };
    let ends = [
        Outcome::Done,
        Outcome::Cancelled,
        Outcome::Release,
        snooze(0),
        snooze(1),
        retry(false),
        retry(true),
        Outcome::Park { error: error() },
    ];
    let mut events: Vec<JobEvent> = ends.into_iter().map(JobEvent::Finish).collect();
    events.extend([
        JobEvent::Promote,
        JobEvent::Unblock,
        JobEvent::BlockOnSlot,
        JobEvent::Claim,
        JobEvent::Cancel,
        JobEvent::Revive,
    ]);
    events.extend([JobEvent::TakeBack { cancel: false }, JobEvent::TakeBack { cancel: true }]);
    events
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    state: S,
    fence: u32,
    /// The fence of the last hand-out.
    handed_out: Option<u32>,
}

/// One step, with everything that must hold for it.
fn step(row: &Row, counters: Counters, event: &JobEvent) -> Option<(Row, Counters)> {
    let to = next(row.state, counters, event)?;
    assert!(to.counters.fence >= row.fence, "{row:?} {event:?}: a fence fell");
    if row.state.is_ended() {
        assert!(row.state == S::Parked && *event == JobEvent::Revive, "{row:?} {event:?}: an end was left");
        assert_eq!(to.counters, Counters { fence: row.fence + 1, ..Counters::default() });
    }
    let mut handed_out = row.handed_out;
    if *event == JobEvent::Claim {
        assert_eq!((row.state, to.state), (S::Ready, S::Leased));
        assert!(handed_out.is_none_or(|last| to.counters.fence > last), "{row:?}: a fence came twice");
        handed_out = Some(to.counters.fence);
    }
    if row.state == S::Leased && !matches!(event, JobEvent::Finish(_)) && to.state != S::Blocked {
        assert!(to.counters.fence > row.fence, "{row:?} {event:?}: the holder could still write");
    }
    Some((Row { state: to.state, fence: to.counters.fence, handed_out }, to.counters))
}

#[test]
fn every_state_is_reached_and_every_end_holds_over_all_sequences_of_seven() {
    let events = events();
    for entry in [S::Delayed, S::Blocked, S::Ready] {
        let mut seen = BTreeSet::new();
        let mut rows = vec![(Row { state: entry, fence: 0, handed_out: None }, Counters::default())];
        for _ in 0..7 {
            let mut following = Vec::new();
            for (row, counters) in &rows {
                for event in &events {
                    let Some((row, counters)) = step(row, *counters, event) else { continue };
                    let key = (row.clone(), counters.failures, counters.losses, counters.panics, counters.snoozes);
                    if seen.insert(key) {
                        following.push((row, counters));
                    }
                }
            }
            rows = following;
        }
        for state in S::ALL {
            let only_first = matches!(state, S::Blocked | S::Delayed | S::Ready);
            assert!(only_first || seen.iter().any(|(row, ..)| row.state == state), "{state:?} from {entry:?}");
        }
    }
}

#[test]
fn outcomes_count_what_they_should() {
    let held = Counters { fence: 5, failures: 2, losses: 1, panics: 1, snoozes: 3 };
    let after = |event: JobEvent| next(S::Leased, held, &event).map(|t| (t.state, t.counters)).unwrap();
    let finish = |outcome| after(JobEvent::Finish(outcome));
    let snooze = |s| Outcome::Snooze { after: Duration::from_secs(s), payload: None };
    let retry = |panic| Outcome::Retry { after: Duration::ZERO, error: error(), panic };
    assert_eq!(finish(Outcome::Done), (S::Done, held));
    assert_eq!(finish(Outcome::Cancelled), (S::Cancelled, held));
    assert_eq!(finish(Outcome::Park { error: error() }), (S::Parked, held));
    assert_eq!(finish(Outcome::Release), (S::Ready, Counters { fence: 6, ..held }));
    assert_eq!(finish(snooze(0)), (S::Ready, Counters { failures: 0, snoozes: 4, ..held }));
    assert_eq!(finish(snooze(1)), (S::Delayed, Counters { failures: 0, snoozes: 4, ..held }));
    assert_eq!(finish(retry(false)), (S::Delayed, Counters { failures: 3, ..held }));
    assert_eq!(finish(retry(true)), (S::Delayed, Counters { failures: 3, panics: 2, ..held }));
    assert_eq!(after(JobEvent::TakeBack { cancel: false }), (S::Ready, Counters { fence: 6, losses: 2, ..held }));
    assert_eq!(after(JobEvent::TakeBack { cancel: true }), (S::Cancelled, Counters { fence: 6, losses: 2, ..held }));
    assert_eq!(after(JobEvent::BlockOnSlot), (S::Blocked, held));
    let full = Counters { fence: u32::MAX, failures: u32::MAX, losses: u32::MAX, panics: u32::MAX, snoozes: u32::MAX };
    for event in events() {
        let _ = next(S::Leased, full, &event);
    }
}

#[test]
fn fences_order_hand_outs_and_jobs() {
    assert_eq!(Fence::of(3, 7).get(), (3 << 20) | 7);
    assert_eq!(Fence::of(3, 7).hand_out(), 7);
    assert!(Fence::of(4, 0) > Fence::of(3, u32::MAX));
    assert!(Fence::of(3, 1 << 20) >= Fence::of(3, (1 << 20) - 1), "the last hand-out must not wrap to the first");
    assert!(Fence::of(i64::MAX, 1) >= Fence::of((1 << 43) - 1, 1));
    assert_eq!(Fence::of(-1, 1), Fence::of(0, 1));
}

proptest! {
    #[test]
    fn fences_strictly_grow(picks in prop::collection::vec(0_usize..16, 0..200)) {
        let events = events();
        let (mut row, mut counters) = (Row { state: S::Ready, fence: 0, handed_out: None }, Counters::default());
        for pick in picks {
            if let Some((to, with)) = step(&row, counters, &events[pick % events.len()]) {
                (row, counters) = (to, with);
            }
        }
    }

    #[test]
    fn fences_never_fall(seq in 0_i64..1 << 44, more in 0_i64..1000, n: u32, m: u32) {
        let (low, high) = (n.min(m), n.max(m));
        prop_assert!(Fence::of(seq, low) <= Fence::of(seq, high));
        prop_assert!(more == 0 || seq + more >= 1 << 43 || Fence::of(seq, high) < Fence::of(seq + more, low));
    }
}
