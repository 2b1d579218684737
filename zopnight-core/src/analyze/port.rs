//! The port ladder: the lowest rank with a number wins, every hit is kept as evidence.

use std::collections::BTreeSet;

use crate::domain::Port;
use crate::domain::analysis::{Confidence, EvidenceField, FoundPort, PortKind};

use super::evidence::{Notes, Place};

/// One place that gives a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortHit {
    pub(crate) port: u16,
    pub(crate) rank: u8,
    pub(crate) rule: &'static str,
    pub(crate) place: Option<Place>,
    pub(crate) kind: PortKind,
    pub(crate) env: Option<String>,
}

impl PortHit {
    pub(crate) fn new(port: u16, rank: u8, rule: &'static str, place: Option<Place>) -> Self {
        Self { port, rank, rule, place, kind: PortKind::Http, env: None }
    }

    pub(crate) fn kind(mut self, kind: PortKind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn env(mut self, env: Option<&str>) -> Self {
        self.env = env.map(str::to_owned);
        self
    }
}

/// What is known before the ladder is climbed.
#[derive(Debug, Default)]
pub(crate) struct PortFacts {
    pub(crate) hits: Vec<PortHit>,
    /// Variables that move the port, strongest first.
    pub(crate) envs: Vec<String>,
    /// The value of `PORT` in the image.
    pub(crate) image_port: Option<u16>,
    pub(crate) framework_default: Option<u16>,
    /// A server framework, or a listen call without a number.
    pub(crate) server: bool,
    /// A rule that says nothing listens.
    pub(crate) silent: Option<&'static str>,
    /// A worker: nothing listens unless something strong says so.
    pub(crate) worker: bool,
}

/// The answer.
#[derive(Debug, Default)]
pub(crate) struct PortAnswer {
    pub(crate) port: Option<Port>,
    pub(crate) env: Option<String>,
    pub(crate) ports: Vec<FoundPort>,
    pub(crate) needs_port: bool,
    pub(crate) confidence: Confidence,
    pub(crate) rule: Option<&'static str>,
}

/// Ports that usually are not the main one.
const SIDE: &[u16] = &[
    22, 1883, 2121, 2181, 2345, 3306, 4040, 5005, 5432, 5672, 6060, 6379, 8125, 9090, 9091, 9092, 9100, 9229, 11211, 15672,
    27017,
];

pub(crate) fn climb(mut facts: PortFacts, notes: &mut Notes) -> PortAnswer {
    facts.hits.sort_by(|a, b| (a.rank, &a.place, a.port).cmp(&(b.rank, &b.place, b.port)));
    facts.hits.dedup();
    let main: Vec<&PortHit> = facts.hits.iter().filter(|h| h.kind != PortKind::Metrics).collect();
    let strongest = main.first().map(|h| h.rank);
    let silent = facts.silent.is_some() || (facts.worker && strongest.is_none_or(|rank| rank > 40));
    let winner = if silent { None } else { strongest.and_then(|rank| pick(&facts, rank, notes)) };
    record(&facts, winner, notes);
    let mut answer = PortAnswer::default();
    if silent {
        if let Some(hit) = main.iter().find(|h| h.rank <= 70 && h.rank != 65) {
            let message = format!("port {} is declared, but nothing in the app listens", hit.port);
            notes.say("port-declared-not-served", message, hit.place.as_ref());
        }
        let rule = facts.silent.unwrap_or("worker");
        notes.fact(EvidenceField::NeedsPort, "false", None, rule);
        answer.ports = found_ports(&facts.hits, None);
        return answer;
    }
    answer.env = facts.envs.first().cloned();
    if let Some(hit) = winner {
        answer.port = Port::new(hit.port).ok();
        answer.rule = Some(hit.rule);
        answer.confidence = confidence(hit, &main);
        warn(&facts, hit, answer.env.as_deref(), notes);
    }
    answer.ports = found_ports(&facts.hits, winner);
    answer.needs_port = answer.port.is_some() || answer.env.is_some() || facts.server;
    if !answer.needs_port {
        notes.say("no-port-found", "nothing in the app suggests that it listens on a port", None);
    } else {
        let reason = match (&answer.port, &answer.env) {
            (Some(_), _) => "port-found",
            (None, Some(_)) => "port-variable",
            (None, None) => "server-framework",
        };
        notes.fact(EvidenceField::NeedsPort, "true", None, reason);
    }
    answer
}

/// The one of several hits at the winning rank.
fn pick<'f>(facts: &'f PortFacts, rank: u8, notes: &mut Notes) -> Option<&'f PortHit> {
    let mut left: Vec<&PortHit> = facts.hits.iter().filter(|h| h.rank == rank && h.kind != PortKind::Metrics).collect();
    let mut narrow = |keep: &dyn Fn(&PortHit) -> bool| {
        let kept: Vec<&PortHit> = left.iter().copied().filter(|h| keep(h)).collect();
        if !kept.is_empty() {
            left = kept;
        }
    };
    narrow(&|h| h.kind == PortKind::Http);
    narrow(&|h| Some(h.port) == facts.image_port);
    narrow(&|h| Some(h.port) == facts.framework_default);
    narrow(&|h| !SIDE.contains(&h.port));
    let numbers: BTreeSet<u16> = left.iter().map(|h| h.port).collect();
    let first = left.first().copied()?;
    if numbers.len() > 1 {
        let list = numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        notes.say(
            "ambiguous-port",
            format!("several ports are equally likely: {list}; {} is taken", first.port),
            first.place.as_ref(),
        );
    }
    Some(first)
}

