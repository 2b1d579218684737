//! A worker in a process of its own: this binary, run again.

use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use zopnight_core::ports::Store;
use zopnight_core::testing::fakes::When;
use zopnight_store::testing::{Act, Hook, Point};

use crate::backend::open;
use crate::site::Site;

const ORDERS: &str = "ZOPNIGHT_WORKER_PROCESS";

/// What a worker process is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) directory: PathBuf,
    /// Runs until SIGTERM; else until nothing is ready.
    pub(crate) serve: bool,
    /// Dies at this point of its store, from 0.
    pub(crate) die_at: Option<usize>,
    /// Dies when it comes to apply a release.
    pub(crate) die_in_apply: bool,
    /// Holds when it comes to apply a release, until a byte comes in.
    pub(crate) hold_in_apply: bool,
}

/// The end of this process, as by `kill -9`.
fn die() -> ! {
    signal_to(std::process::id(), "KILL");
    loop {
        std::thread::park();
    }
}

fn signal_to(process: u32, name: &str) {
    let sent = StdCommand::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status().unwrap();
    assert!(sent.success(), "kill -{name} {process}");
}

#[derive(Debug)]
struct Points {
    die_at: Option<usize>,
    next: AtomicUsize,
    passed: Mutex<Vec<String>>,
}

impl Hook for Points {
    fn at(&self, point: &Point) -> Act {
        if Some(self.next.fetch_add(1, Ordering::SeqCst)) == self.die_at {
            die();
        }
        self.passed.lock().unwrap().push(format!("{} {} {}", point.operation, point.step, point.nth));
        Act::Go
    }
}

/// The body of a worker process; in any other, nothing.
#[test]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "how a test's process gets its orders")]
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work(orders));
    // It may still be reading its input.
    runtime.shutdown_background();
}

async fn work(orders: Orders) {
    let points = Arc::new(Points { die_at: orders.die_at, next: AtomicUsize::new(0), passed: Mutex::default() });
    let hook = (!orders.serve).then(|| Arc::<Points>::clone(&points) as Arc<dyn Hook>);
    let site = Site::new(open(&orders.url, hook).await, &orders.directory);
    let queue: Arc<dyn Store> = Arc::clone(&site.store);
    let worker = site.worker(queue, Duration::ZERO);
    if orders.die_in_apply {
        site.applier.faults().fail("apply", When::Every, || die());
    }
    if orders.hold_in_apply {
        let gate = site.applier.faults().stall("apply", When::Every);
        tokio::spawn(async move {
            gate.reached().await;
            println!("@held");
            drop(tokio::io::stdin().read(&mut [0]).await);
            gate.release();
        });
    }
    if orders.serve {
        let mut term = signal(SignalKind::terminate()).unwrap();
        println!("@ready");
        let asked = async {
            if orders.hold_in_apply {
                term.recv().await;
                return;
            }
            // Without its parent nothing would ever end it.
            tokio::select! {
                _ = term.recv() => {}
                _ = async { tokio::io::stdin().read(&mut [0]).await } => {}
            }
        };
        let drained = worker.run_until(asked).await;
        println!("@drained {} {}", drained.finished, drained.released);
    } else {
        worker.drain_once().await;
        let passed = points.passed.lock().unwrap().clone();
        println!("@points {}", serde_json::to_string(&passed).unwrap());
    }
}

/// A worker process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Held here: a child whose parent is gone sees its input close.
    input: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(orders: &Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child", "--nocapture"])
            .env(ORDERS, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take().unwrap(), child, said }
    }

    /// What it says after this word.
    pub(crate) async fn says(&mut self, word: &str) -> String {
        while let Some(line) = self.said.next_line().await.unwrap() {
            // The harness prints the name of the test before it, on the same line.
            if let Some((_, said)) = line.split_once(&format!("@{word}")) {
                return said.trim().to_owned();
            }
        }
        panic!("the process ended and never said {word}");
    }

    pub(crate) fn signal(&self, name: &str) {
        signal_to(self.child.id().unwrap(), name);
    }

    /// Lets it go on where it holds.
    pub(crate) async fn let_go(&mut self) {
        self.input.write_all(b"x").await.unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }
}

pub(crate) fn orders(url: &str, directory: &Path) -> Orders {
    Orders { url: url.to_owned(), directory: directory.to_owned(), ..Orders::default() }
}
