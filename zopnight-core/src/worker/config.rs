//! Settings of a worker.

use std::time::Duration;

use crate::error::{Error, Result};

/// Settings of a worker. All have defaults; they are checked when the worker is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// Jobs at a time, 1 ..= 256, default 8.
    pub concurrency: u32,
    /// Slots kept for each class; default 1 if `concurrency >= 4`, else 0. At most `concurrency / 4`.
    pub reserved: Option<u32>,
    /// How long a lease lasts, 5 s ..= 1 h, default 30 s: the time in which a dead process is noticed.
    pub lease: Duration,
    /// How often leases are prolonged, at most a third of `lease`, default 10 s.
    pub heartbeat: Duration,
    /// How long before its end an unprolonged lease is abandoned, less than `lease - heartbeat`, default 5 s.
    pub abandon_before: Duration,
    /// Shortest pause between looks, 10 ms ..= 60 s, default 50 ms.
    pub poll_min: Duration,
    /// Longest pause between looks, default 1 s.
    pub poll_max: Duration,
    /// How often housekeeping runs, 1 ..= 60 s, ±20 %, default 5 s.
    pub maintain_every: Duration,
    /// How long running jobs may go on after a stop, 0 ..= 10 min, default 25 s.
    pub drain: Duration,
    /// Lost leases after which a job is given up, 1 ..= 100, default 5.
    pub max_losses: u32,
    /// Panics after which a job is given up, 1 ..= 100, default 3.
    pub max_panics: u32,
    /// How often the sweep runs; 0 = this worker does not ask for it. Default 5 min.
    pub sweep_interval: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            reserved: None,
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            abandon_before: Duration::from_secs(5),
            poll_min: Duration::from_millis(50),
            poll_max: Duration::from_secs(1),
            maintain_every: Duration::from_secs(5),
            drain: Duration::from_secs(25),
            max_losses: 5,
            max_panics: 3,
            sweep_interval: Duration::from_secs(300),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident => $field:ident: $type:ty),+ $(,)?) => {
        impl WorkerConfig {
            $($(#[$doc])* #[must_use] pub const fn $setter(mut self, value: $type) -> Self {
                self.$field = value;
                self
            })+
        }
    };
}

setters! {
    /// With this many jobs at a time.
    with_concurrency => concurrency: u32,
    /// With this lease.
    with_lease => lease: Duration,
    /// With this heartbeat.
    with_heartbeat => heartbeat: Duration,
    /// Abandoning leases this long before their end.
    with_abandon_before => abandon_before: Duration,
    /// With this shortest pause between looks.
    with_poll_min => poll_min: Duration,
    /// With this longest pause between looks.
    with_poll_max => poll_max: Duration,
    /// With housekeeping this often.
    with_maintain_every => maintain_every: Duration,
    /// Letting running jobs go on for this long after a stop.
    with_drain => drain: Duration,
    /// With this interval between sweeps; 0 = none.
    with_sweep_interval => sweep_interval: Duration,
}

impl WorkerConfig {
    /// The slots kept for each class.
    #[must_use]
    pub fn reserved_slots(&self) -> u32 {
        self.reserved.unwrap_or(u32::from(self.concurrency >= 4))
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// `Invalid` with one detail for each setting out of bounds.
    pub fn check(&self) -> Result<()> {
        let seconds = Duration::from_secs;
        let checks = [
            ((1..=256).contains(&self.concurrency), "concurrency", "1 to 256"),
            (self.reserved_slots() <= self.concurrency / 4, "reserved", "at most a quarter of concurrency"),
            ((seconds(5)..=seconds(3_600)).contains(&self.lease), "lease", "5 s to 1 h"),
            (self.heartbeat.saturating_mul(3) <= self.lease, "heartbeat", "at most a third of lease"),
            (
                self.abandon_before < self.lease.saturating_sub(self.heartbeat),
                "abandon_before",
                "less than lease - heartbeat",
            ),
            ((Duration::from_millis(10)..=seconds(60)).contains(&self.poll_min), "poll_min", "10 ms to 60 s"),
            ((self.poll_min..=seconds(60)).contains(&self.poll_max), "poll_max", "poll_min to 60 s"),
            ((seconds(1)..=seconds(60)).contains(&self.maintain_every), "maintain_every", "1 to 60 s"),
            (self.drain <= seconds(600), "drain", "at most 10 min"),
            ((1..=100).contains(&self.max_losses), "max_losses", "1 to 100"),
            ((1..=100).contains(&self.max_panics), "max_panics", "1 to 100"),
        ];
        let wrong = checks.into_iter().filter(|(ok, ..)| !ok);
        let error = wrong.fold(None, |error: Option<Error>, (_, field, rule)| {
            let error = error.unwrap_or_else(|| Error::invalid("worker.config", "settings out of bounds"));
            Some(error.with_detail(field, rule))
        });
        error.map_or(Ok(()), Err)
    }
}
