//! Build slots over several processes.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use zopnight_core::domain::{BuildAttempt, JobState, OrgId, RevisionState, Timestamp};

use crate::backend::{Backend, Database, on_each, open};
use crate::child::{Orders, Process, orders};
use crate::site::{App, ORGS, Site};

const LIMIT: usize = 4;
const BUILDS: usize = 40;

/// How many attempts were open at the same time, at most, by the database's own clock.
fn most_open(attempts: &[BuildAttempt]) -> usize {
    let mut steps: Vec<(Timestamp, i32)> = Vec::new();
    for attempt in attempts {
        let closed = attempt.closed_at.unwrap_or_else(|| panic!("{attempt:?} is still open"));
        steps.extend([(attempt.opened_at, 1), (closed, -1)]);
    }
    // What closes and what opens in the same instant follow each other.
    steps.sort_unstable();
    let mut open = 0_i32;
    let most = steps.iter().map(|(_, step)| {
        open += step;
        open
    });
    usize::try_from(most.max().unwrap_or(0)).unwrap()
}

async fn succeeded(site: &Site, apps: &[App]) -> usize {
    let mut succeeded = 0;
    for app in apps {
        succeeded += usize::from(site.revision(app).await.state == RevisionState::Succeeded);
    }
    succeeded
}

pub(crate) async fn of_two_replicas() {
    on_each(of_two_replicas_on).await;
}

async fn of_two_replicas_on(_: Backend, database: Database) {
    let site = Site::new(open(&database.url, None).await, database.directory.path());
    let mut apps = Vec::new();
    for n in 0..BUILDS {
        apps.push(site.create(ORGS[n % 2], &format!("shop-{n}")).await);
    }
    let orders = Orders { serve: true, ..orders(&database.url, database.directory.path()) };
    let mut survivor = Process::start(&orders);
    let mut victim = Process::start(&orders);
    let work = async {
        let begun = Instant::now();
        let mut killed = false;
        loop {
            let done = succeeded(&site, &apps).await;
            if !killed && done >= BUILDS / 4 {
                victim.signal("KILL");
                assert_eq!(victim.ended().await.signal(), Some(9));
                killed = true;
            }
            if done == BUILDS {
                return assert!(killed);
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "only {done} of {BUILDS} succeeded");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = site.builder.play(&site, Duration::from_millis(150)) => {}
        () = work => {}
    }
    survivor.signal("TERM");
    survivor.says("drained").await;
    assert!(survivor.ended().await.success());

    let mut attempts: BTreeMap<OrgId, Vec<BuildAttempt>> = BTreeMap::new();
    for app in &apps {
        let of_app = site.store.attempts(&app.org, app.revision).await.unwrap();
        attempts.entry(app.org.clone()).or_default().extend(of_app);
    }
    for (org, attempts) in &attempts {
        let most = most_open(attempts);
        assert_eq!(most, LIMIT, "{org}: the limit is used and kept");
    }
    let stats = site.store.stats().await.unwrap().jobs;
    let stuck = [JobState::Blocked, JobState::Parked, JobState::Leased];
    assert!(stats.iter().all(|(_, state, n)| *n == 0 || !stuck.contains(state)), "{stats:?}");
}
