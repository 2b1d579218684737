//! The health ladder.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::analysis::{Confidence, EvidenceField};
use crate::domain::{HealthPath, Port};

use super::dockerfile::Chosen;
use super::dockerfile::expand::expand;
use super::evidence::{Notes, Place};

/// One place that gives a health path.
#[derive(Clone, Debug)]
pub(crate) struct HealthHit {
    pub(crate) path: String,
    pub(crate) rank: u8,
    pub(crate) rule: &'static str,
    pub(crate) place: Option<Place>,
    pub(crate) guarded: bool,
}

impl HealthHit {
    pub(crate) fn new(path: &str, rank: u8, rule: &'static str, place: Option<Place>) -> Self {
        Self { path: path.to_owned(), rank, rule, place, guarded: false }
    }
}

/// The answer.
#[derive(Debug, Default)]
pub(crate) struct HealthAnswer {
    pub(crate) path: Option<HealthPath>,
    pub(crate) confidence: Confidence,
    pub(crate) rule: Option<&'static str>,
}

static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::([0-9]+|\$\{?[A-Za-z0-9_]+(?::?-[0-9]+)?\}?))?(/[^\s"'`;|)&?#\\]*)?"#).ok()
});

/// The path that the image's `HEALTHCHECK` probes; one that names another port is told and skipped.
pub(crate) fn of_image(chosen: &Chosen, port: Option<Port>, notes: &mut Notes) -> Option<HealthHit> {
    let (command, line) = chosen.image.healthcheck.as_ref()?;
    let place = Place::line(&chosen.path, *line);
    let text = command.line();
    let found = URL.as_ref()?.captures(&text)?;
    let path = found.get(2).map_or("/", |m| m.as_str());
    let lookup = |name: &str| chosen.image.env.get(name).map(|(v, _)| v.clone());
    let probed = found.get(1).and_then(|m| expand(m.as_str(), &lookup)).and_then(|p| p.parse::<u16>().ok());
    let named = found.get(1).is_some();
    let probed = if named { probed } else { Some(80) };
    if let (Some(port), Some(probed)) = (port, probed)
        && port.get() != probed
        && (named || port.get() != 80)
    {
        let message = format!("HEALTHCHECK probes port {probed}, the app listens on {port}");
        notes.say("health-port-differs", message, Some(&place));
        return None;
    }
    Some(HealthHit::new(path, 10, "healthcheck", Some(place)))
}

pub(crate) fn climb(mut hits: Vec<HealthHit>, has_port: bool, notes: &mut Notes) -> HealthAnswer {
    hits.retain(|hit| HealthPath::parse(&hit.path).is_ok());
    hits.sort_by_key(|hit| (hit.guarded, hit.rank));
    let winner = hits.first().filter(|_| has_port);
    for hit in &hits {
        let used = winner.is_some_and(|w| std::ptr::eq(w, hit));
        notes.ranked(EvidenceField::HealthPath, &hit.path, hit.place.as_ref(), hit.rule, hit.rank, used);
    }
    let Some(hit) = winner else {
        if has_port {
            notes.say("no-health-path", "no health path is known, so probe the port by TCP", None);
        }
        return HealthAnswer::default();
    };
    if hit.guarded {
        notes.say("health-behind-auth", format!("{} lies behind authentication", hit.path), hit.place.as_ref());
    }
    let confidence = match hit.rank {
        0..=40 => Confidence::High,
        50 => Confidence::Medium,
        _ => Confidence::Low,
    };
    HealthAnswer { path: HealthPath::parse(&hit.path).ok(), confidence, rule: Some(hit.rule) }
}
