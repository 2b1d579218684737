//! The release record, in the form that Helm 3 and 4 read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use zopnight_core::domain::{RevisionNumber, Timestamp};
use zopnight_core::ports::ReleaseRequest;
use zopnight_core::{Error, Result};

use crate::chart::Chart;
use crate::render::Rendered;

const REVISION: &str = "zopnight.dev/revision";
const DEPLOYMENT: &str = "zopnight.dev/deployment";

/// How a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

impl Status {
    /// Helm's word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }
}

/// One record. What we do not know is kept and written back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) name: String,
    pub(crate) info: Info,
    pub(crate) chart: Json,
    #[serde(default)]
    pub(crate) config: Json,
    #[serde(default)]
    pub(crate) manifest: String,
    #[serde(default)]
    hooks: Option<Vec<Json>>,
    pub(crate) version: u32,
    pub(crate) namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apply_method: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Info {
    #[serde(default)]
    pub(crate) first_deployed: String,
    #[serde(default)]
    pub(crate) last_deployed: String,
    #[serde(default)]
    pub(crate) deleted: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) notes: String,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

impl Release {
    /// The record of a finished install (`version` 1) or upgrade.
    pub(crate) fn deployed(
        chart: &Chart,
        request: &ReleaseRequest,
        rendered: &Rendered,
        version: u32,
        first_deployed: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let now = now.to_string();
        Self {
            name: request.target.release.to_string(),
            info: Info {
                first_deployed: first_deployed.filter(|t| !t.is_empty()).unwrap_or(&now).to_owned(),
                last_deployed: now,
                deleted: String::new(),
                description: if version == 1 { "Install complete" } else { "Upgrade complete" }.into(),
                status: Status::Deployed,
                notes: rendered.notes.clone(),
                rest: Map::new(),
            },
            chart: recorded_chart(chart, request),
            config: rendered.config.clone(),
            manifest: rendered.manifest.clone(),
            hooks: Some(Vec::new()),
            version,
            namespace: request.target.namespace.to_string(),
            apply_method: Some("ssa".into()),
            rest: Map::new(),
        }
    }

    /// The revision it holds; `None` if somebody else made it.
    pub(crate) fn revision(&self) -> Option<RevisionNumber> {
        let number = self.chart.pointer("/metadata/annotations")?.get(REVISION)?.as_str()?;
        RevisionNumber::new(number.parse().ok()?).ok()
    }

    /// Marks it removed.
    pub(crate) fn uninstall(&mut self, now: Timestamp) {
        self.info.status = Status::Uninstalled;
        self.info.deleted = now.to_string();
        self.info.description = "Uninstallation complete".into();
    }

    /// As JSON text.
    pub(crate) fn to_text(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map_err(|e| Error::internal("k8s.record", "a record cannot be written").with_source(e))
    }

    /// Reads it back.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        serde_json::from_slice(text).map_err(|e| Error::internal("k8s.record", "a record cannot be read").with_source(e))
    }
}

fn recorded_chart(chart: &Chart, request: &ReleaseRequest) -> Json {
    let metadata = chart.metadata();
    let mut annotations = metadata.annotations.clone();
    annotations.insert(REVISION.into(), request.revision.to_string());
    annotations.insert(DEPLOYMENT.into(), request.target.deployment.to_string());
    let mut described = json!({
        "name": metadata.name,
        "version": metadata.version,
        "apiVersion": metadata.api_version,
        "annotations": annotations,
    });
    for (key, text) in
        [("type", &metadata.kind), ("appVersion", &metadata.app_version), ("description", &metadata.description)]
    {
        if !text.is_empty() {
            described[key] = Json::from(text.as_str());
        }
    }
    let templates: Vec<Json> =
        chart.templates().iter().map(|t| json!({"name": t.path, "data": STANDARD.encode(&t.source)})).collect();
    json!({
        "metadata": described,
        "lock": null,
        "templates": templates,
        "values": chart.values(),
        "schema": chart.schema().map(|s| STANDARD.encode(s)),
        "files": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{RenderOptions, render};
    use crate::testkit::{NOW, chart, request};

    fn record() -> Release {
        let (chart, request) = (chart(), request(7));
        let rendered = render(&chart, &request, &RenderOptions::default()).unwrap();
        Release::deployed(&chart, &request, &rendered, 1, None, Timestamp::from_secs(NOW))
    }

    #[test]
    fn has_the_shape_that_helm_reads() {
        let json: Json = serde_json::from_str(&record().to_text().unwrap()).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for key in ["name", "info", "chart", "config", "manifest", "hooks", "version", "namespace", "apply_method"] {
            assert!(keys.contains(&key), "{key}");
        }
        assert_eq!(json["hooks"], json!([]));
        assert_eq!(json["apply_method"], "ssa");
        assert_eq!(json["info"]["status"], "deployed");
        assert_eq!(json["info"]["deleted"], "");
        assert_eq!(json["info"]["description"], "Install complete");
        assert_eq!(json["info"]["first_deployed"], "2026-01-01T00:00:00.000Z");
        assert_eq!(json["chart"]["lock"], Json::Null);
        assert_eq!(json["chart"]["files"], json!([]));
        let template = &json["chart"]["templates"][0];
        assert_eq!(template["name"], "templates/NOTES.txt");
        assert!(STANDARD.decode(template["data"].as_str().unwrap()).unwrap().starts_with(b"{{ .Release.Name }}"));
        assert_eq!(json["chart"]["metadata"]["annotations"][REVISION], "7");
        assert!(json["manifest"].as_str().unwrap().starts_with("---\n# Source: zopnight-service/templates/"));
        assert_eq!(record().revision(), RevisionNumber::new(7).ok());
    }

    #[test]
    fn what_is_unknown_survives() {
        let mut json: Json = serde_json::from_str(&record().to_text().unwrap()).unwrap();
        json["labels"] = json!({"a": 1});
        json["info"]["rollback_revision"] = json!(2);
        json["chart"]["metadata"]["icon"] = json!("x");
        let read = Release::parse(json.to_string().as_bytes()).unwrap();
        let again: Json = serde_json::from_str(&read.to_text().unwrap()).unwrap();
        assert_eq!(again, json);
        json.as_object_mut().unwrap().remove("apply_method");
        let read = Release::parse(json.to_string().as_bytes()).unwrap();
        assert!(!read.to_text().unwrap().contains("apply_method"));
        assert!(Release::parse(b"{}").is_err());
        for (status, word) in [(Status::PendingInstall, "pending-install"), (Status::Uninstalling, "uninstalling")] {
            assert_eq!(serde_json::to_value(status).unwrap(), word);
            assert_eq!(status.as_str(), word);
        }
    }
}
