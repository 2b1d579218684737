//! Judges a chaos run: its history, and what the tables hold after every job was run to its end.
//!
//! Of an act without an answer either may be true. Nothing is judged by the order of acts that overlap.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use uuid::Uuid;

use crate::history::{Act, Line, Op, acts};
use crate::tables::{Row, Tables};

/// From how many failures, panics and losses on a job is given up.
pub(crate) const LIMITS: (i64, i64, i64) = (5, 3, 5);

/// A broken promise with the lines that show it.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    why: String,
    excerpt: Vec<Line>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.why)?;
        self.excerpt.iter().try_for_each(|line| write!(f, "\n  {}", serde_json::to_string(line).map_err(|_| fmt::Error)?))
    }
}

type Judged = Result<(), Violation>;
type Acts<'h> = Vec<&'h Act<'h>>;

struct Judge<'h> {
    lines: &'h [Line],
    tables: &'h Tables,
    jobs: BTreeMap<Uuid, Acts<'h>>,
    /// By dedupe key.
    enqueues: HashMap<&'h str, Acts<'h>>,
    /// By serial key; of a job without one, its own.
    claims: BTreeMap<String, Acts<'h>>,
    effects: BTreeMap<(Uuid, u64), usize>,
}

/// Judges `lines` and `tables` by the promises Q1 to Q9.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn check(lines: &[Line], tables: &Tables) -> Judged {
    let acts = acts(lines);
    let (jobs, effects) = (BTreeMap::new(), BTreeMap::new());
    let mut judge = Judge { lines, tables, jobs, enqueues: HashMap::new(), claims: BTreeMap::new(), effects };
    for act in &acts {
        judge.hold(!act.is(Op::Mend), "Q5", "a blocked job was forgotten and had to be mended", &[Some(act)])?;
        let job = act.line.job.unwrap_or_default();
        judge.jobs.entry(job).or_default().push(act);
        match (act.line.op, &act.line.key) {
            (Op::Enqueue, Some(key)) => judge.enqueues.entry(key).or_default().push(act),
            (Op::Claim, key) => judge.claims.entry(key.clone().unwrap_or(job.to_string())).or_default().push(act),
            _ => {}
        }
    }
    tables.effects.iter().for_each(|effect| *judge.effects.entry(*effect).or_default() += 1);
    judge.claims.values().try_for_each(|claims| judge.handed_out(claims))?;
    judge.jobs.iter().try_for_each(|(job, acts)| judge.enqueued(*job, acts))?;
    judge.jobs.values().try_for_each(|acts| judge.ended(acts))?;
    tables.jobs.iter().try_for_each(|(job, row)| judge.row(*job, row, judge.of(*job)))
}

