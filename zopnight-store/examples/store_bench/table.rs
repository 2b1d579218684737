//! The table that is printed.

use std::time::Duration;

/// A share of raw that a measure is held to, by backend: SQLite, MariaDB or MySQL, PostgreSQL.
pub(crate) type Targets = [f64; 3];

/// What was measured, in the order it was.
pub(crate) struct Table {
    backend: &'static str,
    rows: Vec<[String; 5]>,
}

/// A rate in units a second.
pub(crate) fn rate(units: u32, took: Duration) -> f64 {
    f64::from(units) / took.as_secs_f64().max(1e-9)
}

/// The value at a share of the sorted samples.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position within the samples")]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at.min(last)).copied().unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn shown(n: f64) -> String {
    if n >= 10.0 { format!("{n:.0}") } else { format!("{n:.2}") }
}

pub(crate) fn millis(d: Duration) -> String {
    format!("{:.2} ms", d.as_secs_f64() * 1_000.0)
}

impl Table {
    pub(crate) const fn new(backend: &'static str) -> Self {
        Self { backend, rows: Vec::new() }
    }

    /// Rates of ours and of raw, round by round.
    pub(crate) fn ratio(&mut self, measure: &str, unit: &str, rounds: &[(f64, f64)], targets: Targets) {
        let target = match self.backend {
            "sqlite" => targets[0],
            "mysql" => targets[1],
            _ => targets[2],
        };
        let ours = median(rounds.iter().map(|r| r.0).collect());
        let raw = median(rounds.iter().map(|r| r.1).collect());
        let ratio = median(rounds.iter().map(|(ours, raw)| ours / raw.max(1e-9)).collect());
        let verdict = if ratio >= target { "" } else { "  below" };
        self.push(
            measure,
            format!("{} {unit}", shown(ours)),
            format!("{} {unit}", shown(raw)),
            format!("{ratio:.2}"),
            format!(">= {target}{verdict}"),
        );
    }

    /// A measure of its own, with what it is held to.
    pub(crate) fn fact(&mut self, measure: &str, ours: String, bound: &str, holds: bool) {
        let verdict = if holds { "" } else { "  above" };
        self.push(measure, ours, String::new(), String::new(), format!("{bound}{verdict}"));
    }

    fn push(&mut self, measure: &str, ours: String, raw: String, ratio: String, target: String) {
        eprintln!("{measure}: {ours} {ratio}");
        self.rows.push([measure.to_owned(), ours, raw, ratio, target]);
    }

    pub(crate) fn print(&self) {
        println!("| measure | ours | raw | ratio | held to |");
        println!("|---|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}
