//! Two and three operations beside each other on one job, at every boundary of their statements, on servers with locks of
//! single rows: what happens is what happens in some order of them one after another.

#[path = "support/mysql.rs"]
mod mysql;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use zopnight_core::ports::Random as _;
use zopnight_core::testing::fakes::SeededRandom;
use zopnight_core::testing::suites::harness::StoreHarness;
use zopnight_core::testing::suites::interleave::{Operation, pair, triple};

/// Far above what it takes: a lock that is never given back fails instead of hanging.
const DEADLINE: Duration = Duration::from_secs(200);

const TRIPLES: u64 = 24;

async fn in_time(run: impl Future<Output = ()>) {
    assert!(tokio::time::timeout(DEADLINE, run).await.is_ok(), "it does not end");
}

async fn beside_each(h: &dyn StoreHarness, first: Operation) {
    for second in Operation::ALL {
        let boundaries = pair(h, first, second).await;
        assert!(boundaries >= 3, "{first:?} has {boundaries} boundaries beside {second:?}");
    }
}

async fn some_triples(h: &dyn StoreHarness) {
    let random = SeededRandom::new(1);
    for _ in 0..TRIPLES {
        let mut roll = [0_u8; 5];
        random.fill(&mut roll);
        let [a, b, c, stop, other] = roll.map(usize::from);
        let operations = [a, b, c].map(|n| Operation::ALL[n % Operation::ALL.len()]);
        triple(h, operations, [stop % 8, other % 8]).await;
    }
}

macro_rules! interleaved {
    ($name:ident, $factory:path, [$($case:ident: $operation:ident),+ $(,)?]) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let Some(harness) = $factory().await else { return };
                    in_time(beside_each(&harness, Operation::$operation)).await;
                }
            )+

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn triples() {
                let Some(harness) = $factory().await else { return };
                in_time(some_triples(&harness)).await;
            }
        }
    };
    ($name:ident, $factory:path) => {
        interleaved!(
            $name,
            $factory,
            [
                claim: Claim,
                extend: Extend,
                finish: Finish,
                take_back: TakeBack,
                cancel: Cancel,
                promote: Promote,
                purge: Purge,
                enqueue: Enqueue,
                apply: Apply,
            ]
        );
    };
}

interleaved!(on_postgres, postgres::fresh);
interleaved!(on_mariadb, mysql::mariadb);
