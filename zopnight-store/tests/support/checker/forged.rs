//! A good history passes; each forged one is rejected by the rule that it breaks.

use uuid::Uuid;

use super::check;
use crate::history::{Line, Op};
use crate::tables::{Row, Tables};

const DEPLOY: &str = "acme/deploy:shop";

#[derive(Clone, Default)]
struct Story {
    lines: Vec<Line>,
    tables: Tables,
    acts: u64,
}

const fn job(seq: i64) -> Uuid {
    Uuid::from_u128(seq.unsigned_abs() as u128)
}

const fn fence(seq: i64, n: u64) -> u64 {
    seq.unsigned_abs() << 20 | n
}

fn row(seq: i64, state: &str, hand_outs: i64) -> Row {
    Row { seq, state: state.to_owned(), hand_outs, failures: 0, losses: 0, panics: 0 }
}

impl Story {
    fn begin(&mut self, line: Line) -> Line {
        self.acts += 1;
        let line = Line { p: 7, n: self.acts, ..line };
        self.lines.push(line.clone());
        line
    }

    fn act(&mut self, line: Line, answer: &str) {
        let line = self.begin(line);
        self.lines.push(line.answered(answer));
    }

    fn enqueue(&mut self, seq: i64, answer: &str) {
        let key = format!("acme/{seq}");
        self.act(Line::of(Op::Enqueue).job(job(seq)).key(Some(key)), answer);
    }

    fn claim(&mut self, seq: i64, n: u64) {
        let before = self.begin(Line::of(Op::Claim));
        let lease = before.job(job(seq)).fence(fence(seq, n)).key(Some(DEPLOY.to_owned()));
        self.lines.push(lease.answered("leased"));
    }

    fn effect(&mut self, seq: i64, n: u64) {
        self.act(Line::of(Op::Effect).job(job(seq)).fence(fence(seq, n)), "written");
        self.tables.effects.push((job(seq), fence(seq, n)));
    }

    fn finish(&mut self, op: Op, seq: i64, n: u64, want: &str, answer: &str) {
        self.act(Line::of(op).job(job(seq)).fence(fence(seq, n)).want(want), answer);
    }

    /// Claimed, done.
    fn run(&mut self, seq: i64, n: u64) {
        self.claim(seq, n);
        self.effect(seq, n);
        self.finish(Op::Finish, seq, n, "done", "accepted");
        self.tables.jobs.insert(job(seq), row(seq, "done", n.cast_signed()));
    }

    /// Ended by a commit that also writes its event and stores the job `next`.
    fn apply(&mut self, seq: i64, next: i64) {
        self.claim(seq, 1);
        self.effect(seq, 1);
        self.finish(Op::Apply, seq, 1, "done", "committed");
        self.act(Line::of(Op::Enqueue).job(job(next)).want(job(seq).to_string()), "stored");
        self.tables.jobs.insert(job(seq), row(seq, "done", 1));
        self.tables.ended.push((job(seq), Some(job(next))));
    }

    fn at(&self, op: Op, seq: i64, answered: bool) -> usize {
        let found = |l: &Line| l.op == op && l.job == Some(job(seq)) && l.answer.is_some() == answered;
        self.lines.iter().rposition(found).expect("the good story has such a line")
    }

    fn row(&mut self, seq: i64) -> &mut Row {
        self.tables.jobs.get_mut(&job(seq)).expect("the good story has such a job")
    }

    #[track_caller]
    fn breaks(&self, rule: &str, why: &str) {
        let violation = check(&self.lines, &self.tables).expect_err("a forged history is rejected");
        assert_eq!(violation.rule, rule, "{violation}");
        assert!(violation.to_string().contains(why), "{violation}");
    }
}

/// Five jobs of one serial key: done, ended by a commit, its follow-up lost once, failed to the limit, done.
fn good() -> Story {
    let mut s = Story::default();
    for seq in [1, 2] {
        s.enqueue(seq, "stored");
    }
    s.run(1, 1);
    s.apply(2, 3);
    s.claim(3, 1);
    s.enqueue(4, "stored");
    s.effect(3, 1);
    s.run(3, 3);
    s.finish(Op::Finish, 3, 1, "done", "lost");
    s.row(3).losses = 1;
    for n in 1..=5 {
        s.claim(4, n);
        s.finish(Op::Finish, 4, n, "retry", "accepted");
    }
    s.claim(4, 6);
    s.finish(Op::Finish, 4, 6, "park", "accepted");
    s.tables.jobs.insert(job(4), Row { failures: 5, ..row(4, "parked", 6) });
    s.enqueue(5, "stored");
    s.run(5, 1);
    s
}

#[test]
fn a_good_history_passes() {
    let s = good();
    check(&s.lines, &s.tables).unwrap_or_else(|v| panic!("{v}"));
}

#[test]
fn an_answer_that_was_lost_proves_nothing() {
    let mut s = good();
    for (op, seq) in [(Op::Finish, 5), (Op::Apply, 2), (Op::Enqueue, 5), (Op::Effect, 1)] {
        s.lines.remove(s.at(op, seq, true));
    }
    s.begin(Line::of(Op::Enqueue).job(job(9)));
    check(&s.lines, &s.tables).unwrap_or_else(|v| panic!("{v}"));
}

#[test]
fn an_acknowledged_job_that_is_gone() {
    let mut s = good();
    s.tables.jobs.remove(&job(5));
    s.breaks("Q1", "is lost");
}

#[test]
fn a_job_that_nobody_enqueued() {
    let mut s = good();
    s.tables.jobs.insert(job(6), row(6, "done", 1));
    s.breaks("Q1", "nobody enqueued");
}

