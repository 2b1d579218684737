//! The leases a worker holds now.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::{JobClass, Lease, LeaseRef};

/// What a supervisor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Go on.
    Run,
    /// Somebody asked to cancel the job.
    Cancel,
    /// Another holds the job.
    Lost,
    /// The worker stops.
    Stop,
}

/// How long a lease is good, by our own monotonic clock, and what its supervisor is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    pub(super) good_until: Instant,
    pub(super) signal: Signal,
}

#[derive(Debug)]
struct Entry {
    class: JobClass,
    control: watch::Sender<Control>,
}

/// The leases a worker holds now.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<LeaseRef, Entry>>);

impl Running {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LeaseRef, Entry>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes a lease in. `claimed` is from before the claim was sent.
    pub(super) fn enter(&self, lease: &Lease, claimed: Instant) -> watch::Receiver<Control> {
        let good_until = claimed.checked_add(lease.lease).unwrap_or(claimed);
        let (control, told) = watch::channel(Control { good_until, signal: Signal::Run });
        self.lock().insert(lease.job, Entry { class: lease.kind.lane().class(), control });
        told
    }

    pub(super) fn leave(&self, lease: LeaseRef) {
        self.lock().remove(&lease);
    }

    pub(super) fn leases(&self) -> Vec<LeaseRef> {
        let mut leases: Vec<LeaseRef> = self.lock().keys().copied().collect();
        leases.sort_unstable();
        leases
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn by_class(&self) -> BTreeMap<JobClass, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.lock().values() {
            let count: &mut usize = counts.entry(entry.class).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    pub(super) fn tell(&self, lease: LeaseRef, change: impl FnOnce(&mut Control)) {
        if let Some(entry) = self.lock().get(&lease) {
            entry.control.send_modify(change);
        }
    }

    pub(super) fn stop_all(&self) {
        for entry in self.lock().values() {
            entry.control.send_modify(|c| c.signal = Signal::Stop);
        }
    }
}
