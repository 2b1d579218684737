//! Faults to script, shared by the fakes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::error::{Error, Result};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which calls of an operation a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The n-th call (1-based) since this script was made.
    Nth(u32),
    /// The next so many calls.
    Next(u32),
    /// Every call until [`Faults::clear`].
    Every,
}

type Make = Arc<dyn Fn() -> Error + Send + Sync>;

#[derive(Clone)]
enum Act {
    FailBefore(Make),
    FailAfter(Make),
    StallBefore(Gate),
    StallAfter(Gate),
}

struct Rule {
    operation: &'static str,
    when: When,
    act: Act,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    log: Vec<&'static str>,
}

/// A script of faults and a log of calls, by the name of the port's method (`dispatch`, `apply`, `heads`, …). Clones share
/// one script, so that one script can serve several fakes. The first rule that fits a call is the one that acts.
///
/// ```
/// use zopnight_core::testing::fakes::{Faults, When};
/// use zopnight_core::{Error, ErrorKind};
///
/// let faults = Faults::new();
/// // Takes effect, but its answer is lost: what a broken connection looks like.
/// faults.fail_after("dispatch", When::Nth(2), || Error::unavailable("fake.dispatch", "connection reset"));
/// assert_eq!(faults.calls("dispatch"), 0);
/// ```
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// A script without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call fails and has no effect.
    pub fn fail(&self, operation: &'static str, when: When, error: impl Fn() -> Error + Send + Sync + 'static) {
        self.add(operation, when, Act::FailBefore(Arc::new(error)));
    }

    /// The call has its effect, but answers this error.
    pub fn fail_after(&self, operation: &'static str, when: When, error: impl Fn() -> Error + Send + Sync + 'static) {
        self.add(operation, when, Act::FailAfter(Arc::new(error)));
    }

    /// The call waits at the gate before its effect.
    #[must_use]
    pub fn stall(&self, operation: &'static str, when: When) -> Gate {
        let gate = Gate::new();
        self.add(operation, when, Act::StallBefore(gate.clone()));
        gate
    }

    /// The call has its effect and then waits at the gate.
    #[must_use]
    pub fn stall_after(&self, operation: &'static str, when: When) -> Gate {
        let gate = Gate::new();
        self.add(operation, when, Act::StallAfter(gate.clone()));
        gate
    }

    /// Forgets the faults of an operation; calls that wait at a gate go on waiting.
    pub fn clear(&self, operation: &str) {
        lock(&self.0).rules.retain(|r| r.operation != operation);
    }

    /// How often the operation was called, failed calls included.
    #[must_use]
    pub fn calls(&self, operation: &str) -> u32 {
        count(&lock(&self.0).log, operation)
    }

    /// All calls in order.
    #[must_use]
    pub fn log(&self) -> Vec<&'static str> {
        lock(&self.0).log.clone()
    }

    fn add(&self, operation: &'static str, when: When, act: Act) {
        lock(&self.0).rules.push(Rule { operation, when, act });
    }

    /// Notes a call and plays what comes before its effect; what comes after is played by [`After::leave`].
    ///
    /// # Errors
    /// The scripted one.
    pub async fn enter(&self, operation: &'static str) -> Result<After> {
        match self.take(operation) {
            Some(Act::FailBefore(make)) => Err(make()),
            Some(Act::StallBefore(gate)) => {
                gate.pass().await;
                Ok(After(None))
            }
            after => Ok(After(after)),
        }
    }

    /// As [`Faults::enter`] for a call that cannot wait: only errors are played, both kinds at once.
    ///
    /// # Errors
    /// The scripted one.
    pub fn enter_now(&self, operation: &'static str) -> Result<()> {
        match self.take(operation) {
            Some(Act::FailBefore(make) | Act::FailAfter(make)) => Err(make()),
            _ => Ok(()),
        }
    }

    fn take(&self, operation: &'static str) -> Option<Act> {
        let mut state = lock(&self.0);
        state.log.push(operation);
        let nth = count(&state.log, operation);
        let fits = |r: &Rule| {
            r.operation == operation
                && match r.when {
                    When::Nth(n) => n == nth,
                    When::Next(left) => left > 0,
                    When::Every => true,
                }
        };
        let rule = state.rules.iter_mut().find(|r| fits(r))?;
        if let When::Next(left) = &mut rule.when {
            *left -= 1;
        }
        Some(rule.act.clone())
    }
}

