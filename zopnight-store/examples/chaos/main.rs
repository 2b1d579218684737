//! The long form of the chaos test: workers and a producer as processes on one store, killed, frozen and cut off by a seed;
//! then the history and the tables are judged.
//!
//! ```text
//! cargo run --release -p zopnight-store --example chaos -- --url sqlite:/tmp/chaos.db --jobs 20000 --workers 6 --kills 200 --seed 7 --minutes 5
//! cargo run --release -p zopnight-store --example chaos -- --private mariadb --restarts 3 --history history.jsonl
//! cargo run --release -p zopnight-store --example chaos -- --private mariadb --mix --seconds 60
//! ```
//!
//! `--url` names an empty database; `--private mariadb` or `postgres` starts a server of its own, the only one that is
//! killed. `--full` is how many workers in a hundred have a full disk (SQLite). The history is a file of JSON lines, kept
//! where `--history` says. `--mix` is another run: producers, claimers, a promoter and a purger of one process, no error of
//! which may reach a caller.

mod arguments;
#[path = "../../tests/support/chaos/mod.rs"]
mod chaos;
#[path = "../../tests/support/checker.rs"]
mod checker;
#[path = "../../tests/support/history.rs"]
mod history;
#[path = "../../tests/support/mix.rs"]
mod mix;
#[path = "../../tests/support/random.rs"]
mod random;
#[path = "../../tests/support/retries.rs"]
mod retries;
#[path = "../../tests/support/servers.rs"]
mod servers;
#[path = "../../tests/support/tables.rs"]
mod tables;

use std::process::ExitCode;

use arguments::{Arguments, USAGE};
use chaos::Launch;
use zopnight_store::{StoreOptions, connect};

fn main() -> ExitCode {
    chaos::child();
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(arguments)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String, String> {
    let server = match arguments.private.as_deref() {
        Some("mariadb") => servers::private_mysql().await,
        Some(_) => servers::private_postgres().await,
        None => None,
    };
    let database = match &server {
        Some(server) => Some(server.fresh_database().await),
        None if arguments.private.is_some() => return Err("there is no such server here".to_owned()),
        None => None,
    };
    let mut settings = arguments.settings;
    if let Some(database) = &database {
        database.url().clone_into(&mut settings.url);
    }
    if let Some(time) = arguments.mix {
        let retries = retries::Retries::install();
        let store = connect(&settings.url, StoreOptions::default()).await.map_err(|e| format!("{e:?}"))?;
        let mixed = mix::run(store, &settings.url, time).await.map_err(|e| format!("an error reached a caller: {e:?}"))?;
        return Ok(format!("{mixed}\nno error reached a caller; transactions run again: {retries}"));
    }
    let report = chaos::run(&settings, &Launch { arguments: Vec::new() }, server.as_ref()).await?;
    Ok(format!("{report}\nnothing lost, no effect twice, fences strictly rising"))
}
