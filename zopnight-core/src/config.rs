//! Settings of the pipeline.

use std::time::Duration;

use crate::domain::{HttpsUrl, Limits};
use crate::error::{Error, Result};

/// Which image references a callback may bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImagePolicy {
    /// A tag is resolved to its digest now.
    #[default]
    ResolveTag,
    /// Only references with a digest.
    RequireDigest,
}

/// What status reports say besides the revision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportConfig {
    /// The environment's name, 1..=100 characters. Default `production`.
    pub environment: String,
    /// Whether users depend on it. Default true.
    pub production: bool,
    /// The host's page about a revision: a URL with `{deployment}` and `{revision}` in it.
    pub page_url: Option<String>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { environment: "production".to_owned(), production: true, page_url: None }
    }
}

/// Settings of the pipeline. All have defaults; [`PipelineConfig::check`] is called when the pipeline is built.
///
/// ```
/// use std::time::Duration;
/// use zopnight_core::config::PipelineConfig;
/// let config = PipelineConfig::default().with_rollout_timeout(Duration::from_secs(120));
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineConfig {
    /// Default `ResolveTag`.
    pub image_policy: ImagePolicy,
    /// How long a rollout may take: 10 s ..= 2 h, default 10 min.
    pub rollout_timeout: Duration,
    /// How long a build may wait at the builder: 0 ..= 90 min, default 15 min.
    pub callback_queue_allowance: Duration,
    /// When a run whose dispatch was not confirmed is looked for, counted from the dispatch. The last look decides.
    pub settle_schedule: Vec<Duration>,
    /// How long a finished run's callback is waited for: default 2 min.
    pub finished_grace: Duration,
    /// A revision that nobody moves for this long is taken up by the sweep: default 5 min.
    pub stalled_after: Duration,
    /// Where runs have their pages, for log links that come before the run is known.
    pub run_url_prefix: Option<HttpsUrl>,
    /// What status reports say.
    pub report: ReportConfig,
    /// Bounds.
    pub limits: Limits,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            image_policy: ImagePolicy::ResolveTag,
            rollout_timeout: Duration::from_secs(600),
            callback_queue_allowance: Duration::from_secs(900),
            settle_schedule: [5, 15, 30, 60, 120, 300].map(Duration::from_secs).to_vec(),
            finished_grace: Duration::from_secs(120),
            stalled_after: Duration::from_secs(300),
            run_url_prefix: HttpsUrl::parse("https://github.com/zop-dev/zopnight-builder/actions/runs/").ok(),
            report: ReportConfig::default(),
            limits: Limits::default(),
        }
    }
}

impl PipelineConfig {
    /// With this image policy.
    #[must_use]
    pub const fn with_image_policy(mut self, policy: ImagePolicy) -> Self {
        self.image_policy = policy;
        self
    }

    /// With this time for a rollout.
    #[must_use]
    pub const fn with_rollout_timeout(mut self, timeout: Duration) -> Self {
        self.rollout_timeout = timeout;
        self
    }

    /// With this time for a build to wait at the builder.
    #[must_use]
    pub const fn with_callback_queue_allowance(mut self, allowance: Duration) -> Self {
        self.callback_queue_allowance = allowance;
        self
    }

    /// With this time to wait for a finished run's callback.
    #[must_use]
    pub const fn with_finished_grace(mut self, grace: Duration) -> Self {
        self.finished_grace = grace;
        self
    }

    /// With run pages below this URL.
    #[must_use]
    pub fn with_run_url_prefix(mut self, prefix: Option<HttpsUrl>) -> Self {
        self.run_url_prefix = prefix;
        self
    }

    /// With these reports.
    #[must_use]
    pub fn with_report(mut self, report: ReportConfig) -> Self {
        self.report = report;
        self
    }

    /// With these bounds.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// `Invalid` with one detail for each setting out of bounds.
    pub fn check(&self) -> Result<()> {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        let rollout = (Duration::from_secs(10)..=minutes(120)).contains(&self.rollout_timeout);
        let environment = (1..=100).contains(&self.report.environment.chars().count());
        let checks = [
            (rollout, "rollout_timeout", "10 s to 2 h"),
            (self.callback_queue_allowance <= minutes(90), "callback_queue_allowance", "at most 90 min"),
            (self.finished_grace <= minutes(30), "finished_grace", "at most 30 min"),
            (
                self.settle_schedule.is_sorted() && !self.settle_schedule.is_empty(),
                "settle_schedule",
                "ascending, not empty",
            ),
            (environment, "report.environment", "1 to 100 characters"),
            ((1..=500).contains(&self.limits.fan_out), "limits.fan_out", "1 to 500"),
        ];
        let wrong = checks.into_iter().filter(|(ok, ..)| !ok);
        let error = wrong.fold(None, |error: Option<Error>, (_, field, rule)| {
            let error = error.unwrap_or_else(|| Error::invalid("pipeline.config", "settings out of bounds"));
            Some(error.with_detail(field, rule))
        });
        error.map_or(Ok(()), Err)
    }
}
