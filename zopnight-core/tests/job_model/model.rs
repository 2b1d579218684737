//! A queue of a few jobs: the rows move by the pure rules, everything around them is as small as it can be.

use std::hash::Hash;
use std::sync::LazyLock;
use std::time::Duration;

use zopnight_core::domain::job_state::{Counters, JobEvent, next};
use zopnight_core::domain::{Fence, JobError, JobState as S, Outcome};

/// Failures, panics and losses after which a job is given up.
const LIMIT: u32 = 2;

/// How the queue may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Right,
    /// A finish names the job and not its hand-out.
    FinishById,
    /// A take-back does not look at the state again.
    TakeBackUnguarded,
    /// A release sets the hand-outs back.
    ResetOnRelease,
}

/// Keys and tenants of the jobs, in the order they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<const J: usize> {
    pub(crate) serial: [Option<u8>; J],
    /// The key, and whether it is free once its job has started.
    pub(crate) dedupe: [Option<(u8, bool)>; J],
    pub(crate) org: [u8; J],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Done,
    Release,
    Snooze,
    Retry,
    Panic,
    Park,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The next job is stored, due now or later.
    Enqueue {
        delayed: bool,
    },
    Promote(u8),
    Unblock(u8),
    Claim(u8),
    Extend(u8),
    /// The worker ends the last job it was handed out, whether or not it still holds it.
    Finish(u8, How),
    /// The worker finds no build slot.
    Block(u8),
    /// The lease runs out.
    Expire(u8),
    /// A housekeeper reads an expired lease …
    See(u8),
    /// … and writes what it saw.
    TakeBack,
    Cancel(u8),
    Revive(u8),
}

