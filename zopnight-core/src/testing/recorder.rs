//! A recorder for the `metrics` facade: what a test's own thread tells it is kept and can be asked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// One series: a sum for counters, the last value for gauges, the samples for histograms.
#[derive(Debug, Default)]
struct Series {
    sum: AtomicU64,
    last: AtomicU64,
    samples: Mutex<Vec<f64>>,
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.sum.fetch_add(value, Ordering::Relaxed);
    }
    fn absolute(&self, value: u64) {
        self.sum.store(value, Ordering::Relaxed);
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.set(f64::from_bits(self.last.load(Ordering::Relaxed)) + value);
    }
    fn decrement(&self, value: f64) {
        GaugeFn::increment(self, -value);
    }
    fn set(&self, value: f64) {
        self.last.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
}

/// Every series, by `name{label=value,…}`.
#[derive(Debug, Default)]
pub struct Kept(Mutex<BTreeMap<String, Arc<Series>>>);

impl Kept {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<String> = key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default())
    }

    fn find(&self, name: &str) -> Arc<Series> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.get(name).unwrap_or_else(|| panic!("{name} is not among {:#?}", all.keys())))
    }

    /// The sum of a counter.
    ///
    /// # Panics
    /// Where there is no such series, naming those there are; so do the other two.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.find(name).sum.load(Ordering::Relaxed)
    }

    /// The last value of a gauge.
    ///
    /// # Panics
    /// As [`count`](Self::count).
    #[must_use]
    pub fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.find(name).last.load(Ordering::Relaxed))
    }

    /// The samples of a histogram, in their order.
    ///
    /// # Panics
    /// As [`count`](Self::count).
    #[must_use]
    pub fn samples(&self, name: &str) -> Vec<f64> {
        self.find(name).samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}
