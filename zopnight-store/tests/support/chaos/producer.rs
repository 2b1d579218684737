//! The process that makes work. Killed, it begins again from the start: what is stored already is recognised.

use std::sync::Arc;
use std::time::Duration;

use zopnight_core::domain::{Applied, NewJob, RevisionChange};
use zopnight_core::ports::Store;

use super::crash::Crash;
use super::database::open;
use super::settings::{Orders, fatal};
use super::worker::{again, told};
use super::workload::{Step, Workload};
use crate::history::{History, Line, Op, now};

struct Producer {
    store: Arc<dyn Store>,
    history: History,
    workload: Workload,
}

pub(super) async fn run(orders: Orders) {
    let s = &orders.settings;
    let hook = || orders.crash.clone().map(|at| Arc::new(Crash::new(at)) as _);
    let store = again(async || open(&s.url, hook(), false).await).await;
    let workload = Workload { seed: s.seed, jobs: s.jobs };
    let producer = Producer { store, history: History::append(&s.history), workload };
    let steps = workload.steps();
    let pace = s.window / u32::try_from(steps.len()).unwrap_or(u32::MAX);
    for (n, step) in (0..).zip(steps) {
        let due = u128::from(orders.began) + (pace * n).as_micros();
        let wait = u64::try_from(due.saturating_sub(u128::from(now()))).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(wait)).await;
        producer.step(step).await;
    }
}

impl Producer {
    async fn step(&self, step: Step) {
        let w = self.workload;
        match step {
            Step::Create(app) => self.apply(w.push(app, 0)).await,
            Step::Push(app, n) => self.apply(w.push(app, n)).await,
            Step::Chain(n) => self.enqueue(vec![w.chain(n)]).await,
            Step::Look(n) => self.enqueue(vec![w.snoozer(n)]).await,
            Step::Batch { from, to } => self.enqueue((from..to).map(|n| w.plain(n)).collect()).await,
        }
    }

    async fn enqueue(&self, jobs: Vec<NewJob>) {
        again(async || {
            let before = self.history.before(jobs.iter().map(|job| enqueueing(job, None)).collect());
            let answers = self.store.enqueue(jobs.clone()).await;
            let after = before.iter().enumerate().map(|(n, line)| {
                line.answered(answers.as_ref().map_or_else(told, |answers| {
                    let answer = answers[n];
                    if Some(answer.id.as_uuid()) == line.job { "stored".to_owned() } else { answer.id.to_string() }
                }))
            });
            self.history.after(&after.collect::<Vec<_>>());
            answers
        })
        .await;
    }

    async fn apply(&self, change: RevisionChange) {
        again(async || {
            let before = self.history.before(change.jobs.iter().map(|job| enqueueing(job, None)).collect());
            let applied = self.store.apply(change.clone()).await;
            let answer = match &applied {
                // A deployment or revision that is there came with its job.
                Ok(Applied::Committed(_) | Applied::Exists(_) | Applied::NameTaken) => "stored".to_owned(),
                Ok(other) => fatal(&format!("a new revision is refused: {other:?}")),
                Err(error) => told(error),
            };
            self.history.after(&before.iter().map(|line| line.answered(answer.as_str())).collect::<Vec<_>>());
            applied.map(drop)
        })
        .await;
    }
}

/// The line before an enqueue; `by` is the job whose end stores it.
pub(super) fn enqueueing(job: &NewJob, by: Option<uuid::Uuid>) -> Line {
    let org = job.scope.org().map_or("", |org| org.as_str());
    let key = job.dedupe.as_ref().map(|dedupe| format!("{org}/{}", dedupe.key));
    let line = Line::of(Op::Enqueue).job(job.id.as_uuid()).key(key);
    match by {
        Some(by) => line.want(by.to_string()),
        None => line,
    }
}
