//! Turns: fairness between orgs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::domain::{Finish, JobId, Lane, Lease, NewJob, OrgId, Outcome};
use crate::ports::Random as _;
use crate::testing::fakes::SeededRandom;
use crate::testing::suites::fixtures::{org, plain_job};
use crate::testing::suites::store::{Kit, StoreHarness, retry};

async fn fill(kit: &Kit<'_>, org: &OrgId, n: usize) -> Vec<JobId> {
    let mut ids = Vec::new();
    while ids.len() < n {
        let jobs: Vec<NewJob> = (ids.len()..n).take(500).map(|_| plain_job(org)).collect();
        ids.extend(jobs.iter().map(|job| job.id));
        kit.enqueue_all(jobs).await;
    }
    ids
}

async fn end_all(kit: &Kit<'_>, leases: &[Lease], outcome: &Outcome) {
    let items = leases.iter().map(|lease| Finish { lease: lease.job, outcome: outcome.clone() }).collect();
    kit.store.finish(items).await.expect("a finish is answered");
}

/// The org of the next claim.
async fn next_of(kit: &Kit<'_>) -> OrgId {
    let lease = kit.run_one(Lane::Build, Outcome::Done).await;
    lease.scope.org().cloned().expect("the job is an org's")
}

/// A job of an idle org waits for at most two claims of an org with 10,000 ready jobs.
pub async fn turn_idle_org_waits_two(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (busy, idle) = (org("busy"), org("idle"));
    fill(&kit, &busy, 10_000).await;
    let first = kit.claim(Lane::Build, 100).await;
    end_all(&kit, &first, &Outcome::Done).await;
    for _ in 0..3 {
        fill(&kit, &idle, 1).await;
        let mut before = 0;
        while next_of(&kit).await != idle {
            before += 1;
        }
        assert!(before <= 2, "waited for {before} claims");
    }
}

/// Between two orgs that both have ready jobs throughout, claims differ by at most two: five orgs, random arrivals, 200 seeds.
pub async fn turn_equal_shares(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let orgs: Vec<OrgId> = (0..5).map(|n| org(&format!("org-{n}"))).collect();
    for seed in 0..200 {
        let random = SeededRandom::new(seed);
        let mut roll = [0_u8; 2];
        let mut ready: BTreeMap<&OrgId, usize> = orgs.iter().map(|org| (org, 0)).collect();
        let mut claimed = Vec::new();
        // Of each pair: the difference of their claims since both became busy, its least and its greatest value.
        let mut spans: HashMap<(&OrgId, &OrgId), (i32, i32, i32)> = HashMap::new();
        for step in 0..30 {
            random.fill(&mut roll);
            let arriving = &orgs[usize::from(roll[0]) % orgs.len()];
            let n = usize::from(roll[1] % 5);
            fill(&kit, arriving, n).await;
            *ready.entry(arriving).or_default() += n;
            if ready.values().all(|n| *n == 0) {
                continue;
            }
            let lease = kit.claim_one(Lane::Build).await;
            let of = lease.scope.org().cloned().expect("the job is an org's");
            claimed.push(lease);
            for one in &orgs {
                for two in &orgs {
                    if ready[one] == 0 || ready[two] == 0 {
                        spans.remove(&(one, two));
                        continue;
                    }
                    let (now, least, most) = spans.entry((one, two)).or_default();
                    *now += i32::from(of == *one) - i32::from(of == *two);
                    (*least, *most) = ((*least).min(*now), (*most).max(*now));
                    assert!(*most - *least <= 2, "seed {seed}, step {step}: {one} and {two} differ by {}", *most - *least);
                }
            }
            let left = ready.get_mut(&of).expect("a known org");
            *left -= 1;
        }
        let rest = kit.claim(Lane::Build, 100).await;
        assert_eq!(rest.len(), ready.values().sum::<usize>());
        for leases in [claimed, rest] {
            end_all(&kit, &leases, &Outcome::Done).await;
        }
    }
}

/// An org that used the lane alone is not behind a newcomer.
pub async fn turn_no_memory_of_idle_past(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (old, new) = (org("old"), org("new"));
    fill(&kit, &old, 1_000).await;
    for _ in 0..10 {
        let leases = kit.claim(Lane::Build, 100).await;
        end_all(&kit, &leases, &Outcome::Done).await;
    }
    fill(&kit, &new, 10).await;
    fill(&kit, &old, 10).await;
    let mut claims = 0_i32;
    for _ in 0..20 {
        claims += if next_of(&kit).await == new { 1 } else { -1 };
        assert!(claims.abs() <= 2, "one org is {} claims ahead", claims.abs());
    }
}

/// Two orgs that enqueue again with every end do not keep a third one's backlog waiting.
pub async fn turn_ping_pong_cannot_starve(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (ping, pong, backlog) = (org("ping"), org("pong"), org("backlog"));
    fill(&kit, &ping, 1).await;
    fill(&kit, &pong, 1).await;
    fill(&kit, &backlog, 30).await;
    let (mut served, mut since) = (0, 0);
    while served < 30 {
        let claimed = next_of(&kit).await;
        if claimed == backlog {
            (served, since) = (served + 1, 0);
        } else {
            since += 1;
            assert!(since <= 4, "the backlog waits for the {since}th claim");
            fill(&kit, &claimed, 1).await;
        }
    }
}

/// A thousand failing jobs of one org delay one job of another by two claims at most.
pub async fn turn_retry_storm_is_fair(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (storm, calm) = (org("storm"), org("calm"));
    fill(&kit, &storm, 1_000).await;
    for _ in 0..2 {
        for _ in 0..10 {
            let leases = kit.claim(Lane::Build, 100).await;
            assert_eq!(leases.len(), 100);
            end_all(&kit, &leases, &retry(Duration::ZERO, false)).await;
        }
        assert_eq!(kit.maintain().await.promoted, 1_000);
    }
    let ids = fill(&kit, &calm, 1).await;
    let heads = kit.claim(Lane::Build, 3).await;
    assert!(heads.iter().any(|lease| lease.id == ids[0]), "{heads:?}");
}

/// While a job is ready, a claim is never empty.
pub async fn turn_work_conserving(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let orgs = [org("a"), org("b"), org("c")];
    for (n, org) in orgs.iter().enumerate() {
        fill(&kit, org, 5 * (n + 1)).await;
    }
    for left in (0..30).rev() {
        next_of(&kit).await;
        assert_eq!(h.peek().await.count(crate::domain::JobState::Ready), left);
    }
    assert!(kit.claim(Lane::Build, 1).await.is_empty());
}

/// Inside an org and lane: first in, first out, a retry at the end of its own line.
pub async fn turn_fifo_inside_org(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let (a, b) = (org("a"), org("b"));
    let mut ids = fill(&kit, &a, 5).await;
    fill(&kit, &b, 5).await;
    ids.extend(fill(&kit, &a, 5).await);
    let retried = kit.run_one(Lane::Build, retry(Duration::ZERO, false)).await.id;
    assert_eq!(retried, ids[0]);
    kit.maintain().await;
    ids.rotate_left(1);
    let claimed = kit.claim(Lane::Build, 100).await;
    let of_a: Vec<JobId> = claimed.iter().filter(|lease| lease.scope.org() == Some(&a)).map(|lease| lease.id).collect();
    assert_eq!(of_a, ids);
}
