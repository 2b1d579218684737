//! How an image is built.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::repo_path::RepoPath;
use super::runtime::EnvName;

/// Which builder a deployment asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildMode {
    /// What the analysis of the commit says.
    #[default]
    Auto,
    /// The Dockerfile.
    Dockerfile,
    /// Railpack, whether or not there is a Dockerfile.
    Railpack,
}

impl BuildMode {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dockerfile => "dockerfile",
            Self::Railpack => "railpack",
        }
    }
}

/// A deployment's wishes for its builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BuildSpec {
    /// Which builder.
    pub mode: BuildMode,
    /// A Dockerfile other than the one the analysis finds.
    pub dockerfile: Option<RepoPath>,
    /// Build arguments, at most 32, values at most 4 KiB. Not secret. `RAILPACK_*` configure Railpack.
    pub args: BTreeMap<EnvName, String>,
    /// 60..=14,400 seconds.
    pub timeout_seconds: u32,
}

impl Default for BuildSpec {
    fn default() -> Self {
        Self { mode: BuildMode::Auto, dockerfile: None, args: BTreeMap::new(), timeout_seconds: 1_800 }
    }
}

impl BuildSpec {
    /// The time the build may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds as u64)
    }

    /// Checks what the single types cannot. One `(field, rule)` for each fault.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut check = |ok: bool, field, rule: &str| {
            if !ok {
                faults.push((field, rule.to_owned()));
            }
        };
        check(self.args.len() <= 32, "args", "at most 32");
        check(
            self.args.values().all(|v| v.len() <= 4_096 && !v.contains('\0')),
            "args",
            "each value at most 4 KiB, without NUL",
        );
        check((60..=14_400).contains(&self.timeout_seconds), "timeoutSeconds", "60 to 14400");
        check(self.dockerfile.as_ref().is_none_or(|d| !d.is_root()), "dockerfile", "a file's path");
        faults
    }

    /// The arguments that configure Railpack, for the analyzer.
    #[must_use]
    pub fn railpack_env(&self) -> BTreeMap<String, String> {
        let configures = |n: &str| n.starts_with("RAILPACK_") || n == "CGO_ENABLED";
        self.args.iter().filter(|(n, _)| configures(n.as_str())).map(|(n, v)| (n.to_string(), v.clone())).collect()
    }
}

/// What the builder is told to do: the specification with one analysis of the commit applied to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildPlan {
    /// `dockerfile` or `railpack`; never `auto`.
    pub mode: BuildMode,
    /// The Dockerfile, in Dockerfile mode.
    pub dockerfile: Option<RepoPath>,
    /// The build context.
    pub context: RepoPath,
    /// The stage to build; `None` = the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<EnvName, String>,
}
