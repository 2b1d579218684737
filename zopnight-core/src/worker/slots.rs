//! How many jobs of each lane a worker may claim now.

use super::shared::Shared;
use crate::domain::{JobClass, Lane, Want};

/// From the most to the least urgent.
const CLASSES: [JobClass; 4] = [JobClass::Control, JobClass::Deploy, JobClass::Build, JobClass::Background];

impl Shared {
    /// Never more than the free slots: a claimed job starts at once. Each class finds its reserved slots free of the others.
    pub(super) fn wants(&self) -> Vec<Want> {
        let total = self.config.concurrency as usize;
        let reserved = self.config.reserved_slots() as usize;
        let running = CLASSES.map(|class| (class, self.running.count_of(class)));
        let kept: usize = running.iter().map(|(_, n)| reserved.saturating_sub(*n)).sum();
        let mut free = total.saturating_sub(self.running.count());
        let mut shared = free.saturating_sub(kept);
        let mut wants = Vec::new();
        for (class, busy) in running {
            let own = reserved.saturating_sub(busy);
            let mut room = own.saturating_add(shared).min(free);
            for lane in Lane::ALL.into_iter().filter(|l| l.class() == class) {
                if room == 0 {
                    break;
                }
                // A lane is asked for one job at a time where several share the room, so that none is overdrawn.
                let lanes = Lane::ALL.into_iter().filter(|l| l.class() == class).count();
                let max = if lanes > 1 { room.div_ceil(lanes) } else { room };
                wants.push(Want { lane, max: u32::try_from(max.min(100)).unwrap_or(1) });
                room = room.saturating_sub(max);
                let from_shared = max.saturating_sub(own);
                shared = shared.saturating_sub(from_shared);
                free = free.saturating_sub(max);
            }
        }
        wants
    }
}
