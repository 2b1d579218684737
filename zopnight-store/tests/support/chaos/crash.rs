//! A process that kills itself at a point of a transaction.

use std::sync::atomic::{AtomicU32, Ordering};

use zopnight_store::testing::{Act, Hook, Point, STEPS};

use super::settings::{CrashAt, Role};
use crate::random::Random;

impl CrashAt {
    /// The points in turn, so that a long run meets all; how often it is passed first is drawn.
    pub(super) fn of(role: Role, turn: u32, random: &mut Random) -> Self {
        let operations: &[&str] = match role {
            Role::Producer => &["queue.enqueue", "store.apply"],
            Role::Worker => &["queue.claim", "queue.finish", "store.apply", "queue.maintain", "queue.extend"],
        };
        let (turn, count) = (turn as usize, operations.len());
        let operation = operations[turn % count].to_owned();
        let step = STEPS[turn / count % STEPS.len()].to_owned();
        Self { operation, step, nth: random.below(5), passes: random.below(15) }
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
