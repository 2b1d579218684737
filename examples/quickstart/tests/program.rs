//! Runs on the sample.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::args::{Args, BuilderChoice, Database};
use crate::report::Report;
use crate::run;
use crate::testing::Sink;

/// What a run said and how it ended.
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// The objects on standard output; every line must be one.
    fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    pub(super) fn summary(&self) -> Value {
        let last = self.objects().pop().unwrap_or_else(|| panic!("nothing was said: {}", self.err));
        assert_eq!(last["t"], "summary");
        last
    }
}

pub(super) fn pack(work: &Path) -> Args {
    Args { builder: BuilderChoice::Pack, json: true, work_dir: Some(work.to_owned()), ..Args::default() }
}

pub(super) async fn ran(args: &Args, path: &OsStr) -> Ran {
    until(args, path, std::future::pending()).await
}

pub(super) async fn until(args: &Args, path: &OsStr, interrupt: impl Future<Output = ()>) -> Ran {
    let (out, err) = (Sink::default(), Sink::default());
    let report = Report::new(args.json, Box::new(out.clone()), Box::new(err.clone()));
    let code = run(args, &report, path, interrupt).await;
    Ran { code, out: out.text(), err: err.text() }
}

/// Number, cause, state and image digest of each revision in the summary.
fn revisions(summary: &Value) -> Vec<(u64, String, String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let one = |r: &Value| {
        let digest = r["imageRef"].as_str().and_then(|i| i.split_once('@')).map_or("", |(_, d)| d).to_owned();
        (r["number"].as_u64().unwrap(), text(&r["cause"]), text(&r["state"]), digest)
    };
    summary["revisions"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_deployed_pushed_repeated_and_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let ran = ran(&pack(dir.path()), OsStr::new("")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let summary = ran.summary();
    assert!(ran.out.lines().last().unwrap().starts_with(r#"{"t":"summary","ok":true,"revisions":["#), "{}", ran.out);
    assert_eq!((&summary["duplicates"], &summary["refused"]), (&1.into(), &1.into()));
    let all = revisions(&summary);
    let told: Vec<_> = all.iter().map(|(n, cause, state, _)| (*n, cause.as_str(), state.as_str())).collect();
    assert_eq!(told, [(1, "create", "succeeded"), (2, "push", "succeeded"), (3, "rollback", "succeeded")]);
    assert!(all[0].3.starts_with("sha256:") && all[0].3 == all[2].3 && all[0].3 != all[1].3, "{all:?}");
    // The sample's commits and its packed images are the same on every machine.
    let commits: Vec<_> = summary["revisions"].as_array().unwrap().iter().map(|r| r["commit"].clone()).collect();
    assert_eq!(commits[0], "e27a0008d4edffc3189bff8ffc128e121bba6b27");
    assert_eq!(all[0].3, "sha256:efb004cb04069d498c2bda36a5dfe090f6b96ff78d7542263eef9068bd69f29b");

    let objects = ran.objects();
    let events: Vec<_> = objects.iter().filter(|o| o["t"] == "event").collect();
    let numbers: Vec<_> = events.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "the timeline has no gap");
    let dispatched = events.iter().filter(|e| e["kind"] == "build.dispatched").count();
    assert_eq!(dispatched, 2, "a rollback builds nothing");
    for said in ["duplicate, nothing written", "refused 401", "it has a real digest but will not run"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    let release = Path::new(summary["paths"]["release"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(release.join("CURRENT")).unwrap().trim(), "rev-3");
    assert!(std::fs::read_dir(dir.path().join("builds")).unwrap().next().is_none(), "scratch directories are removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commits_at_once_end_with_the_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    let ran = ran(&Args { race: true, ..pack(dir.path()) }, OsStr::new("")).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let all = revisions(&ran.summary());
    assert!(matches!(all[1].2.as_str(), "superseded" | "succeeded"), "{all:?}");
    let rest: Vec<_> = all[2..].iter().map(|(n, cause, state, _)| (*n, cause.as_str(), state.as_str())).collect();
    assert_eq!(rest, [(3, "push", "succeeded"), (4, "rollback", "succeeded")]);
    assert_eq!(all[0].3, all[3].3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_on_the_same_files_is_a_second_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let args = Args { db: Database::File(dir.path().join("data").join("zop%20night.db")), ..pack(dir.path()) };
    for name in ["hello", "hello-2"] {
        let ran = ran(&args, OsStr::new("")).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        let summary = ran.summary();
        assert_eq!(summary["deployment"]["name"], name);
        assert_eq!(revisions(&summary).len(), 3, "{summary}");
    }
    assert!(dir.path().join("data").join("zop%20night.db").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_do_not_share_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::File(dir.path().join("x.db"));
    let (one, two, three) = (dir.path().join("one"), dir.path().join("two"), dir.path().join("three"));
    let first = Args { db: db.clone(), ..pack(&one) };
    let second = async {
        for (args, holds) in [(pack(&one), "one/lock"), (Args { db: db.clone(), ..pack(&two) }, "x.db.lock")] {
            let refused = ran(&args, OsStr::new("")).await;
            assert_eq!(refused.code, 2, "{}", refused.err);
            assert!(refused.err.contains(holds), "{}", refused.err);
        }
        assert_eq!(ran(&pack(&three), OsStr::new("")).await.code, 0);
    };
    // The first run is under way, with its files locked, for as long as the second takes.
    assert_eq!(until(&Args { keep: true, ..first }, OsStr::new(""), second).await.code, 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_gracefully() {
    let dir = tempfile::tempdir().unwrap();
    let ran = until(&pack(dir.path()), OsStr::new(""), std::future::ready(())).await;
    assert_eq!(ran.code, 130, "{}", ran.err);
    assert_eq!((&ran.summary()["ok"], &ran.summary()["error"]), (&false.into(), &"interrupted".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_fails() {
    let dir = tempfile::tempdir().unwrap();
    let ran = ran(&Args { timeout: Duration::ZERO, ..pack(dir.path()) }, OsStr::new("")).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("--timeout"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeping_prints_calls_that_work() {
    let dir = tempfile::tempdir().unwrap();
    let (out, err) = (Sink::default(), Sink::default());
    let report = Report::new(false, Box::new(out.clone()), Box::new(err.clone()));
    let args = Args { keep: true, json: false, ..pack(dir.path()) };
    let called = {
        let out = out.clone();
        // Polled once the steps are done and the lines are printed.
        async move {
            while !out.text().contains("until Ctrl-C") {
                tokio::task::yield_now().await;
            }
            let text = out.text();
            let calls: Vec<&str> = text.lines().filter(|l| l.starts_with("curl ")).collect();
            assert_eq!(calls.len(), 3, "{text}");
            for call in calls {
                let words: Vec<&str> = call.split_whitespace().collect();
                let method = if call.contains("-X POST") { "POST" } else { "GET" };
                let token = call.split("Bearer ").nth(1).and_then(|t| t.split('\'').next()).unwrap();
                let bearer = format!("Bearer {token}");
                let headers = [("authorization", bearer.as_str())];
                let answer = crate::client::send(method, words.last().unwrap(), &headers, b"").await.unwrap();
                assert!(matches!(answer.status, 200 | 201), "{call}: {}", answer.status);
                let refused = crate::client::send(method, words.last().unwrap(), &[], b"").await.unwrap();
                assert_eq!(refused.status, 401, "{call}");
            }
        }
    };
    assert_eq!(run(&args, &report, OsStr::new(""), called).await, 130, "{}", err.text());
}
