//! Counts the transactions that a store ran again, by what it tells of them.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// By backend and class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retries(Arc<Mutex<BTreeMap<(String, String), u64>>>);

#[derive(Default)]
struct Fields {
    backend: String,
    class: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "backend" => self.backend = format!("{value:?}").replace('"', ""),
            "class" => self.class = format!("{value:?}").replace('"', ""),
            _ => {}
        }
    }
}

impl Retries {
    /// Counts in this process from now on.
    pub(crate) fn install() -> Self {
        let retries = Self::default();
        tracing::subscriber::set_global_default(retries.clone()).expect("nobody else listens");
        retries
    }
}

impl fmt::Display for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = counts.iter().map(|((backend, class), count)| format!("{backend} {class} {count}"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}

impl Subscriber for Retries {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "zopnight_store::retry"
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((fields.backend, fields.class)).or_default() += 1;
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
