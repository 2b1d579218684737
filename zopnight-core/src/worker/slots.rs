//! How many jobs of each lane a worker may claim now.

use std::collections::BTreeMap;

use crate::domain::{JobClass, Lane, Want};

/// The slots of a worker: some kept for each class, the rest shared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    pub(super) total: usize,
    /// Kept for each class.
    pub(super) reserved: usize,
}

impl Slots {
    /// How many more jobs of a class may start: its own slots that are left, and the shared ones.
    pub(super) fn free(self, running: &BTreeMap<JobClass, usize>, class: JobClass) -> usize {
        let own = |c: &JobClass| self.reserved.saturating_sub(running.get(c).copied().unwrap_or(0));
        let kept: usize = JobClass::ALL.iter().map(own).sum();
        let free = self.total.saturating_sub(running.values().sum());
        own(&class).saturating_add(free.saturating_sub(kept))
    }

    /// What to ask of the `open` lanes when so many jobs of each class run: one slot after another, to the most urgent lane first,
    /// from its class's own slots, then from the shared ones. The sum never exceeds the free slots: a claimed job starts at once.
    pub(super) fn allot(self, running: &BTreeMap<JobClass, usize>, open: &[Lane]) -> Vec<Want> {
        let classes: BTreeMap<JobClass, usize> = Lane::ALL.iter().map(|l| (l.class(), 0)).collect();
        let busy = |class: &JobClass| running.get(class).copied().unwrap_or(0);
        let mut own: BTreeMap<JobClass, usize> =
            classes.keys().map(|class| (*class, self.reserved.saturating_sub(busy(class)))).collect();
        let kept: usize = own.values().sum();
        let free = self.total.saturating_sub(running.values().sum());
        let mut shared = free.saturating_sub(kept);
        let mut asked: BTreeMap<Lane, u32> = BTreeMap::new();
        loop {
            let before = asked.clone();
            for lane in open {
                let own = own.entry(lane.class()).or_default();
                let from = if *own > 0 { own } else { &mut shared };
                let max = asked.entry(*lane).or_default();
                if *from > 0 && *max < 100 {
                    *from = from.saturating_sub(1);
                    *max = max.saturating_add(1);
                }
            }
            if asked == before {
                return asked.into_iter().filter(|(_, max)| *max > 0).map(|(lane, max)| Want { lane, max }).collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(slots: Slots, running: &[(JobClass, usize)], open: &[Lane]) -> Vec<(Lane, u32)> {
        slots.allot(&running.iter().copied().collect(), open).into_iter().map(|w| (w.lane, w.max)).collect()
    }

    #[test]
    fn every_lane_is_asked_and_no_slot_twice() {
        let slots = Slots { total: 8, reserved: 1 };
        let all = asked(slots, &[], &Lane::ALL);
        assert_eq!(all.len(), 6);
        assert_eq!(all.iter().map(|(_, n)| n).sum::<u32>(), 8);
    }

    #[test]
    fn a_class_under_load_leaves_the_others_their_own_slot() {
        let slots = Slots { total: 4, reserved: 1 };
        assert_eq!(asked(slots, &[], &[Lane::Build]), [(Lane::Build, 1)]);
        let busy = [(JobClass::Build, 3)];
        assert_eq!(asked(Slots { total: 6, reserved: 1 }, &busy, &[Lane::Build]), []);
        assert_eq!(asked(Slots { total: 6, reserved: 1 }, &busy, &[Lane::Deploy, Lane::Build]), [(Lane::Deploy, 1)]);
    }

    #[test]
    fn what_a_class_may_take_is_its_own_and_the_shared() {
        let slots = Slots { total: 8, reserved: 1 };
        let running = [(JobClass::Build, 3)].into_iter().collect();
        assert_eq!(JobClass::ALL.map(|class| slots.free(&running, class)), [3, 3, 2, 3]);
        assert_eq!(asked(slots, &[(JobClass::Build, 3)], &[Lane::Build]), [(Lane::Build, 2)]);
    }

    #[test]
    fn what_nobody_else_wants_goes_to_the_lane_that_does() {
        let slots = Slots { total: 8, reserved: 1 };
        assert_eq!(asked(slots, &[(JobClass::Deploy, 1)], &[Lane::Deploy]), [(Lane::Deploy, 4)]);
        assert_eq!(asked(Slots { total: 1, reserved: 0 }, &[], &Lane::ALL), [(Lane::Control, 1)]);
    }
}
