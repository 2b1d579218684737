//! Runs that are killed at a seeded moment and started again on the same file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use zopnight_core::domain::{
    DeploymentQuery, DeploymentView, Event, EventKind, EventQuery, OrgId, PageRequest, Revision, RevisionId, RevisionQuery,
    RevisionState,
};
use zopnight_core::ports::Store;
use zopnight_store::{StoreOptions, connect};

use crate::args::{Args, Database};
use crate::report::Report;
use crate::run;
use crate::testing::Sink;
use crate::tests::program::pack;
use crate::world::ORG;

const DIRECTORY: &str = "ZOPNIGHT_QUICKSTART_KILLED";
/// How long a started run may take until nothing is left to do: its steps, and what the killed one held.
const PATIENCE: Duration = Duration::from_secs(120);

fn args(directory: &Path) -> Args {
    Args { db: Database::File(directory.join("zopnight.db")), ..pack(directory) }
}

/// The body of a run that is killed; in any other process, nothing.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let report = Report::new(true, Box::new(std::io::stdout()), Box::new(std::io::sink()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // It goes on until it is killed, or nobody is left to do that.
    let orphaned = async { drop(tokio::io::stdin().read(&mut [0]).await) };
    runtime.block_on(run(&Args { keep: true, ..args(&directory) }, &report, OsStr::new(""), orphaned));
}

/// Starts a run and kills it `after` its line of that number.
async fn killed(directory: &Path, line: usize, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::child", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let _input = child.stdin.take();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut objects = 0;
    while objects < line {
        let said = said.next_line().await.unwrap().unwrap_or_else(|| panic!("the run ended after {objects} objects"));
        objects += usize::from(said.contains(r#"{"t":"#));
    }
    sleep(after).await;
    child.start_kill().unwrap();
    assert_eq!(child.wait().await.unwrap().signal(), Some(9), "line {line}");
}

/// What a file holds.
struct Held(std::sync::Arc<dyn Store>, OrgId);

impl Held {
    async fn of(directory: &Path) -> Self {
        let url = format!("sqlite:{}", directory.join("zopnight.db").display());
        Self(connect(&url, StoreOptions::default()).await.unwrap(), OrgId::parse(ORG).unwrap())
    }

    async fn deployments(&self) -> Vec<DeploymentView> {
        self.0.deployments(&self.1, &DeploymentQuery::default()).await.unwrap().items
    }

    async fn revisions(&self, of: &DeploymentView) -> Vec<Revision> {
        let page = self.0.revisions(&self.1, of.deployment.id, &RevisionQuery::default()).await.unwrap();
        let mut revisions: Vec<Revision> = page.items.into_iter().map(|view| view.revision).collect();
        revisions.sort_by_key(|r| r.number);
        revisions
    }

    async fn events(&self, of: &DeploymentView) -> Vec<Event> {
        let query = EventQuery { page: PageRequest { page: 1, limit: 100 }, newest_first: false, after: Some(0) };
        self.0.events(&self.1, of.deployment.id, &query).await.unwrap().items
    }

    async fn is_settled(&self) -> bool {
        for deployment in self.deployments().await {
            if self.revisions(&deployment).await.iter().any(|r| !r.state.is_terminal()) {
                return false;
            }
        }
        true
    }
}

async fn started_again(directory: &Path) {
    let (out, err) = (Sink::default(), Sink::default());
    let report = Report::new(true, Box::new(out.clone()), Box::new(err.clone()));
    let settled = async {
        let begun = Instant::now();
        while !out.text().contains(r#"{"t":"summary""#) {
            sleep(Duration::from_millis(50)).await;
        }
        let held = Held::of(directory).await;
        while !held.is_settled().await {
            assert!(begun.elapsed() < PATIENCE, "something is never settled: {}", out.text());
            sleep(Duration::from_millis(200)).await;
        }
    };
    let code = run(&Args { keep: true, ..args(directory) }, &report, OsStr::new(""), settled).await;
    assert_eq!(code, 130, "all steps were good, and it was kept until the end of this test: {}", err.text());
}

/// All that ended is told once, and the newest that succeeded serves.
async fn check(directory: &Path) {
    let held = Held::of(directory).await;
    let deployments = held.deployments().await;
    assert!((1..=2).contains(&deployments.len()), "of the killed run and of the one started again");
    for deployment in &deployments {
        let revisions = held.revisions(deployment).await;
        let numbers: Vec<u32> = revisions.iter().map(|r| r.number.get()).collect();
        assert_eq!(numbers, (1..=u32::try_from(revisions.len()).unwrap()).collect::<Vec<_>>());
        assert!(revisions.len() <= 3, "one created, one pushed, one rolled back: {revisions:?}");
        let newest = revisions.iter().rfind(|r| r.state == RevisionState::Succeeded).map(|r| r.id);
        assert_eq!(deployment.current.as_ref().map(|r| r.id), newest);

        let events = held.events(deployment).await;
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
        let mut told: BTreeMap<(Option<RevisionId>, &str), usize> = BTreeMap::new();
        for event in
            events.iter().filter(|e| e.kind.as_str().starts_with("revision.") || e.kind == EventKind::BuildDispatched)
        {
            *told.entry((event.revision, event.kind.as_str())).or_default() += 1;
        }
        assert!(told.values().all(|n| *n == 1), "told twice: {told:?}");
    }
    let whole = deployments.iter().max_by_key(|d| d.deployment.created_at).unwrap();
    let states: Vec<RevisionState> = held.revisions(whole).await.iter().map(|r| r.state).collect();
    assert_eq!(states, [RevisionState::Succeeded; 3]);
}

async fn survives(seed: u64) {
    // A splitmix step: the moments differ, and are the same on every run.
    let mixed = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let (line, after) = (usize::try_from(mixed % 30).unwrap(), Duration::from_millis(mixed >> 32 & 0xff));
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path(), line, after).await;
    started_again(directory.path()).await;
    check(directory.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_finishes_when_it_is_started_again() {
    let mut seeds = tokio::task::JoinSet::new();
    for seed in 1..=6 {
        seeds.spawn(survives(seed));
    }
    while let Some(seed) = seeds.join_next().await {
        seed.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
    }
}
