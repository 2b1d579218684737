//! The rules of the queue, explored: every order of a few acts, and long random ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod model;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proptest::prelude::*;

use crate::model::{Act, Broken, Queue, Setup, Variant, acts};

const JOBS: usize = 3;
const WORKERS: usize = 2;
const DEPTH: usize = 12;

/// As deploys of one deployment, as reports of one revision beside another tenant's job, and as builds of two tenants.
const SETUPS: [Setup<JOBS>; 3] = [
    Setup { serial: [Some(0); 3], dedupe: [None; 3], org: [0; 3] },
    Setup { serial: [Some(0), Some(0), None], dedupe: [Some((0, true)), Some((0, true)), None], org: [0, 0, 1] },
    Setup { serial: [None; 3], dedupe: [Some((0, false)), Some((0, false)), None], org: [0, 0, 1] },
];

/// A way into a queue that breaks an invariant.
struct Counterexample {
    broken: Broken,
    acts: Vec<Act>,
}

/// Goes every way of at most `depth` acts; answers how many different queues there are, or the shortest way to a broken one.
fn explore(setup: &Setup<JOBS>, variant: Variant, depth: usize) -> Result<usize, Counterexample> {
    let acts = acts(JOBS, WORKERS);
    let mut known = HashSet::new();
    let mut ways: Vec<(usize, Act)> = Vec::new();
    let mut front = vec![(usize::MAX, Queue::<JOBS, WORKERS>::EMPTY)];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (way, queue) in &front {
            for act in &acts {
                match queue.step(setup, variant, *act) {
                    None => {}
                    Some(Err(broken)) => return Err(Counterexample { broken, acts: way_to(&ways, *way, *act) }),
                    Some(Ok(after)) => {
                        let mut hasher = DefaultHasher::new();
                        after.essence().hash(&mut hasher);
                        if known.insert(hasher.finish()) {
                            ways.push((*way, *act));
                            next.push((ways.len() - 1, after));
                        }
                    }
                }
            }
        }
        front = next;
    }
    Ok(known.len())
}

fn way_to(ways: &[(usize, Act)], mut way: usize, last: Act) -> Vec<Act> {
    let mut acts = vec![last];
    while let Some((before, act)) = ways.get(way) {
        acts.push(*act);
        way = *before;
    }
    acts.reverse();
    acts
}

fn every_order_of_twelve_acts_keeps_the_invariants(setup: &Setup<JOBS>) {
    let known = explore(setup, Variant::Right, DEPTH).unwrap_or_else(|found| panic!("{}: {:#?}", found.broken, found.acts));
    println!("{known} queues");
    assert!(known > 10_000, "only {known}: the exploration is stuck");
}

#[test]
fn every_order_of_twelve_acts_of_jobs_of_one_serial_key_keeps_the_invariants() {
    every_order_of_twelve_acts_keeps_the_invariants(&SETUPS[0]);
}

#[test]
fn every_order_of_twelve_acts_of_jobs_that_fold_until_started_keeps_the_invariants() {
    every_order_of_twelve_acts_keeps_the_invariants(&SETUPS[1]);
}

#[test]
fn every_order_of_twelve_acts_of_jobs_that_fold_until_finished_keeps_the_invariants() {
    every_order_of_twelve_acts_keeps_the_invariants(&SETUPS[2]);
}

fn counterexample(variant: Variant) -> Vec<Broken> {
    let found = SETUPS.iter().filter_map(|setup| explore(setup, variant, 8).err());
    found.inspect(|found| println!("{}: {:?}", found.broken, found.acts)).map(|found| found.broken).collect()
}

#[test]
fn a_finish_by_id_only_is_found_out() {
    let found = counterexample(Variant::FinishById);
    assert!(!found.is_empty() && found.iter().all(|b| b.starts_with("Q3")), "{found:?}");
}

#[test]
fn a_take_back_that_does_not_look_at_the_state_is_found_out() {
    let found = counterexample(Variant::TakeBackUnguarded);
    assert!(!found.is_empty() && found.iter().any(|b| b.starts_with("Q8")), "{found:?}");
}

#[test]
fn a_release_that_sets_the_fence_back_is_found_out() {
    let found = counterexample(Variant::ResetOnRelease);
    assert!(!found.is_empty() && found.iter().all(|b| b.starts_with("Q4") || b.starts_with("Q3")), "{found:?}");
}

const MORE: usize = 8;

fn setup() -> impl Strategy<Value = Setup<MORE>> {
    let key = || prop::option::of(0_u8..2);
    let job = (key(), key(), any::<bool>(), 0_u8..2);
    prop::collection::vec(job, MORE).prop_map(|jobs| {
        let until_started = jobs[0].2;
        let mut setup = Setup { serial: [None; MORE], dedupe: [None; MORE], org: [0; MORE] };
        for (j, (serial, dedupe, _, org)) in jobs.into_iter().enumerate() {
            // Keys are of one tenant each.
            setup.org[j] = org;
            setup.serial[j] = serial.map(|key| 2 * key + org);
            setup.dedupe[j] = dedupe.map(|key| (2 * key + org, until_started));
        }
        setup
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sixty_random_acts_of_eight_jobs_and_three_workers_keep_the_invariants(
        setup in setup(),
        picks in prop::collection::vec(any::<u16>(), 60),
    ) {
        let acts = acts(MORE, 3);
        let mut queue = Queue::<MORE, 3>::EMPTY;
        let mut done = Vec::new();
        for pick in picks {
            // The next act that changes anything, so that sixty of them do.
            let from = usize::from(pick) % acts.len();
            let step = acts[from..].iter().chain(&acts[..from]).find_map(|act| {
                queue.step(&setup, Variant::Right, *act).map(|after| (*act, after))
            });
            let Some((act, after)) = step else { break };
            done.push(act);
            queue = match after {
                Ok(after) => after,
                Err(broken) => return Err(TestCaseError::fail(format!("{broken}: {done:?}"))),
            };
        }
    }
}
