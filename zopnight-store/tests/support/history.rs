//! What the processes of a chaos run did, in one file: a line before and a line after each act.
//!
//! A line is one `write` to a file opened for appending, so lines of different processes do not mix, and the order of
//! lines is the order of time: an act happened between its two lines. A process killed while it writes may leave a torn
//! line; it stands alone, since every write begins a new line.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    Enqueue,
    /// Before: without a job. After: one line a lease.
    Claim,
    Extend,
    /// A row in the scratch table.
    Effect,
    Finish,
    Apply,
    /// Housekeeping found a blocked job that nobody would have unblocked.
    Mend,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Microseconds since the epoch; for the reader's eye, nothing is judged by it.
    pub(crate) t: u64,
    /// Process id.
    pub(crate) p: u32,
    /// The act's number in its process: the line before and the line after share it.
    pub(crate) n: u64,
    pub(crate) op: Op,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fence: Option<u64>,
    /// Org and key: of an enqueue the dedupe key, of a claim the serial key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// What is asked for: the outcome of a finish; of an enqueue inside an apply the job that the apply ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) want: Option<String>,
    /// Absent before the act. Of an enqueue `stored` or the survivor's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
}

impl Line {
    /// The line before an act; the history gives time, process and number.
    pub(crate) const fn of(op: Op) -> Self {
        Self { t: 0, p: 0, n: 0, op, job: None, fence: None, key: None, want: None, answer: None }
    }

    pub(crate) const fn job(mut self, job: Uuid) -> Self {
        self.job = Some(job);
        self
    }

    pub(crate) const fn fence(mut self, fence: u64) -> Self {
        self.fence = Some(fence);
        self
    }

    pub(crate) fn key(mut self, key: Option<String>) -> Self {
        self.key = key;
        self
    }

    pub(crate) fn want(mut self, want: impl Into<String>) -> Self {
        self.want = Some(want.into());
        self
    }

    /// The line after the same act.
    pub(crate) fn answered(&self, answer: impl Into<String>) -> Self {
        Self { answer: Some(answer.into()), ..self.clone() }
    }
}

/// The end of the file that a process writes at.
#[derive(Debug)]
pub(crate) struct History {
    file: File,
    next: AtomicU64,
}

impl History {
    pub(crate) fn append(path: &Path) -> Self {
        let file = File::options().create(true).append(true).open(path).expect("the history opens");
        Self { file, next: AtomicU64::new(0) }
    }

    /// Writes the lines before the acts and numbers them.
    pub(crate) fn before(&self, mut acts: Vec<Line>) -> Vec<Line> {
        for act in &mut acts {
            act.n = self.next.fetch_add(1, Ordering::Relaxed);
        }
        self.write(&acts);
        acts
    }

    /// Writes the lines after.
    pub(crate) fn after(&self, acts: &[Line]) {
        self.write(acts);
    }

    fn write(&self, lines: &[Line]) {
        let mut text = String::new();
        for line in lines {
            let line = Line { t: now(), p: std::process::id(), ..line.clone() };
            text.push('\n');
            text.push_str(&serde_json::to_string(&line).expect("a line is JSON"));
        }
        (&self.file).write_all(text.as_bytes()).expect("the history is written");
    }
}

/// Microseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "processes of one test compare their clocks")]
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_micros()).expect("a clock before the year 586,524")
}

/// All whole lines, and how many are torn.
pub(crate) fn read(path: &Path) -> (Vec<Line>, usize) {
    let text = fs::read(path).expect("the history is there");
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    let whole: Vec<Line> = all.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let torn = all.len() - whole.len();
    (whole, torn)
}

/// What happened between two lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'h> {
    /// The line after, or the line before where there is no answer.
    pub(crate) line: &'h Line,
    pub(crate) begin: usize,
    /// `None`: no answer; it may have happened or not.
    pub(crate) end: Option<usize>,
    /// Empty without an answer.
    pub(crate) answer: &'h str,
}

impl Act<'_> {
    /// Whether all of it happened before any of `other`.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.end.is_some_and(|end| end < other.begin)
    }

    pub(crate) fn is(&self, op: Op) -> bool {
        self.line.op == op
    }

    /// Ends its job if it is accepted.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.line.want.as_deref(), Some("done" | "park")) && (self.is(Op::Finish) || self.is(Op::Apply))
    }

    pub(crate) fn accepted(&self) -> bool {
        matches!(self.answer, "accepted" | "committed" | "until")
    }

    pub(crate) fn fence(&self) -> u64 {
        self.line.fence.unwrap_or(0)
    }
}

/// The acts of `lines`: of a claim one for each lease that was answered.
pub(crate) fn acts(lines: &[Line]) -> Vec<Act<'_>> {
    let mut acts: Vec<Act<'_>> = Vec::new();
    let mut open: HashMap<(u32, u64), usize> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        let begun = open.get(&(line.p, line.n)).copied();
        match (&line.answer, begun) {
            (None, _) => {
                open.insert((line.p, line.n), acts.len());
                acts.push(Act { line, begin: at, end: None, answer: "" });
            }
            (Some(answer), Some(begun)) if line.op != Op::Claim => {
                acts[begun] = Act { line, end: Some(at), answer, ..acts[begun] };
            }
            (Some(answer), begun) => {
                let begin = begun.map_or(at, |begun| acts[begun].begin);
                acts.push(Act { line, begin, end: Some(at), answer });
            }
        }
    }
    acts.retain(|act| act.line.job.is_some() || act.is(Op::Mend));
    acts
}
