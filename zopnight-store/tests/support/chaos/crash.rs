//! A process that kills itself at a point of a transaction.

use std::sync::atomic::{AtomicU32, Ordering};

use zopnight_store::testing::{Act, Hook, Point, STEPS};

use super::random::Random;
use super::settings::CrashAt;

const OPERATIONS: [&str; 6] =
    ["queue.enqueue", "queue.claim", "queue.extend", "queue.finish", "queue.maintain", "store.apply"];

impl CrashAt {
    /// The points in turn, so that a long run meets all; how often it is passed first is drawn.
    pub(super) fn of(turn: u32, random: &mut Random) -> Self {
        let (turn, operations) = (turn as usize, OPERATIONS.len());
        let operation = OPERATIONS[turn % operations].to_owned();
        let step = STEPS[turn / operations % STEPS.len()].to_owned();
        Self { operation, step, nth: random.below(6), passes: random.below(40) }
    }
}

#[derive(Debug)]
pub(super) struct Crash {
    at: CrashAt,
    left: AtomicU32,
}

impl Crash {
    pub(super) fn new(at: CrashAt) -> Self {
        Self { left: AtomicU32::new(at.passes), at }
    }
}

impl Hook for Crash {
    fn at(&self, point: &Point) -> Act {
        let is_statement = point.step == "statement";
        let here = (point.operation, point.step) == (&*self.at.operation, &*self.at.step);
        if here && (!is_statement || point.nth == self.at.nth) && self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::process::abort();
        }
        Act::Go
    }
}
