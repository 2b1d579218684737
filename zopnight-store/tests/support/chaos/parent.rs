//! The process that starts the others, breaks things on schedule, and has the result judged.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use zopnight_core::domain::{JobState, QueueStats};

use super::database::{Scratch, open};
use super::processes::Processes;
use super::schedule::{Fault, faults};
use super::settings::{Launch, Settings};
use crate::checker::{LIMITS, check};
use crate::history;
use crate::servers::Server;

/// When nothing breaks any more a job must come to its end so often: leases run out one after the other, each after 5 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) jobs: usize,
    pub(crate) done: usize,
    pub(crate) effects: usize,
    pub(crate) hand_outs: i64,
    pub(crate) losses: i64,
    /// Given up because their leases ran out too often.
    pub(crate) lost_out: usize,
    pub(crate) processes: u32,
    pub(crate) skewed: u32,
    pub(crate) kills: u32,
    pub(crate) crashes: u32,
    pub(crate) stops: u32,
    pub(crate) sweeps: u32,
    pub(crate) restarts: u32,
    pub(crate) lines: usize,
    pub(crate) torn: usize,
    pub(crate) took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, jobs, done, effects, hand_outs, losses, processes, kills, crashes, .. } = self;
        let Self { lost_out, skewed, stops, sweeps, restarts, lines, torn, took, .. } = self;
        writeln!(f, "seed {seed}: {jobs} jobs, {done} done, {} parked, in {took:.1?}", jobs - done)?;
        writeln!(
            f,
            "  {effects} effects, {hand_outs} hand-outs and take-backs, {losses} leases lost, {lost_out} jobs for it"
        )?;
        write!(
            f,
            "  {processes} processes, {skewed} with a clock an hour off, {kills} killed, {crashes} crashed inside a transaction, {stops} frozen; "
        )?;
        writeln!(f, "sessions ended {sweeps} times, server killed {restarts} times")?;
        write!(f, "  {lines} lines of history, {torn} torn")
    }
}

/// Runs and judges. `server` is the server of the URL if it may be killed.
///
/// # Errors
/// What went wrong, with the seed and the lines that show it.
pub(crate) async fn run(settings: &Settings, launch: &Launch, server: Option<&Server>) -> Result<Report, String> {
    let seed = settings.seed;
    let blame = |why: String| format!("chaos with seed {seed}: {why}\nthe history is {}", settings.history.display());
    judge(settings, launch, server).await.map_err(blame)
}

async fn judge(settings: &Settings, launch: &Launch, server: Option<&Server>) -> Result<Report, String> {
    // A history is of one run.
    fs::write(&settings.history, "").map_err(|e| e.to_string())?;
    let store = open(&settings.url, None, false).await.map_err(|e| format!("{e:?}"))?;
    let scratch = Scratch::open(&settings.url).await.map_err(|e| e.to_string())?;
    scratch.create().await.map_err(|e| e.to_string())?;
    let mut report = Report { seed: settings.seed, ..Report::default() };
    let began = Instant::now();
    let mut due = VecDeque::from(faults(settings));
    let mut processes = Processes::new(settings, launch);
    let (mut looked, mut left) = (Instant::now(), QueueStats::default());
    let (mut ended, mut last) = (0, Instant::now());
    loop {
        processes.tend()?;
        while let Some((_, fault)) = due.pop_front_if(|(at, _)| *at <= began.elapsed()) {
            breaks(fault, &mut processes, &scratch, server, &mut report).await?;
        }
        processes.calm = began.elapsed() > settings.window;
        if processes.calm && looked.elapsed() > Duration::from_millis(300) {
            looked = Instant::now();
            // After a restart of the server a first call may meet a connection that is gone.
            if let Ok(stats) = store.stats().await {
                if due.is_empty() && processes.produced() && live(&stats) == 0 {
                    break;
                }
                left = stats;
            }
            if let Ok(now) = scratch.ended().await
                && (now > ended || !due.is_empty())
            {
                (ended, last) = (now, Instant::now());
            }
            if last.elapsed() > PATIENCE {
                return Err(format!("jobs are left that nobody ends: {left:?}"));
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
    (report.processes, report.crashes, report.skewed) = (processes.started(), processes.crashed, processes.skewed);
    drop(processes);
    report.took = began.elapsed();
    let tables = scratch.tables().await.map_err(|e| e.to_string())?;
    let (lines, torn) = history::read(&settings.history);
    (report.lines, report.torn) = (lines.len(), torn);
    report.jobs = tables.jobs.len();
    report.done = tables.jobs.values().filter(|row| row.state == "done").count();
    report.effects = tables.effects.len();
    report.hand_outs = tables.jobs.values().map(|row| row.hand_outs).sum();
    report.losses = tables.jobs.values().map(|row| row.losses).sum();
    let lost_out = tables.jobs.values().filter(|row| row.state == "parked" && row.losses >= LIMITS.2);
    report.lost_out = lost_out.count();
    check(&lines, &tables).map_err(|violation| violation.to_string())?;
    Ok(report)
}

async fn breaks(
    fault: Fault,
    processes: &mut Processes,
    scratch: &Scratch,
    server: Option<&Server>,
    report: &mut Report,
) -> Result<(), String> {
    match (fault, server) {
        (Fault::Kill(at), _) => report.kills += u32::from(processes.kill(at)),
        (Fault::Stop(at), _) => report.stops += u32::from(processes.stop(at)),
        (Fault::Continue(at), _) => processes.wake(at),
        (Fault::Sweep, _) => {
            scratch.sweep().await.map_err(|e| e.to_string())?;
            report.sweeps += 1;
        }
        (Fault::Restart, Some(server)) => {
            server.kill_9();
            server.restart().await;
            report.restarts += 1;
        }
        (Fault::Restart, None) => return Err("only a private server is killed".to_owned()),
    }
    Ok(())
}

/// Jobs that are neither at their end nor parked.
fn live(stats: &QueueStats) -> u64 {
    stats.jobs.iter().filter(|(_, state, _)| *state != JobState::Parked).map(|(_, _, count)| count).sum()
}
