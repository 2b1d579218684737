//! How an image runs: port, probes, environment, replicas, resources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::grammar::{bytes_of, refuse, rule, text_type};
use super::hex::is_hex;
use super::quantity::Quantity;
use crate::error::Result;

/// A TCP port, 1..=65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(u16);

impl Port {
    /// Wraps a port number.
    ///
    /// # Errors
    /// `Invalid` for 0.
    pub fn new(number: u16) -> Result<Self> {
        if number == 0 {
            return Err(refuse("port", "must be 1 to 65535", "0"));
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let number = u16::deserialize(deserializer).map_err(|_| serde::de::Error::custom("port must be 1 to 65535"))?;
        Self::new(number).map_err(|e| serde::de::Error::custom(e.message()))
    }
}

text_type! {
    /// An environment variable's name: `[A-Za-z_][A-Za-z0-9_]{0,127}`, not beginning `ZOPNIGHT_` or `KUBERNETES_`.
    EnvName, "environment variable", |t| {
        rule(
            bytes_of(t, 128, |b| b.is_ascii_alphanumeric() || b == b'_') && !t.starts_with(|c: char| c.is_ascii_digit()),
            "must be 1 to 128 of A-Z a-z 0-9 _ and not begin with a digit",
        )?;
        rule(!t.starts_with("ZOPNIGHT_") && !t.starts_with("KUBERNETES_"), "must not begin with ZOPNIGHT_ or KUBERNETES_")
    }
}

impl EnvName {
    /// Whether the name suggests that the value is a secret, which does not belong in plain configuration.
    #[must_use]
    pub fn looks_secret(&self) -> bool {
        let name = self.as_str().to_ascii_lowercase();
        ["secret", "token", "password", "passwd", "apikey", "api_key", "private"].iter().any(|w| name.contains(w))
    }
}

text_type! {
    /// A path to probe: one leading `/`, 1..=512 of RFC 3986 path characters and valid `%XX`, no `..` segment, no query.
    HealthPath, "health path", |t| {
        rule(t.starts_with('/') && !t.starts_with("//"), "must begin with exactly one /")?;
        rule(t.len() <= 512, "must be at most 512 bytes long")?;
        rule(t.split('/').all(|s| s != ".."), "must not contain a .. segment")?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&b);
        rule(t.bytes().all(allowed), "must contain only path characters")?;
        let escapes = t.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(|h| is_hex(&h.to_ascii_lowercase(), 2)));
        rule(escapes, "must contain only valid %XX escapes")
    }
}
text_type! {
    /// The name of a Kubernetes object such as a Secret: a DNS-1123 subdomain of at most 253 characters.
    SecretName, "secret name", |t| rule(
        t.len() <= 253 && t.split('.').all(|label| {
            bytes_of(label, 253, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-') && !label.ends_with('-')
        }),
        "must be a DNS subdomain of at most 253 characters",
    )
}
text_type! {
    /// A key inside a Kubernetes Secret: `[A-Za-z0-9._-]{1,253}`, not `.` or `..`.
    SecretKey, "secret key", |t| rule(
        bytes_of(t, 253, |b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && t != "." && t != "..",
        "must be 1 to 253 of A-Z a-z 0-9 . _ -",
    )
}

/// An environment variable whose value lies in a Secret of the namespace. We never see the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRef {
    /// The variable.
    pub name: EnvName,
    /// The Secret.
    #[serde(rename = "secretName")]
    pub secret: SecretName,
    /// The key in it.
    pub key: SecretKey,
}

/// How many copies run; `min == max` means a fixed number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replicas {
    /// 0..=100.
    pub min: u32,
    /// `min`..=100.
    pub max: u32,
}

impl Default for Replicas {
    fn default() -> Self {
        Self { min: 1, max: 1 }
    }
}

/// Requests and limits; an absent one takes the chart's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Resources {
    /// CPU request, 1m..=64.
    pub cpu_request: Option<Quantity>,
    /// CPU limit, 1m..=64, not below the request.
    pub cpu_limit: Option<Quantity>,
    /// Memory request, 4Mi..=512Gi.
    pub memory_request: Option<Quantity>,
    /// Memory limit, 4Mi..=512Gi, not below the request.
    pub memory_limit: Option<Quantity>,
}

/// How a revision's image runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RuntimeSpec {
    /// Where it listens; `None` = taken from the analysis, and if that has none, a worker without a Service.
    pub port: Option<Port>,
    /// The variable that tells it so; default `PORT`.
    pub port_env: EnvName,
    /// Readiness path; `None` = from the analysis, else the port is probed by TCP.
    pub health_path: Option<HealthPath>,
    /// Liveness path; `None` = from the analysis, else no liveness probe.
    pub liveness_path: Option<HealthPath>,
    /// Plain configuration, shown by the API.
    pub env: BTreeMap<EnvName, String>,
    /// References to secrets.
    pub secret_refs: Vec<SecretRef>,
    /// Copies.
    pub replicas: Replicas,
    /// Requests and limits.
    pub resources: Resources,
}

impl Default for RuntimeSpec {
    fn default() -> Self {
        Self {
            port: None,
            port_env: EnvName("PORT".into()),
            health_path: None,
            liveness_path: None,
            env: BTreeMap::new(),
            secret_refs: Vec::new(),
            replicas: Replicas::default(),
            resources: Resources::default(),
        }
    }
}

impl RuntimeSpec {
    /// Checks what the single types cannot: sizes and relations. One `(field, rule)` for each fault.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, field, rule: &str| {
            if !ok {
                faults.push((field, rule.to_owned()));
            }
        };
        check(self.env.len() <= 256, "env", "at most 256 variables");
        check(self.env.values().all(|v| v.len() <= 32 * 1024), "env", "each value at most 32 KiB");
        check(self.env.values().map(String::len).sum::<usize>() <= 256 * 1024, "env", "all values together at most 256 KiB");
        check(!self.env.values().any(|v| v.contains('\0')), "env", "values without NUL");
        check(self.secret_refs.len() <= 64, "secretRefs", "at most 64");
        let mut names: Vec<&EnvName> = self.env.keys().chain(self.secret_refs.iter().map(|s| &s.name)).collect();
        names.sort_unstable();
        check(names.windows(2).all(|w| w.first() != w.last()), "secretRefs", "names unique over env and secretRefs");
        check(self.replicas.min <= self.replicas.max && self.replicas.max <= 100, "replicas", "0 <= min <= max <= 100");
        let r = &self.resources;
        let cpu = |q: &Option<Quantity>| q.as_ref().is_none_or(Quantity::is_cpu);
        let memory = |q: &Option<Quantity>| q.as_ref().is_none_or(Quantity::is_memory);
        check(cpu(&r.cpu_request) && cpu(&r.cpu_limit), "resources", "CPU between 1m and 64");
        check(memory(&r.memory_request) && memory(&r.memory_limit), "resources", "memory between 4Mi and 512Gi");
        let ordered = |low: &Option<Quantity>, high: &Option<Quantity>| match (low, high) {
            (Some(low), Some(high)) => low.milli() <= high.milli(),
            _ => true,
        };
        check(
            ordered(&r.cpu_request, &r.cpu_limit) && ordered(&r.memory_request, &r.memory_limit),
            "resources",
            "requests not above limits",
        );
        faults
    }
}