pub(crate) fn acts(jobs: usize, workers: usize) -> Vec<Act> {
    let mut acts = vec![Act::Enqueue { delayed: false }, Act::Enqueue { delayed: true }, Act::TakeBack];
    for w in 0..u8::try_from(workers).unwrap() {
        acts.extend([Act::Claim(w), Act::Extend(w), Act::Block(w)]);
        let ends = [How::Done, How::Release, How::Snooze, How::Retry, How::Panic, How::Park];
        acts.extend(ends.map(|how| Act::Finish(w, how)));
    }
    for j in 0..u8::try_from(jobs).unwrap() {
        acts.extend([Act::Promote(j), Act::Unblock(j), Act::Expire(j), Act::See(j), Act::Cancel(j), Act::Revive(j)]);
    }
    acts
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waits {
    No,
    Serial,
    Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    state: S,
    counters: Counters,
    waits: Waits,
    /// The turn, while ready.
    turn: i32,
    expired: bool,
    cancel_asked: bool,
    /// It still owns its dedupe key.
    keyed: bool,
    revived: bool,
    /// The last hand-out, and the last whose holder wrote its end.
    handed_out: u32,
    ended: u32,
    /// Claims of other tenants since it became the only ready job of its own.
    overtaken: Option<u8>,
    /// What one `apply` writes with the end of a job: its revision moves, the timeline tells.
    moved: bool,
    told: u8,
}

/// A job as a worker or a housekeeper knows it.
type Seen = (u8, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Queue<const J: usize, const W: usize> {
    rows: [Option<Row>; J],
    stored: u8,
    leases: [Option<Seen>; W],
    seen: Option<Seen>,
    last_turn: [i32; 2],
    /// A ready job of the tenant was cancelled: it used a turn in which nothing ran.
    wasted: [bool; 2],
}

struct Events {
    done: JobEvent,
    release: JobEvent,
    snooze: JobEvent,
    retry: JobEvent,
    panic: JobEvent,
    park: JobEvent,
}

/// Made once: an error is redacted when it is made.
static EVENTS: LazyLock<Events> = LazyLock::new(|| {
    let error = || JobError::new("x", "m");
    let retry = |panic| JobEvent::Finish(Outcome::Retry { after: Duration::from_secs(1), error: error(), panic });
    Events {
        done: JobEvent::Finish(Outcome::Done),
        release: JobEvent::Finish(Outcome::Release),
        snooze: JobEvent::Finish(Outcome::Snooze { after: Duration::from_secs(1), payload: None }),
        retry: retry(false),
        panic: retry(true),
        park: JobEvent::Finish(Outcome::Park { error: error() }),
    }
});

/// The invariant that does not hold.
pub(crate) type Broken = &'static str;

fn holds(good: bool, otherwise: Broken) -> Result<(), Broken> {
    if good { Ok(()) } else { Err(otherwise) }
}

impl<const J: usize, const W: usize> Queue<J, W> {
    pub(crate) const EMPTY: Self =
        Self { rows: [None; J], stored: 0, leases: [None; W], seen: None, last_turn: [0; 2], wasted: [false; 2] };

    /// What becomes of the queue; `None` if nothing does.
    pub(crate) fn step(&self, setup: &Setup<J>, variant: Variant, act: Act) -> Option<Result<Self, Broken>> {
        let mut after = *self;
        let done = after.play(setup, variant, act)?;
        let judged = done.and_then(|()| after.judge(setup)).and_then(|()| self.judge_ends(&after, act));
        if after == *self && judged.is_ok() {
            return None;
        }
        Some(judged.map(|()| after))
    }

    fn row(&self, j: u8) -> Option<&Row> {
        self.rows[usize::from(j)].as_ref()
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter_map(|(j, row)| row.as_ref().filter(|r| !r.state.is_ended()).map(|r| (j, r)))
    }

    fn play(&mut self, setup: &Setup<J>, variant: Variant, act: Act) -> Option<Result<(), Broken>> {
        match act {
            Act::Enqueue { delayed } => self.enqueue(setup, delayed),
            Act::Promote(j) => self.advance(setup, j, &JobEvent::Promote),
            Act::Unblock(j) if self.row(j)?.waits == Waits::Slot => self.advance(setup, j, &JobEvent::Unblock),
            Act::Unblock(_) => None,
            Act::Claim(w) => self.claim(setup, w),
            Act::Extend(w) => {
                let (j, fence) = self.leases[usize::from(w)]?;
                let row = self.rows[usize::from(j)].as_mut()?;
                (row.state == S::Leased && row.counters.fence == fence).then(|| row.expired = false).map(Ok)
            }
            Act::Finish(w, how) => self.finish(setup, variant, w, how),
            Act::Block(w) => {
                let (j, fence) = self.leases[usize::from(w)]?;
                let row = *self.row(j)?;
                if row.state != S::Leased || row.counters.fence != fence || setup.serial[usize::from(j)].is_some() {
                    return None;
                }
                let blocked = self.advance(setup, j, &JobEvent::BlockOnSlot);
                self.rows[usize::from(j)].as_mut()?.ended = fence;
                blocked
            }
            Act::Expire(j) => {
                let row = self.rows[usize::from(j)].as_mut()?;
                (row.state == S::Leased).then(|| row.expired = true).map(Ok)
            }
            Act::See(j) => {
                let row = self.row(j)?;
                let expired = row.state == S::Leased && row.expired && self.seen.is_none();
                let seen = (j, row.counters.fence);
                expired.then(|| self.seen = Some(seen)).map(Ok)
            }
            Act::TakeBack => self.take_back(setup, variant),
            Act::Cancel(j) if self.row(j)?.state == S::Leased => {
                self.rows[usize::from(j)].as_mut()?.cancel_asked = true;
                Some(Ok(()))
            }
            Act::Cancel(j) => {
                let ready = self.row(j)?.state == S::Ready;
                let cancelled = self.advance(setup, j, &JobEvent::Cancel)?;
                if ready {
                    self.waste(setup, setup.org[usize::from(j)]);
                }
                Some(cancelled)
            }
            Act::Revive(j) => {
                let key = setup.serial[usize::from(j)];
                let taken = self.live().any(|(other, _)| {
                    key.is_some() && setup.serial[other] == key || self.owns_key_of(setup, other, usize::from(j))
                });
                if taken {
                    return None;
                }
                let revived = self.advance(setup, j, &JobEvent::Revive)?;
                self.rows[usize::from(j)].as_mut()?.revived = true;
                Some(revived)
            }
        }
    }

    /// Whether `owner` folds later jobs with the key of `j`.
    fn owns_key_of(&self, setup: &Setup<J>, owner: usize, j: usize) -> bool {
        let (Some(row), Some((key, _))) = (&self.rows[owner], setup.dedupe[j]) else { return false };
        let Some((own, until_started)) = setup.dedupe[owner] else { return false };
        let folds = match row.state {
            S::Delayed | S::Blocked | S::Ready => true,
            S::Leased => !until_started,
            S::Done | S::Cancelled | S::Parked => false,
        };
        owner != j && own == key && row.keyed && folds
    }

    fn enqueue(&mut self, setup: &Setup<J>, delayed: bool) -> Option<Result<(), Broken>> {
        let j = usize::from(self.stored);
        if j >= J {
            return None;
        }
        self.stored += 1;
        if let Some(survivor) = (0..J).find(|other| self.owns_key_of(setup, *other, j)) {
            let kept = self.rows[survivor].is_some_and(|r| !r.state.is_ended());
            return Some(holds(kept, "Q1: a job was folded into one that will not run"));
        }
        let key = setup.serial[j];
        let behind = key.is_some() && self.live().any(|(other, _)| setup.serial[other] == key);
        let (state, waits) = match (behind, delayed) {
            (true, _) => (S::Blocked, Waits::Serial),
            (false, true) => (S::Delayed, Waits::No),
            (false, false) => (S::Ready, Waits::No),
        };
        let counters = Counters::default();
        let row = Row {
            state,
            counters,
            waits,
            turn: 0,
            expired: false,
            cancel_asked: false,
            keyed: true,
            revived: false,
            handed_out: 0,
            ended: 0,
            overtaken: None,
            moved: false,
            told: 0,
        };
        self.rows[j] = Some(row);
        Some(if state == S::Ready { self.take_turn(setup, j) } else { Ok(()) })
    }

    /// The place in line of a job that became ready: the rule of the fair queueing.
    fn take_turn(&mut self, setup: &Setup<J>, j: usize) -> Result<(), Broken> {
        let org = usize::from(setup.org[j]);
        let ready = |other: &usize| *other != j && self.rows[*other].is_some_and(|r| r.state == S::Ready);
        let turns: Vec<(usize, i32)> = (0..J).filter(ready).filter_map(|o| Some((o, self.rows[o]?.turn))).collect();
        let head = turns.iter().map(|(_, turn)| *turn).min();
        let virtual_time = head.unwrap_or_else(|| self.last_turn[0].max(self.last_turn[1]));
        let turn = virtual_time.max(self.last_turn[org] + 1);
        self.last_turn[org] = turn;
        let own: Vec<i32> = turns.iter().filter(|(o, _)| usize::from(setup.org[*o]) == org).map(|(_, t)| *t).collect();
        let overtaken = (own.is_empty() && !self.wasted[org]).then_some(0);
        if let Some(row) = &mut self.rows[j] {
            (row.turn, row.overtaken) = (turn, overtaken);
        }
        holds(own.iter().all(|t| *t < turn), "Q10: a tenant's jobs must be served in the order they became ready")
    }

    /// From here on the tenant's jobs may wait longer than for two claims of another: no more is said of them.
    fn waste(&mut self, setup: &Setup<J>, org: u8) {
        self.wasted[usize::from(org)] = true;
        for (row, of) in self.rows.iter_mut().zip(setup.org) {
            if let Some(row) = row.as_mut().filter(|_| of == org) {
                row.overtaken = None;
            }
        }
    }

    /// Moves a row by the rules, gives its key on, and takes its place in line.
    fn advance(&mut self, setup: &Setup<J>, j: u8, event: &JobEvent) -> Option<Result<(), Broken>> {
        let row = *self.row(j)?;
        let to = next(row.state, row.counters, event)?;
        Some(self.put(setup, usize::from(j), to.state, to.counters))
    }

    fn put(&mut self, setup: &Setup<J>, j: usize, state: S, counters: Counters) -> Result<(), Broken> {
        if let Some(row) = &mut self.rows[j] {
            (row.state, row.counters) = (state, counters);
            (row.expired, row.overtaken) = (false, None);
            row.waits = if state == S::Blocked { Waits::Slot } else { Waits::No };
        }
        // A row that comes back beside its successor gives its key up.
        if (0..J).any(|other| self.owns_key_of(setup, other, j))
            && let Some(row) = self.rows[j].as_mut().filter(|r| !r.state.is_ended() && r.state != S::Leased)
        {
            row.keyed = false;
        }
        if state == S::Ready {
            self.take_turn(setup, j)?;
        }
        let key = setup.serial[j];
        let mut of_key = (0..J).filter(|o| key.is_some() && setup.serial[*o] == key);
        let waits = |o: &usize| self.rows[*o].is_some_and(|r| r.waits == Waits::Serial);
        let free = state.is_ended() && !of_key.clone().any(|o| self.holds_key(o));
        match of_key.find(waits).filter(|_| free) {
            Some(next) => self.advance(setup, u8::try_from(next).unwrap(), &JobEvent::Unblock).unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    fn holds_key(&self, j: usize) -> bool {
        self.rows[j].is_some_and(|r| matches!(r.state, S::Delayed | S::Ready | S::Leased))
    }

    fn claim(&mut self, setup: &Setup<J>, w: u8) -> Option<Result<(), Broken>> {
        let ready = (0..J).filter_map(|j| self.rows[j].filter(|r| r.state == S::Ready).map(|r| (r.turn, j)));
        let (_, j) = ready.min()?;
        let overtaken = self.overtake(setup, j);
        let earlier = self.highest_before(setup, j);
        let seq = i64::try_from(j + 1).unwrap();
        let mut claimed = self.advance(setup, u8::try_from(j).unwrap(), &JobEvent::Claim)?;
        let row = self.rows[j].as_mut()?;
        let fence = row.counters.fence;
        let grown = fence > row.handed_out && earlier.is_none_or(|e| row.revived || Fence::of(seq, fence) > e);
        row.handed_out = fence;
        self.leases[usize::from(w)] = Some((u8::try_from(j).unwrap(), fence));
        claimed = claimed.and(holds(grown, "Q4: fences must grow over the hand-outs of a job, and over the jobs of a key"));
        Some(claimed.and(overtaken))
    }

    /// The highest fence handed out among the jobs of the same serial key. A revived job runs out of its order.
    fn highest_before(&self, setup: &Setup<J>, j: usize) -> Option<Fence> {
        let key = setup.serial[j]?;
        let of_key = (0..J).filter(|o| *o != j && setup.serial[*o] == Some(key));
        let handed_out = of_key.filter_map(|o| self.rows[o].filter(|r| r.handed_out > 0 && !r.revived).map(|r| (o, r)));
        handed_out.map(|(o, r)| Fence::of(i64::try_from(o + 1).unwrap(), r.handed_out)).max()
    }

    fn overtake(&mut self, setup: &Setup<J>, claimed: usize) -> Result<(), Broken> {
        for j in 0..J {
            if setup.org[j] == setup.org[claimed] {
                continue;
            }
            if let Some(overtaken) = self.rows[j].as_mut().filter(|r| r.state == S::Ready).and_then(|r| r.overtaken.as_mut())
            {
                *overtaken += 1;
                holds(
                    *overtaken <= 2,
                    "Q10: a tenant without ready jobs must not wait for more than two claims of another",
                )?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, setup: &Setup<J>, variant: Variant, w: u8, how: How) -> Option<Result<(), Broken>> {
        let (j, fence) = self.leases[usize::from(w)]?;
        let row = *self.row(j)?;
        let held = row.state == S::Leased && (row.counters.fence == fence || variant == Variant::FinishById);
        if !held {
            // Answered as accepted, and nothing written: then this very lease must have ended the job before.
            let accepted = row.counters.fence == fence && row.state != S::Leased;
            return Some(holds(!accepted || row.ended == fence, "Q3: a finish that never happened was accepted"));
        }
        let c = row.counters;
        let event = match how {
            How::Park => &EVENTS.park,
            // A job whose workers died too often is not run; what fails too often is given up.
            _ if c.losses >= LIMIT => return None,
            How::Retry if c.failures + 1 >= LIMIT => &EVENTS.park,
            How::Panic if c.failures + 1 >= LIMIT || c.panics + 1 >= LIMIT => &EVENTS.park,
            How::Done => &EVENTS.done,
            How::Release => &EVENTS.release,
            How::Snooze => &EVENTS.snooze,
            How::Retry => &EVENTS.retry,
            How::Panic => &EVENTS.panic,
        };
        let finished = self.advance(setup, j, event)?;
        let row = self.rows[usize::from(j)].as_mut()?;
        if how == How::Release && variant == Variant::ResetOnRelease {
            row.counters.fence = 0;
        }
        if how == How::Done {
            (row.moved, row.told) = (true, row.told + 1);
        }
        let once = holds(row.ended < fence, "Q2: one hand-out had two effects");
        row.ended = fence;
        Some(finished.and(holds(c.fence == fence, "Q3: a finish under an old fence was accepted")).and(once))
    }

    fn take_back(&mut self, setup: &Setup<J>, variant: Variant) -> Option<Result<(), Broken>> {
        let (j, fence) = self.seen.take()?;
        let row = *self.row(j)?;
        let event = JobEvent::TakeBack { cancel: row.cancel_asked };
        if variant == Variant::TakeBackUnguarded && row.counters.fence == fence && row.state != S::Leased {
            let c = row.counters;
            let counters = Counters { fence: c.fence + 1, losses: c.losses + 1, ..c };
            return Some(self.put(setup, usize::from(j), S::Ready, counters));
        }
        if row.counters.fence != fence || !row.expired {
            return Some(Ok(()));
        }
        self.advance(setup, j, &event).or(Some(Ok(())))
    }

    /// What must hold of every queue.
    fn judge(&self, setup: &Setup<J>) -> Result<(), Broken> {
        for j in 0..J {
            let Some(row) = &self.rows[j] else {
                continue;
            };
            let c = row.counters;
            holds(c.failures < LIMIT && c.panics < LIMIT, "Q7: what failed too often must be parked")?;
            let ended = row.state == S::Done;
            holds(row.moved == (row.told == 1) && row.told <= 1, "Q9: revision and timeline must move together, once")?;
            holds(!ended || row.moved, "Q9: a job that is done must have moved its revision")?;
            let key = setup.serial[j];
            let holder = |o: &usize| key.is_some() && setup.serial[*o] == key && self.holds_key(*o);
            let holders: Vec<usize> = (0..J).filter(holder).collect();
            holds(holders.len() <= 1, "Q5: two jobs of a serial key are out")?;
            if row.waits == Waits::Serial {
                holds(!holders.is_empty(), "Q5: a job waits for a key that nobody holds")?;
                let in_order = holders.iter().all(|h| *h < j || self.rows[*h].is_some_and(|r| r.revived));
                holds(in_order, "Q5: a job overtook an earlier one of its key")?;
            }
            let owners = (0..J).filter(|o| {
                setup.dedupe[j].is_some() && (*o == j || setup.dedupe[*o].map(|d| d.0) == setup.dedupe[j].map(|d| d.0))
            });
            let live = owners.filter(|o| self.owns(setup, *o)).count();
            holds(live <= 1, "Q6: two live jobs own one dedupe key")?;
        }
        Ok(())
    }

    fn owns(&self, setup: &Setup<J>, j: usize) -> bool {
        let Some((_, until_started)) = setup.dedupe[j] else { return false };
        self.rows[j].is_some_and(|r| {
            r.keyed && (matches!(r.state, S::Delayed | S::Blocked | S::Ready) || r.state == S::Leased && !until_started)
        })
    }

    /// What must hold of every step: nothing that was stored is gone, and an end is left by a revival only.
    fn judge_ends(&self, after: &Self, act: Act) -> Result<(), Broken> {
        for j in 0..J {
            let (Some(before), now) = (&self.rows[j], &after.rows[j]) else { continue };
            let Some(now) = now else { return Err("Q1: a stored job is gone") };
            let revived = before.state == S::Parked && act == Act::Revive(u8::try_from(j).unwrap());
            holds(!before.state.is_ended() || before.state == now.state || revived, "Q8: an end was left")?;
            let claimed = before.state == S::Ready && now.state == S::Leased;
            holds(now.state != S::Leased || before.state == S::Leased || claimed, "Q7: a job was held that was not ready")?;
        }
        Ok(())
    }

    /// The same for all that differ only in what no rule looks at: how high fences and turns are, who is which worker.
    pub(crate) fn essence(&self) -> Self {
        let mut e = *self;
        let known: Vec<Seen> = e.leases.iter().chain([&e.seen]).flatten().copied().collect();
        for (j, row) in e.rows.iter_mut().enumerate() {
            let Some(row) = row else { continue };
            row.counters.snoozes = 0;
            if row.state.is_ended() {
                row.counters = Counters { fence: row.counters.fence, ..Counters::default() };
            }
            let of_job = known.iter().filter(|(k, _)| usize::from(*k) == j).map(|(_, fence)| *fence);
            // Below the lowest fence that anybody still knows, all are alike.
            let base = of_job.min().unwrap_or(row.counters.fence).min(row.counters.fence).saturating_sub(1);
            let low = |fence: u32| fence.saturating_sub(base);
            (row.handed_out, row.ended) = (low(row.handed_out), low(row.ended));
            row.counters.fence -= base;
            for (k, fence) in e.leases.iter_mut().chain([&mut e.seen]).flatten() {
                if usize::from(*k) == j {
                    *fence -= base;
                }
            }
        }
        let ready = e.rows.iter().flatten().filter(|r| r.state == S::Ready).map(|r| r.turn);
        let base = ready.min().unwrap_or_else(|| e.last_turn[0].max(e.last_turn[1]));
        e.last_turn = e.last_turn.map(|turn| (turn - base).max(-1));
        for row in e.rows.iter_mut().flatten() {
            row.turn = if row.state == S::Ready { row.turn - base } else { 0 };
        }
        e.leases.sort_unstable();
        e
    }
}
