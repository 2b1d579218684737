//! What a run is, and what a process of it is told.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{producer, worker};

const VARIABLE: &str = "ZOPNIGHT_CHAOS";

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The database, empty.
    pub(crate) url: String,
    pub(crate) seed: u64,
    pub(crate) jobs: u32,
    pub(crate) workers: u32,
    /// `kill -9` of a worker or the producer.
    pub(crate) kills: u32,
    /// Workers frozen for two leases.
    pub(crate) stops: u32,
    /// Ends of all sessions of the database.
    pub(crate) sweeps: u32,
    /// Kills of the server.
    pub(crate) restarts: u32,
    /// Workers in a hundred whose disk is nearly full (SQLite).
    pub(crate) full: u32,
    /// Half of the workers have another time zone and a clock that is an hour off, if libfaketime is installed. Not for
    /// SQLite, whose clock is the process's.
    pub(crate) skewed: bool,
    /// While the producer produces and things break.
    pub(crate) window: Duration,
    /// What must hold all lines at the end.
    pub(crate) history: PathBuf,
}

/// How a process of the run is started from this program.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) arguments: Vec<OsString>,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    Producer,
    Worker,
}

/// Where a process kills itself: after the `nth` statement of an operation, or at its begin or commit, when it has passed
/// there `passes` times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CrashAt {
    pub(super) operation: String,
    pub(super) step: String,
    pub(super) nth: u32,
    pub(super) passes: u32,
}

/// What a process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) settings: Settings,
    pub(super) role: Role,
    /// Counts the processes of the run.
    pub(super) incarnation: u32,
    /// When the run began, in microseconds since the epoch.
    pub(super) began: u64,
    pub(super) crash: Option<CrashAt>,
    /// Its disk is nearly full (SQLite).
    pub(super) full: bool,
}

impl Orders {
    pub(super) fn variable(&self) -> (&'static str, String) {
        (VARIABLE, serde_json::to_string(self).expect("orders are JSON"))
    }
}

/// Panics that the workload asks for begin so; they are silent.
pub(super) const INTENDED: &str = "chaos";

/// Ends a process of the run because the store did what it must never do.
pub(super) fn fatal(why: &str) -> ! {
    eprintln!("chaos: {why}");
    std::process::exit(3)
}

/// Is a process of a run, if this program was started as one; it does not return then. It ends with its parent.
#[expect(clippy::disallowed_methods, reason = "how a process of the test is told what to be")]
pub(crate) fn child() {
    let Ok(orders) = std::env::var(VARIABLE) else { return };
    let orders: Orders = serde_json::from_str(&orders).expect("orders are JSON");
    std::thread::spawn(|| {
        let ended = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(ended.map_or(1, |_| 0));
    });
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload_as_str().is_some_and(|message| message.starts_with(INTENDED)) {
            shown(info);
        }
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match orders.role {
        Role::Producer => runtime.block_on(producer::run(orders)),
        Role::Worker => runtime.block_on(worker::run(orders)),
    }
    std::process::exit(0)
}
