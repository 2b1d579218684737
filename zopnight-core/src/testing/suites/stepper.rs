//! Steps a store through the points of its transactions, and lets another act while it stands at one of them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::harness::StoreHarness;
use crate::ports::Store;
use crate::testing::hook::{Act, Hook, Point};

/// How long the other may take before it counts as waiting for a lock. A shorter time only tries another interleaving.
pub(super) const SETTLE: Duration = Duration::from_millis(50);

/// Longest stall; a case that forgets to go on fails by its own assertions.
const STALL: Duration = Duration::from_secs(20);

/// Records the points it is asked at and acts at chosen ones, counted from 0.
#[derive(Debug, Default)]
pub(super) struct Stepper {
    seen: Mutex<Vec<Point>>,
    acts: Vec<(usize, Act)>,
    gate: Mutex<Option<(usize, Receiver<()>)>>,
    reached: Notify,
}

impl Stepper {
    pub(super) fn watching() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn acting(acts: Vec<(usize, Act)>) -> Arc<Self> {
        Arc::new(Self { acts, ..Self::default() })
    }

    /// Stalls at point number `at` until the answered sender is used or dropped, and then acts.
    pub(super) fn stalling(at: usize, then: Act) -> (Arc<Self>, Sender<()>) {
        let (go_on, gate) = channel();
        let gate = Mutex::new(Some((at, gate)));
        (Arc::new(Self { acts: vec![(at, then)], gate, ..Self::default() }), go_on)
    }

    pub(super) fn seen(&self) -> Vec<Point> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many points of this step it was asked at.
    pub(super) fn count(&self, step: &str) -> usize {
        self.seen().iter().filter(|point| point.step == step).count()
    }

    /// Resolves when the store stands at a point it acts at.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    fn arrive(&self, point: Point) -> usize {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(point);
        seen.len().saturating_sub(1)
    }
}

impl Hook for Stepper {
    fn at(&self, point: &Point) -> Act {
        let at = self.arrive(*point);
        let Some((_, act)) = self.acts.iter().find(|(wanted, _)| *wanted == at) else { return Act::Go };
        self.reached.notify_one();
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, gate)) = gate {
            // Both a word and a dropped sender let it go on.
            let _ = tokio::task::block_in_place(|| gate.recv_timeout(STALL));
        }
        *act
    }
}

/// What became of two operations, one of which stalled.
#[derive(Debug)]
pub(super) struct Both<A, B> {
    pub(super) first: A,
    pub(super) second: B,
    /// The second ended while the first stood at its point.
    pub(super) overtook: bool,
    /// Where the first stood.
    pub(super) at: Point,
}

/// Runs `first` on the store up to its point number `at`, lets `second` run on the other handle until it ends or waits for
/// the first, and then lets the first go on with `then`. `None` if the first ends before that point; then the second was
/// not run.
pub(super) async fn meanwhile<A, B, FA, FB>(
    h: &dyn StoreHarness,
    at: usize,
    then: Act,
    first: impl FnOnce(Arc<dyn Store>) -> FA,
    second: impl FnOnce(Arc<dyn Store>) -> FB,
) -> Option<Both<A, B>>
where
    A: Send + 'static,
    B: Send + 'static,
    FA: Future<Output = A> + Send + 'static,
    FB: Future<Output = B> + Send + 'static,
{
    let (stepper, go_on) = Stepper::stalling(at, then);
    let mut stalled = tokio::spawn(first(h.hooked(Arc::<Stepper>::clone(&stepper))));
    tokio::select! {
        biased;
        () = stepper.reached() => {}
        ended = &mut stalled => {
            ended.expect("the first ends");
            return None;
        }
    }
    let mut acting = tokio::spawn(second(h.other()));
    let early = tokio::time::timeout(SETTLE, &mut acting).await;
    drop(go_on);
    let first = stalled.await.expect("the first ends");
    let overtook = early.is_ok();
    let second = match early {
        Ok(ended) => ended.expect("the second ends"),
        Err(_) => acting.await.expect("the second ends"),
    };
    let at = stepper.seen().get(at).copied().expect("it stood there");
    Some(Both { first, second, overtook, at })
}
