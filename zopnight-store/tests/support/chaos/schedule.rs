//! What breaks when.

use std::time::Duration;

use super::settings::Settings;
use crate::random::Random;

/// Longer than two leases.
const FROZEN: Duration = Duration::from_secs(11);

/// A fault. Processes are numbered: the workers, then the producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Kill(u32),
    Stop(u32),
    Continue(u32),
    /// All sessions of the database end.
    Sweep,
    /// The server is killed, and started again.
    Restart,
}

/// The faults of a run in the order of their times.
pub(super) fn faults(settings: &Settings) -> Vec<(Duration, Fault)> {
    let mut random = Random::new(settings.seed, "faults");
    let mut faults = Vec::new();
    let window = settings.window;
    let mut spread =
        |count: u32, from: f64, to: f64, random: &mut Random, fault: &mut dyn FnMut(u32, &mut Random) -> Fault| {
            for n in 0..count {
                let place = (f64::from(n) + f64::from(random.below(1_000)) / 1_000.0) / f64::from(count);
                faults.push((window.mul_f64(from + (to - from) * place), fault(n, random)));
            }
        };
    let processes = settings.workers + 1;
    spread(settings.kills, 0.05, 1.0, &mut random, &mut |_, random| Fault::Kill(random.below(processes)));
    spread(settings.stops, 0.05, 0.4, &mut random, &mut |n, _| Fault::Stop(n % settings.workers));
    spread(settings.sweeps, 0.1, 0.9, &mut random, &mut |_, _| Fault::Sweep);
    spread(settings.restarts, 0.3, 0.8, &mut random, &mut |_, _| Fault::Restart);
    let frozen = |(at, fault): &(Duration, Fault)| match fault {
        Fault::Stop(process) => Some((*at + FROZEN, Fault::Continue(*process))),
        _ => None,
    };
    let woken: Vec<_> = faults.iter().filter_map(frozen).collect();
    faults.extend(woken);
    faults.sort_by_key(|(at, _)| *at);
    faults
}
