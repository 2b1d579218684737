//! The answers of the routes, as far as the scenario reads them.

use serde::Deserialize;

/// The envelope of every good answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

/// The envelope of every refusal.
#[derive(Debug, Deserialize)]
pub(crate) struct Refused {
    pub(crate) error: Refusal,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    pub(crate) owner: String,
    pub(crate) repo: String,
    #[serde(rename = "defaultBranch")]
    pub(crate) default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) sha: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Analysis {
    pub(crate) language: Option<String>,
    pub(crate) framework: Option<String>,
    pub(crate) suggested_port: Option<u16>,
    pub(crate) suggested_health_path: Option<String>,
    pub(crate) dockerfile: Option<String>,
    pub(crate) build_context: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) evidence: Vec<Evidence>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Evidence {
    pub(crate) field: String,
    pub(crate) value: String,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) rule: String,
    pub(crate) used: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) id: String,
    #[serde(rename = "currentRevisionID")]
    pub(crate) current: Option<String>,
}

/// What a change of a deployment answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Made {
    pub(crate) deployment: Deployment,
    pub(crate) revision: Revision,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    pub(crate) id: String,
    pub(crate) number: u32,
    pub(crate) state: String,
    pub(crate) reason: Option<Refusal>,
    pub(crate) cause: Cause,
    pub(crate) commit: Commit,
    pub(crate) build: Build,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cause {
    pub(crate) kind: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Commit {
    pub(crate) sha: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Build {
    pub(crate) image_ref: Option<String>,
    pub(crate) duration_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) kind: String,
    #[serde(rename = "revisionID")]
    pub(crate) revision: Option<String>,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Hooked {
    pub(crate) outcome: String,
    pub(crate) revisions: u32,
}

impl Revision {
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "superseded" | "cancelled" | "timed_out")
    }

    /// The digest of its image.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.build.image_ref.as_deref()?.split_once('@').map(|(_, digest)| digest)
    }
}
