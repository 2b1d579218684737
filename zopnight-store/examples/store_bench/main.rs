//! The store against a bare loop of the same statements, on one server, in one run.
//!
//! ```text
//! cargo run --release -p zopnight-store --example store_bench -- [--url URL] [--jobs 10000] [--rows 1000000] [--rounds 3]
//! ```
//!
//! Without `--url` a SQLite file in a temporary directory is measured; a server's URL must name an empty database. `--rows`
//! adds the measures that need that many finished jobs. *Raw* is sqlx and nothing else, on a table of the same columns and
//! indexes as the jobs': no keys, turns, fences over hand-outs or events. Ours and raw alternate; the median ratio counts.

mod apply;
mod jobs;
mod latency;
mod raw;
mod scale;
mod settings;
mod table;

use std::error::Error;
use std::sync::Arc;

use tempfile::TempDir;
use zopnight_core::ports::Store;
use zopnight_store::{StoreOptions, connect};

use crate::raw::Raw;
use crate::table::Table;

/// What to measure, and how much.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) jobs: u32,
    pub(crate) rows: u32,
    pub(crate) rounds: u32,
    directory: Option<TempDir>,
}

impl Plan {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut plan = Self { url: String::new(), jobs: 10_000, rows: 0, rounds: 3, directory: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--url" => plan.url = value,
                "--jobs" => plan.jobs = value.parse()?,
                "--rows" => plan.rows = value.parse()?,
                "--rounds" => plan.rounds = value.parse()?,
                _ => return Err(format!("{name} is not known; there are --url, --jobs, --rows and --rounds").into()),
            }
        }
        if plan.jobs < 1_000 || plan.rounds < 1 {
            return Err("at least 1,000 jobs and 1 round are measured".into());
        }
        if plan.url.is_empty() {
            let directory = tempfile::tempdir()?;
            plan.url = format!("sqlite:{}", directory.path().join("bench.db").display());
            plan.directory = Some(directory);
        }
        Ok(plan)
    }

    /// A store with connections of its own, as another process has.
    pub(crate) async fn store(&self) -> Result<Arc<dyn Store>, Box<dyn Error + Send + Sync>> {
        Ok(connect(&self.url, StoreOptions::default().with_max_connections(Some(32))).await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let plan = Plan::read(std::env::args().skip(1))?;
    let store = plan.store().await?;
    let raw = Raw::connect(&plan.url).await?;
    settings::print(&raw, plan.directory.as_ref().map(TempDir::path)).await?;

    let mut table = Table::new(raw.backend());
    jobs::enqueue_one(&plan, &*store, &raw, &mut table).await?;
    jobs::enqueue_batches(&plan, &*store, &raw, &mut table).await?;
    jobs::drain(&plan, &store, &raw, &mut table).await?;
    jobs::live_mix(&plan, &store, &raw, &mut table).await?;
    apply::push(&plan, &store, &raw, &mut table).await?;
    latency::same_process(&plan, &mut table).await?;
    latency::other_process(&plan, &mut table).await?;
    if plan.rows > 0 {
        scale::measure(&plan, &store, &raw, &mut table).await?;
    }
    table.print();
    Ok(())
}
