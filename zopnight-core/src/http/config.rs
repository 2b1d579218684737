//! Settings of the routes.

use std::time::Duration;

use crate::error::{Error, Result};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// Settings of the routes, all within their bounds: made by [`HttpConfig::builder`] or `default()`.
///
/// ```
/// use zopnight_core::http::HttpConfig;
/// assert!(HttpConfig::builder().base_path("/api/v1").build().is_ok());
/// assert!(HttpConfig::builder().base_path("/api/").json_body_limit(1).build().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    pub(super) base_path: String,
    pub(super) json_body_limit: usize,
    pub(super) callback_body_limit: usize,
    pub(super) webhook_body_limit: usize,
    pub(super) webhook_buffer_total: usize,
    pub(super) body_read_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) live_list_timeout: Duration,
    pub(super) analyze_timeout: Duration,
    pub(super) webhook_timeout: Duration,
    pub(super) callback_timeout: Duration,
    pub(super) max_in_flight: usize,
    pub(super) max_callbacks: usize,
    pub(super) repositories_cap: u32,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            base_path: String::new(),
            json_body_limit: 512 * KIB,
            callback_body_limit: 64 * KIB,
            webhook_body_limit: 25 * MIB,
            webhook_buffer_total: 128 * MIB,
            body_read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            live_list_timeout: Duration::from_secs(15),
            analyze_timeout: Duration::from_secs(60),
            webhook_timeout: Duration::from_secs(9),
            callback_timeout: Duration::from_secs(25),
            max_in_flight: 512,
            max_callbacks: 64,
            repositories_cap: 1_000,
        }
    }
}

impl HttpConfig {
    /// Begins with the defaults.
    pub fn builder() -> HttpConfigBuilder {
        HttpConfigBuilder(Self::default())
    }

    /// Where a client finds a resource whose path below the router is `path`.
    pub(super) fn location(&self, path: &str) -> String {
        [self.base_path.as_str(), path].concat()
    }
}

/// Collects settings; [`HttpConfigBuilder::build`] checks them all.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpConfigBuilder(HttpConfig);

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)+) => {
        impl HttpConfigBuilder {
            $($(#[$doc])*
            pub const fn $name(mut self, value: $type) -> Self {
                self.0.$name = value;
                self
            })+
        }
    };
}

settings! {
    /// Largest JSON body in bytes: 4 KiB ..= 4 MiB, default 512 KiB.
    json_body_limit: usize;
    /// Largest body of a build callback in bytes: 8 KiB ..= 256 KiB, default 64 KiB. Bodies over 64 KiB are refused anyhow.
    callback_body_limit: usize;
    /// Largest body of a webhook in bytes: 64 KiB ..= 64 MiB, default 25 MiB.
    webhook_body_limit: usize;
    /// All webhook bodies in memory together, in bytes: from `webhook_body_limit`, default 128 MiB.
    webhook_buffer_total: usize;
    /// How long a body may take to come in: 1 ..= 60 s, default 10 s. A webhook's must come within its own deadline.
    body_read_timeout: Duration;
    /// Deadline of routes that only ask the store and resolve a branch: 1 ..= 300 s, default 30 s.
    request_timeout: Duration;
    /// Deadline of the live lists of repositories and branches: 1 ..= 300 s, default 15 s.
    live_list_timeout: Duration;
    /// Deadline of both analyze routes: 1 ..= 300 s, default 60 s.
    analyze_timeout: Duration;
    /// Deadline of a webhook: 1 ..= 300 s, default 9 s, since GitHub gives up at 10 s.
    webhook_timeout: Duration;
    /// Deadline of a build callback: 1 ..= 300 s, default 25 s.
    callback_timeout: Duration;
    /// Tenant requests at once: 1 ..= 65,536, default 512. One more gets 503.
    max_in_flight: usize;
    /// Build callbacks at once: 1 ..= 65,536, default 64. One more gets 503.
    max_callbacks: usize;
    /// Most repositories in one answer: 1 ..= 5,000, default 1,000.
    repositories_cap: u32;
}

impl HttpConfigBuilder {
    /// Where the routes are nested, for `Location`: empty (the default) or `/seg[/seg]…` without a trailing slash.
    pub fn base_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.0.base_path);
        self
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// `Invalid` with one detail for each setting out of bounds.
    pub fn build(self) -> Result<HttpConfig> {
        let c = self.0;
        let deadline = |d: Duration| (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&d);
        let parallel = |n: usize| (1..=65_536).contains(&n);
        let body_read = (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&c.body_read_timeout);
        let total = (c.webhook_body_limit..=4_096 * MIB).contains(&c.webhook_buffer_total);
        let checks = [
            (is_base_path(&c.base_path), "base_path", "empty, or /segments without a trailing slash"),
            ((4 * KIB..=4 * MIB).contains(&c.json_body_limit), "json_body_limit", "4 KiB to 4 MiB"),
            ((8 * KIB..=256 * KIB).contains(&c.callback_body_limit), "callback_body_limit", "8 KiB to 256 KiB"),
            ((64 * KIB..=64 * MIB).contains(&c.webhook_body_limit), "webhook_body_limit", "64 KiB to 64 MiB"),
            (total, "webhook_buffer_total", "webhook_body_limit to 4 GiB"),
            (body_read, "body_read_timeout", "1 s to 60 s"),
            (deadline(c.request_timeout), "request_timeout", "1 s to 300 s"),
            (deadline(c.live_list_timeout), "live_list_timeout", "1 s to 300 s"),
            (deadline(c.analyze_timeout), "analyze_timeout", "1 s to 300 s"),
            (deadline(c.webhook_timeout), "webhook_timeout", "1 s to 300 s"),
            (deadline(c.callback_timeout), "callback_timeout", "1 s to 300 s"),
            (parallel(c.max_in_flight), "max_in_flight", "1 to 65,536"),
            (parallel(c.max_callbacks), "max_callbacks", "1 to 65,536"),
            ((1..=5_000).contains(&c.repositories_cap), "repositories_cap", "1 to 5,000"),
        ];
        let wrong = checks.into_iter().filter(|(ok, ..)| !ok);
        let error = wrong.fold(None, |error: Option<Error>, (_, field, rule)| {
            let error = error.unwrap_or_else(|| Error::invalid("http.config", "settings out of bounds"));
            Some(error.with_detail(field, rule))
        });
        error.map_or(Ok(c), Err)
    }
}

fn is_base_path(path: &str) -> bool {
    let segment = |s: &str| {
        !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) && !s.starts_with('.')
    };
    path.is_empty() || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_their_bounds() {
        assert_eq!(HttpConfig::builder().build().unwrap(), HttpConfig::default());
    }

    #[test]
    fn every_setting_out_of_bounds_is_named() {
        let config = HttpConfig::builder()
            .base_path("api")
            .json_body_limit(4 * KIB - 1)
            .webhook_body_limit(64 * MIB)
            .webhook_buffer_total(MIB)
            .body_read_timeout(Duration::from_secs(61))
            .repositories_cap(0);
        let error = config.build().unwrap_err();
        let fields: Vec<&str> = error.details().iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["base_path", "json_body_limit", "webhook_buffer_total", "body_read_timeout", "repositories_cap"]
        );
    }

    #[test]
    fn base_paths() {
        for good in ["", "/api", "/api/v1", "/a-b_c.d~"] {
            assert!(is_base_path(good), "{good}");
        }
        for bad in ["/", "api", "/api/", "//a", "/a//b", "/..", "/a b", "/a%20", "/é"] {
            assert!(!is_base_path(bad), "{bad}");
        }
    }
}
