//! Push to deploy on one machine: `cargo run --example quickstart`.
//!
//! The real pipeline, worker, routes, store, webhook decoder and chart, with adapters that need no account, no cluster and no
//! network: a forge of bare git repositories, a builder of this machine, a directory of manifests. It deploys a small app,
//! pushes a commit, repeats its webhook, rolls back, and forges a build callback; each of them is a check.

mod args;
mod builder;
mod client;
mod cluster;
mod git;
mod image_layout;
mod report;
mod sample;
mod scenario;
mod seed;
mod source;
mod stop;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod tool;
mod tree;
mod webhook;
mod wire;
mod workdir;
mod world;

use std::ffi::OsStr;
use std::future::Future;
use std::process::ExitCode;

use serde::Serialize;

use crate::args::{Args, Command};
use crate::report::Report;
use crate::scenario::Summary;
use crate::seed::{Seed, UserRepo};
use crate::stop::Stop;
use crate::workdir::WorkDir;
use crate::world::World;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(args)) => *args,
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("quickstart: {message}");
            return ExitCode::from(2);
        }
    };
    let report = Report::new(args.json, Box::new(std::io::stdout()), Box::new(std::io::stderr()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(run(&args, &report, &path, interrupted()));
            runtime.shutdown_background();
            ExitCode::from(code)
        }
        Err(e) => {
            eprintln!("quickstart: the runtime cannot be started: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the program and answers its exit code.
async fn run(args: &Args, report: &Report, path: &OsStr, interrupt: impl Future<Output = ()>) -> u8 {
    match attempt(args, report, path, interrupt).await {
        Ok(Ended::Done) => 0,
        Ok(Ended::Kept) => Stop::Interrupted.exit_code(),
        Err(stop) => {
            report.summary(&Failed { ok: false, error: stop.message() });
            report.complain(&format!("quickstart: {}", stop.message()));
            stop.exit_code()
        }
    }
}

/// All steps were good; `Kept`: and then routes and worker ran until the interrupt.
enum Ended {
    Done,
    Kept,
}

/// The last object of `--json` when a step failed.
#[derive(Serialize)]
struct Failed<'a> {
    ok: bool,
    error: &'a str,
}

async fn attempt(args: &Args, report: &Report, path: &OsStr, interrupt: impl Future<Output = ()>) -> Result<Ended, Stop> {
    git::git(None, &["--version"], None).await?;
    let seed = match &args.repo {
        Some(repo) => Seed::Repo(UserRepo::inspect(repo).await?),
        None => Seed::Sample,
    };
    workdir::outside(&seed, args)?;
    let chosen = tool::choose(args.builder, path).await.map_err(Stop::Usage)?;
    let work = WorkDir::make(args.work_dir.as_deref())?;
    let _locks = workdir::lock(work.path(), &args.db)?;
    chosen.notes.iter().for_each(|note| report.say(note));
    report.say("there is no cluster here: manifests are written to a directory and nothing is rolled out");

    let world = World::start(args, work.path(), chosen.tool, report).await?;
    tokio::pin!(interrupt);
    let kept = args.keep || args.work_dir.is_some();
    let steps = scenario::run(&world, report, &seed, args.race, kept);
    let outcome = tokio::select! {
        outcome = steps => outcome,
        () = &mut interrupt => Err(Stop::Interrupted),
        () = tokio::time::sleep(args.timeout) => {
            Err(Stop::Failed(format!("not done after {} s; see --timeout", args.timeout.as_secs())))
        }
    };
    if let Ok(summary) = &outcome {
        report.summary(summary);
    }
    let outcome = match outcome {
        Ok(summary) if args.keep => {
            say_how_to_call(report, &world, &summary);
            interrupt.await;
            Ok(Ended::Kept)
        }
        outcome => outcome.map(|_| Ended::Done),
    };
    world.stop().await;
    if args.keep {
        work.keep();
    }
    outcome
}

fn say_how_to_call(report: &Report, world: &World, summary: &Summary) {
    let (base, token, id) = (world.base.as_str(), world.api_token.expose(), &summary.deployment.id);
    report.say("");
    report.say(&format!("base URL   {base}"));
    report.say(&format!("API token  {token}"));
    report.say(&format!("curl -H 'Authorization: Bearer {token}' {base}/deployments"));
    report.say(&format!("curl -H 'Authorization: Bearer {token}' {base}/deployments/{id}/revisions"));
    report.say(&format!("curl -X POST -H 'Authorization: Bearer {token}' {base}/deployments/{id}/revisions"));
    report.say("routes and worker go on until Ctrl-C");
}

/// Ctrl-C, or a polite kill.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