#[test]
fn a_job_that_waits_for_ever() {
    let mut s = good();
    "blocked".clone_into(&mut s.row(5).state);
    s.breaks("Q1", "never came to its end");
}

#[test]
fn a_done_job_without_its_effect() {
    let mut s = good();
    s.tables.effects.retain(|(of, _)| *of != job(5));
    s.breaks("Q1", "without its effect");
}

#[test]
fn an_effect_twice_under_one_fence() {
    let mut s = good();
    s.tables.effects.push((job(1), fence(1, 1)));
    s.breaks("Q2", "2 effects");
}

#[test]
fn an_effect_under_a_fence_of_nobody() {
    let mut s = good();
    s.tables.effects.push((job(1), fence(1, 2)));
    s.breaks("Q2", "nobody was given");
}

#[test]
fn a_zombie_that_is_accepted() {
    let mut s = good();
    s.finish(Op::Finish, 3, 1, "retry", "accepted");
    s.breaks("Q3", "old fence");
}

#[test]
fn a_zombie_that_keeps_its_lease() {
    let mut s = good();
    s.act(Line::of(Op::Extend).job(job(3)).fence(fence(3, 1)), "until");
    s.breaks("Q3", "old fence");
}

#[test]
fn a_lease_that_a_zombie_ended() {
    let mut s = good();
    let at = s.at(Op::Effect, 5, false);
    let lost = Line::of(Op::Extend).job(job(5)).fence(fence(5, 1));
    s.lines.insert(at, Line { p: 8, n: 1, ..lost.clone() });
    s.lines.insert(at + 1, Line { p: 8, n: 1, ..lost.answered("lost") });
    s.breaks("Q3", "lost to nobody");
}

#[test]
fn a_job_done_by_none_of_its_holders() {
    let mut s = good();
    let finish = s.at(Op::Finish, 5, false);
    for line in &mut s.lines[finish..] {
        line.want = Some("retry".to_owned());
    }
    s.breaks("Q3", "had failed");
}

#[test]
fn a_key_that_a_zombie_gave_on() {
    let mut s = good();
    let (from, to) = (s.at(Op::Finish, 1, false), s.at(Op::Effect, 2, false));
    let finish: Vec<Line> = s.lines.drain(from..from + 2).collect();
    s.lines.splice(to..to, finish.iter().cloned());
    let zombie = finish.into_iter().map(|line| Line { p: 8, fence: Some(fence(1, 0)), ..line });
    s.lines.splice(from..from, zombie);
    s.breaks("Q5", "two holders");
}

#[test]
fn a_fence_given_twice() {
    let mut s = good();
    let again = s.at(Op::Effect, 1, false);
    let claim = s.lines[s.at(Op::Claim, 1, true)].clone();
    s.lines.insert(again, Line { p: 8, ..claim });
    s.breaks("Q4", "strictly rise");
}

#[test]
fn a_fence_that_falls() {
    let mut s = good();
    for line in s.lines.iter_mut().filter(|l| l.job == Some(job(4)) && l.fence == Some(fence(4, 2))) {
        line.fence = Some(fence(4, 0));
    }
    s.breaks("Q4", "strictly rise");
}

#[test]
fn two_holders_of_one_serial_key() {
    let mut s = good();
    let (from, to) = (s.at(Op::Finish, 1, false), s.at(Op::Effect, 2, false));
    let finish: Vec<Line> = s.lines.drain(from..from + 2).collect();
    s.lines.splice(to..to, finish);
    s.breaks("Q5", "two holders");
}

#[test]
fn a_job_forgotten_until_mended() {
    let mut s = good();
    s.act(Line::of(Op::Mend), "1");
    s.breaks("Q5", "mended");
}

#[test]
fn two_live_jobs_of_one_dedupe_key() {
    let mut s = good();
    let before = s.at(Op::Enqueue, 5, false);
    let late = s.lines.drain(before..before + 2).map(|line| Line { key: Some("acme/1".to_owned()), ..line });
    let late: Vec<Line> = late.collect();
    let running = s.at(Op::Effect, 1, false);
    s.lines.splice(running..running, late);
    s.breaks("Q6", "two live jobs");
}

#[test]
fn a_signal_folded_into_the_past() {
    let mut s = good();
    s.enqueue(6, &job(1).to_string());
    s.breaks("Q6", "had ended");
}

#[test]
fn a_job_parked_too_early() {
    let mut s = good();
    s.row(4).failures = 4;
    s.breaks("Q7", "within its limits");
}

#[test]
fn a_failure_charged_for_nothing() {
    let mut s = good();
    s.row(5).failures = 1;
    s.breaks("Q7", "never failed");
}

#[test]
fn a_job_that_runs_after_its_end() {
    let mut s = good();
    s.claim(5, 2);
    s.breaks("Q8", "went on");
}

#[test]
fn an_end_that_is_taken_back() {
    let mut s = good();
    let row = s.row(5);
    "parked".clone_into(&mut row.state);
    row.losses = 5;
    s.breaks("Q8", "taken back");
}

#[test]
fn an_end_without_its_event() {
    let mut s = good();
    s.tables.ended.clear();
    s.breaks("Q9", "its event is not");
}

#[test]
fn an_event_without_its_end() {
    let mut s = good();
    s.tables.ended.push((job(4), None));
    s.breaks("Q9", "without the end");
}

#[test]
fn a_commit_without_its_follow_up() {
    let mut s = good();
    let (kept, other) = (job(2), job(99));
    s.tables.ended = vec![(kept, Some(other))];
    s.breaks("Q9", "follow-up");
}
