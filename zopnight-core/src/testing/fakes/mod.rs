//! Stateful, inspectable fakes of the ports, with faults to script.
//!
//! Every fake keeps what it was told and can be asked for it, and plays the faults of a [`Faults`] script, which several
//! fakes may share. What a fake promises of its port is checked by the same conformance suite as every adapter.

mod analyzer;
mod applier;
mod clock;
mod decoder;
mod dispatcher;
mod faults;
mod forge;
mod progress;
mod random;
mod resolver;
mod tenants;

pub use analyzer::FakeAnalyzer;
pub use applier::{AppliedRelease, FakeApplier, Rolls};
pub use clock::ManualClock;
pub use decoder::FakeDecoder;
pub use dispatcher::{DispatchScript, FakeDispatcher, FakeRun};
pub use faults::{After, Faults, Gate, When};
pub use forge::{FakeForge, Undelivered};
pub use progress::FakeProgress;
pub use random::SeededRandom;
pub use resolver::FakeResolver;
pub use tenants::FakeTenants;
