//! What the user sees: plain lines, or one JSON object a line with the plain lines on the side.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

/// Where lines go. A cheap clone.
#[derive(Clone)]
pub(crate) struct Report(Arc<Mutex<Streams>>);

struct Streams {
    started: Instant,
    json: bool,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

impl Report {
    /// To these streams; time counts from now.
    pub(crate) fn new(json: bool, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(Streams { started: Instant::now(), json, out, err })))
    }

    /// One line for people.
    pub(crate) fn say(&self, line: &str) {
        self.with(|s| s.plain(line));
    }

    /// One line for people, with the time since the start.
    pub(crate) fn timed(&self, line: &str) {
        self.with(|s| {
            let elapsed = s.started.elapsed().as_secs_f64();
            s.plain(&format!("{:>7} {line}", format!("+{elapsed:.1}s")));
        });
    }

    /// One item of the timeline for programs, as the routes gave it.
    pub(crate) fn event(&self, item: &Value) {
        self.object("event", item);
    }

    /// The last object for programs.
    pub(crate) fn summary(&self, summary: &impl Serialize) {
        self.object("summary", summary);
    }

    /// One line on standard error, whatever the form.
    pub(crate) fn complain(&self, line: &str) {
        self.with(|s| writeln_to(&mut s.err, line));
    }

    fn object(&self, tag: &str, fields: &impl Serialize) {
        self.with(|s| {
            if s.json {
                let text = serde_json::to_string(fields).unwrap_or_default();
                let fields = text.strip_prefix('{').unwrap_or(&text);
                writeln_to(&mut s.out, &format!("{{\"t\":\"{tag}\",{fields}"));
            }
        });
    }

    fn with(&self, write: impl FnOnce(&mut Streams)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Streams {
    fn plain(&mut self, line: &str) {
        let stream = if self.json { &mut self.err } else { &mut self.out };
        writeln_to(stream, line);
    }
}

/// A reader that went away does not stop the run.
fn writeln_to(stream: &mut Box<dyn Write + Send>, line: &str) {
    let _ = writeln!(stream, "{line}");
    let _ = stream.flush();
}

/// Milliseconds as `40 ms` or `8.1 s`.
pub(crate) fn took(millis: u64) -> String {
    if millis < 1_000 { format!("{millis} ms") } else { format!("{}.{} s", millis / 1_000, millis % 1_000 / 100) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Sink;

    #[test]
    fn objects_and_lines_keep_apart() {
        for (is_json, in_out, in_err) in
            [(true, "{\"t\":\"event\",\"seq\":1}\n", "hello\nbad\n"), (false, "hello\n", "bad\n")]
        {
            let (out, err) = (Sink::default(), Sink::default());
            let report = Report::new(is_json, Box::new(out.clone()), Box::new(err.clone()));
            report.say("hello");
            report.event(&json!({"seq": 1}));
            report.complain("bad");
            assert_eq!((out.text().as_str(), err.text().as_str()), (in_out, in_err));
        }
    }

    #[test]
    fn durations_are_short() {
        assert_eq!((took(8_149), took(40)), ("8.1 s".to_owned(), "40 ms".to_owned()));
    }
}
