//! Workers as processes of their own, killed, stopped and asked to end, over real databases.
//!
//! Every case is played on the backends that `ZOPNIGHT_WORKER_BACKENDS` names, by itself on SQLite. All cases wait far
//! more than they compute, so they run side by side from the first test on; each test takes the outcome of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod backend;
mod builder;
mod child;
mod kills;
mod misfortunes;
#[path = "../support/servers.rs"]
mod servers;
mod site;
mod slots;
mod witness;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

type Case = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Cases {
    runtime: Runtime,
    running: Mutex<HashMap<&'static str, JoinHandle<()>>>,
}

static CASES: LazyLock<Cases> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let running = all().into_iter().map(|(name, case)| (name, runtime.spawn(case))).collect();
    Cases { runtime, running: Mutex::new(running) }
});

fn outcome_of(name: &str) {
    let case = CASES.running.lock().unwrap().remove(name).unwrap();
    if let Err(error) = CASES.runtime.block_on(case) {
        // What the case printed is shown with the test that started all of them.
        let cause = error.into_panic();
        let known = cause.downcast_ref::<String>().cloned();
        panic!("{}", known.unwrap_or_else(|| format!("{:?}", cause.downcast_ref::<&str>())));
    }
}

macro_rules! cases {
    ($($name:ident: $case:path),+ $(,)?) => {
        fn all() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($name), Box::pin($case()) as Case)),+]
        }

        $(#[test]
        fn $name() {
            outcome_of(stringify!($name));
        })+
    };
}

cases! {
    a_build_killed_at_each_point_is_claimed_again: kills::of_a_build,
    a_deploy_killed_at_each_point_is_claimed_again: kills::of_a_deploy,
    a_process_woken_after_two_leases_writes_nothing: misfortunes::frozen,
    a_process_asked_to_end_gives_its_leases_back: misfortunes::asked_to_end,
    a_handler_that_panics_three_times_is_given_up: misfortunes::panics,
    a_job_whose_process_dies_five_times_is_given_up: misfortunes::dies_every_time,
    two_replicas_of_which_one_is_killed_keep_to_the_build_slots: slots::of_two_replicas,
}