fn record(facts: &PortFacts, winner: Option<&PortHit>, notes: &mut Notes) {
    for hit in &facts.hits {
        let used = winner.is_some_and(|w| std::ptr::eq(w, hit));
        notes.ranked(EvidenceField::Port, &hit.port.to_string(), hit.place.as_ref(), hit.rule, hit.rank, used);
    }
}

fn confidence(hit: &PortHit, main: &[&PortHit]) -> Confidence {
    match hit.rank {
        0..=35 => Confidence::High,
        36..=45 if main.iter().all(|h| h.rank > 50 || h.port == hit.port || h.kind != hit.kind) => Confidence::High,
        36..=45 | 50 | 75 | 80 => Confidence::Medium,
        _ => Confidence::Low,
    }
}

fn warn(facts: &PortFacts, hit: &PortHit, env: Option<&str>, notes: &mut Notes) {
    let differs = |h: &&PortHit| {
        h.rank <= 50 && h.rank != hit.rank && h.port != hit.port && h.kind == PortKind::Http && !SIDE.contains(&h.port)
    };
    if env.is_none()
        && let Some(other) = facts.hits.iter().find(differs)
    {
        let place = |h: &PortHit| {
            h.place.as_ref().map_or_else(
                || h.rule.to_owned(),
                |p| p.line.map_or_else(|| p.file.to_string(), |line| format!("{}:{line}", p.file)),
            )
        };
        let message = format!("{} says port {}, {} says {}", place(hit), hit.port, place(other), other.port);
        notes.say("expose-vs-listen-conflict", message, other.place.as_ref());
    }
    if hit.port < 1024 && !matches!(hit.port, 80 | 443) {
        notes.say("privileged-port", format!("port {} needs a privileged process", hit.port), hit.place.as_ref());
    }
    if env.is_none() && matches!(hit.rule, "exact-literal" | "literal") {
        notes.say("port-not-configurable", format!("port {} is fixed in the source", hit.port), hit.place.as_ref());
    }
}

/// All ports that something listens on: the primary first, then the others by number.
fn found_ports(hits: &[PortHit], winner: Option<&PortHit>) -> Vec<FoundPort> {
    let mut found: Vec<FoundPort> = Vec::new();
    let mut push = |hit: &PortHit, kind: PortKind, primary: bool| {
        if let Ok(port) = Port::new(hit.port)
            && !found.iter().any(|f| f.port == port)
        {
            found.push(FoundPort { port, kind, primary });
        }
    };
    if let Some(winner) = winner {
        push(winner, winner.kind, true);
    }
    let mut others: Vec<&PortHit> = hits.iter().collect();
    others.sort_by_key(|h| (h.port, h.rank));
    let has_metrics = |rank: u8| hits.iter().any(|h| h.kind == PortKind::Metrics && h.rank < rank);
    for hit in others {
        match hit.kind {
            PortKind::Metrics if !has_metrics(hit.rank) => push(hit, PortKind::Metrics, false),
            PortKind::Metrics => {}
            PortKind::Http if winner.is_some() && hit.rank <= 45 => push(hit, side_kind(hit.port), false),
            PortKind::Grpc if winner.is_some() && hit.rank <= 60 => push(hit, PortKind::Grpc, false),
            _ => {}
        }
    }
    found
}

fn side_kind(port: u16) -> PortKind {
    match port {
        2345 | 5005 | 6060 | 9229 => PortKind::Debug,
        2121 | 9090 | 9091 | 9100 => PortKind::Metrics,
        50051 => PortKind::Grpc,
        port if SIDE.contains(&port) => PortKind::Tcp,
        _ => PortKind::Http,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(port: u16, rank: u8) -> PortHit {
        PortHit::new(port, rank, "expose", None)
    }

    #[test]
    fn the_lowest_rank_wins_and_side_ports_yield() {
        let mut notes = Notes::default();
        let facts = PortFacts { hits: vec![hit(9090, 40), hit(8080, 40), hit(3000, 80)], ..PortFacts::default() };
        let answer = climb(facts, &mut notes);
        assert_eq!(answer.port.map(Port::get), Some(8080));
        assert_eq!(
            answer.ports.iter().map(|p| (p.port.get(), p.primary)).collect::<Vec<_>>(),
            [(8080, true), (9090, false)]
        );
        assert!(!notes.has_said("ambiguous-port"));
    }

    #[test]
    fn a_worker_listens_only_on_strong_evidence() {
        let mut notes = Notes::default();
        let answer = climb(PortFacts { hits: vec![hit(8080, 50)], worker: true, ..PortFacts::default() }, &mut notes);
        assert!(answer.port.is_none() && !answer.needs_port && notes.has_said("port-declared-not-served"));
        let answer = climb(PortFacts { hits: vec![hit(8080, 40)], worker: true, ..PortFacts::default() }, &mut notes);
        assert!(answer.needs_port);
    }

    #[test]
    fn equal_ranks_are_told() {
        let mut notes = Notes::default();
        let answer = climb(PortFacts { hits: vec![hit(8081, 40), hit(8080, 40)], ..PortFacts::default() }, &mut notes);
        assert!(answer.port.is_some() && notes.has_said("ambiguous-port"));
    }
}