impl<'h> Judge<'h> {
    fn hold(&self, holds: bool, rule: &'static str, why: &str, acts: &[Option<&Act<'_>>]) -> Judged {
        if holds {
            return Ok(());
        }
        let at: BTreeSet<usize> = acts.iter().flatten().flat_map(|act| [Some(act.begin), act.end]).flatten().collect();
        Err(Violation { rule, why: why.to_owned(), excerpt: at.into_iter().map(|at| self.lines[at].clone()).collect() })
    }

    fn of(&self, job: Uuid) -> &[&'h Act<'h>] {
        self.jobs.get(&job).map_or(&[], Vec::as_slice)
    }

    fn ends_of(&self, job: Uuid) -> impl Iterator<Item = &'h Act<'h>> {
        self.of(job).iter().copied().filter(|act| act.ends())
    }

    /// Q4, Q5: fences rise in the order of hand-outs, over the jobs of a serial key too, and one waits for the one before.
    fn handed_out(&self, claims: &Acts<'h>) -> Judged {
        let (mut begun, mut answered) = (claims.clone(), claims.clone());
        begun.sort_by_key(|claim| claim.begin);
        answered.sort_by_key(|claim| claim.end);
        let (mut answered, mut highest) = (answered.into_iter().peekable(), None);
        let (mut fences, mut first) = (HashMap::new(), BTreeMap::new());
        for claim in begun {
            while let Some(earlier) = answered.next_if(|earlier| earlier.is_before(claim)) {
                highest = highest.filter(|h: &&Act<'_>| h.fence() > earlier.fence()).or(Some(earlier));
            }
            let not_less = fences.insert(claim.fence(), claim).or(highest.filter(|h| h.fence() >= claim.fence()));
            self.hold(not_less.is_none(), "Q4", "fences do not strictly rise", &[not_less, Some(claim)])?;
            let earliest = first.entry(claim.fence() >> 20).or_insert(claim);
            *earliest = if claim.end < earliest.end { claim } else { earliest };
        }
        for (holder, next) in first.values().zip(first.values().skip(1)) {
            let job = holder.line.job.unwrap_or_default();
            let last = |end: &&Act<'_>| self.tables.jobs.get(&job).is_some_and(|row| row.fence() == end.fence());
            let gave = self.ends_of(job).filter(last).any(|end| Some(end.begin) < next.end);
            self.hold(gave, "Q5", "a serial key had two holders, or a wrong order", &[Some(holder), Some(next)])?;
        }
        Ok(())
    }

    /// Q1, Q6: what was acknowledged is there; a key folds only into a live job, and lets no second one in.
    fn enqueued(&self, job: Uuid, acts: &Acts<'h>) -> Judged {
        let enqueues = || acts.iter().copied().filter(|act| act.is(Op::Enqueue));
        let Some(first) = enqueues().map(|act| act.begin).min() else { return Ok(()) };
        for act in enqueues().filter(|act| act.end.is_some() && !act.answer.starts_with("error")) {
            let survivor = Uuid::try_parse(act.answer).unwrap_or(job);
            self.hold(self.tables.jobs.contains_key(&survivor), "Q1", &format!("job {survivor} is lost"), &[Some(act)])?;
            let over = self.ends_of(survivor).find(|end| survivor != job && end.accepted() && end.is_before(act));
            self.hold(over.is_none(), "Q6", "folded into a job that had ended", &[over, Some(act)])?;
            let same_key = act.line.key.iter().flat_map(|key| &self.enqueues[key.as_str()]);
            for other in same_key.filter(|o| o.line.job != Some(job) && o.answer == "stored" && act.answer == "stored") {
                let gone = self.ends_of(other.line.job.unwrap_or_default()).any(|end| Some(end.begin) < act.end);
                let free = gone || other.end.is_none_or(|end| end > first);
                self.hold(free, "Q6", "two live jobs of one dedupe key", &[Some(other), Some(act)])?;
            }
        }
        Ok(())
    }

    /// Q3, Q8: an answer is good under the newest fence only, and an end is the end.
    fn ended(&self, acts: &Acts<'h>) -> Judged {
        for act in acts.iter().filter(|act| act.accepted() && act.line.fence.is_some()) {
            let newer = |a: &&&Act<'_>| a.is(Op::Claim) && a.fence() > act.fence() && a.is_before(act);
            let newer = acts.iter().find(newer).copied();
            self.hold(newer.is_none(), "Q3", "accepted under an old fence", &[newer, Some(act)])?;
            let goes_on = |a: &Act<'_>| a.is(Op::Claim) && act.is_before(a);
            let again = |a: &Act<'_>| a.ends() && a.accepted() && a.fence() != act.fence();
            let later = acts.iter().find(|a| act.ends() && (goes_on(a) || again(a))).copied();
            self.hold(later.is_none(), "Q8", "a job went on after its end", &[Some(act), later])?;
        }
        Ok(())
    }

    /// Q1, Q2, Q7, Q8, Q9: what the tables say of a job.
    fn row(&self, job: Uuid, row: &Row, acts: &[&Act<'_>]) -> Judged {
        let shown: Vec<_> = acts.iter().copied().map(Some).collect();
        let hold = |holds: bool, rule, why: &str| self.hold(holds, rule, &format!("{why}: job {job}, {row:?}"), &shown);
        let (done, ended) = (row.state == "done", matches!(row.state.as_str(), "done" | "parked"));
        hold(acts.iter().any(|act| act.is(Op::Enqueue)), "Q1", "nobody enqueued it")?;
        hold(ended, "Q1", "it never came to its end")?;
        hold(!done || self.effects.contains_key(&(job, row.fence())), "Q1", "done without its effect")?;
        for act in acts.iter().filter(|act| act.fence() == row.fence()) {
            let ended = || acts.iter().any(|end| end.ends() && end.fence() == row.fence() && Some(end.begin) < act.end);
            hold(act.answer != "lost" || ended(), "Q3", "a lease was lost to nobody")?;
            let is_end = act.ends() || !act.is(Op::Finish);
            hold(is_end || !act.accepted(), "Q3", "ended under the fence of a hand-out that had failed")?;
        }
        for ((_, fence), rows) in self.effects.range((job, 0)..=(job, u64::MAX)) {
            hold(*rows == 1, "Q2", &format!("{rows} effects under the fence {fence}"))?;
            let claimed = acts.iter().any(|act| act.is(Op::Claim) && act.fence() == *fence);
            hold(claimed, "Q2", &format!("an effect under the fence {fence}, which nobody was given"))?;
        }
        let tried = |want: &str| acts.iter().filter(|act| act.line.want.as_deref() == Some(want)).count();
        let spent = row.failures >= LIMITS.0 || row.panics >= LIMITS.1 || row.losses >= LIMITS.2;
        hold(done || spent, "Q7", "parked within its limits")?;
        hold(row.failures <= LIMITS.0 && row.panics <= LIMITS.1, "Q7", "run beyond its limits")?;
        hold(usize::try_from(row.failures).is_ok_and(|n| n <= tried("retry")), "Q7", "charged for what never failed")?;
        let want = if done { "done" } else { "park" };
        let other = |act: &&Act<'_>| act.ends() && act.accepted() && act.line.want.as_deref() != Some(want);
        hold(!acts.iter().any(other), "Q8", "its end was taken back")?;
        let events: Vec<_> = self.tables.ended.iter().filter(|(of, _)| *of == job).collect();
        hold(events.len() <= usize::from(done), "Q9", "the event of its end is there twice, or without the end")?;
        let follows = events.iter().all(|(_, next)| next.is_none_or(|next| self.tables.jobs.contains_key(&next)));
        hold(follows, "Q9", "its follow-up job is not there")?;
        let by_apply = done && tried("done") > 0 && self.ends_of(job).all(|end| end.is(Op::Apply));
        hold(!by_apply || !events.is_empty(), "Q9", "the end is there, its event is not")
    }
}

#[cfg(test)]
#[path = "checker/forged.rs"]
mod forged;