fn count(log: &[&'static str], operation: &str) -> u32 {
    u32::try_from(log.iter().filter(|o| **o == operation).count()).unwrap_or(u32::MAX)
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0);
        let rules: Vec<_> = state.rules.iter().map(|r| (r.operation, r.when)).collect();
        f.debug_struct("Faults").field("rules", &rules).field("calls", &state.log.len()).finish()
    }
}

/// What is still to be played once a call took effect.
#[must_use]
pub struct After(Option<Act>);

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("After").field(&self.0.is_some()).finish()
    }
}

impl After {
    /// Plays it.
    ///
    /// # Errors
    /// The scripted one.
    pub async fn leave(self) -> Result<()> {
        match self.0 {
            Some(Act::FailAfter(make)) => Err(make()),
            Some(Act::StallAfter(gate)) => {
                gate.pass().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// [`After::leave`] with the call's answer.
    ///
    /// # Errors
    /// The scripted one.
    pub async fn with<T: Send>(self, answer: T) -> Result<T> {
        self.leave().await?;
        Ok(answer)
    }
}

/// Holds calls back until it is released.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<Door>>);

#[derive(Clone, Copy, Debug, Default)]
struct Door {
    open: bool,
    arrived: u32,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Door::default())))
    }

    /// Lets all pass, those that come later included.
    pub fn release(&self) {
        self.0.send_modify(|door| door.open = true);
    }

    /// Waits until a call has come to the gate.
    pub async fn reached(&self) {
        // The sender lives in `self`, so the channel cannot be closed here.
        drop(self.0.subscribe().wait_for(|door| door.arrived > 0).await);
    }

    /// How many calls have come, gone ones included.
    #[must_use]
    pub fn arrived(&self) -> u32 {
        self.0.borrow().arrived
    }

    pub(super) async fn pass(&self) {
        self.0.send_modify(|door| door.arrived += 1);
        drop(self.0.subscribe().wait_for(|door| door.open).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Retry};

    #[tokio::test]
    async fn rules_meet_the_calls_they_name() {
        let faults = Faults::new();
        faults.fail("a", When::Nth(2), || Error::unavailable("a", "second"));
        faults.fail_after("a", When::Next(1), || {
            Error::new(ErrorKind::RateLimited, "a", "later").with_retry(Retry::After(std::time::Duration::from_secs(3)))
        });
        let first = faults.enter("a").await.unwrap();
        assert_eq!(first.leave().await.unwrap_err().kind(), ErrorKind::RateLimited);
        assert_eq!(faults.enter("a").await.unwrap_err().message(), "second");
        faults.enter("a").await.unwrap().leave().await.unwrap();
        faults.enter("b").await.unwrap().leave().await.unwrap();
        assert_eq!((faults.calls("a"), faults.calls("b")), (3, 1));
        assert_eq!(faults.log(), ["a", "a", "a", "b"]);
    }

    #[tokio::test]
    async fn a_gate_holds_until_released() {
        let faults = Faults::new();
        let gate = faults.stall("a", When::Next(1));
        let call = tokio::spawn({
            let faults = faults.clone();
            async move { faults.enter("a").await.map(drop) }
        });
        gate.reached().await;
        assert!(!call.is_finished());
        gate.release();
        call.await.unwrap().unwrap();
        assert_eq!(gate.arrived(), 1);
    }
}
