//! The conformance suite of webhook decoders.

use std::sync::Arc;

use serde_json::{Value, json};
use zopnight_core::domain::ForgeId;
use zopnight_core::ports::{WebhookDecoder, WebhookRequest};
use zopnight_core::testing::suites::webhook_decoder::{DecoderHarness, Sample};
use zopnight_github::GithubWebhookDecoder;

use crate::kit;

struct Github(Arc<GithubWebhookDecoder>);

impl Github {
    async fn start() -> Self {
        Self(Arc::new(kit::decoder()))
    }
}

fn payload(git_ref: &str, before: Option<&str>, after: Option<&str>) -> Value {
    let mut push = kit::push();
    push["ref"] = json!(git_ref);
    push["before"] = json!(before.unwrap_or(kit::ZEROS));
    push["after"] = json!(after.unwrap_or(kit::ZEROS));
    push["created"] = json!(before.is_none());
    push["deleted"] = json!(after.is_none());
    push["repository"]["id"] = json!(1_001);
    push
}

impl DecoderHarness for Github {
    fn decoder(&self) -> Arc<dyn WebhookDecoder> {
        Arc::<GithubWebhookDecoder>::clone(&self.0)
    }
    fn forge(&self) -> ForgeId {
        kit::forge()
    }
    fn request(&self, sample: &Sample, id: &str) -> WebhookRequest {
        let (event, body) = match sample {
            Sample::Ping => ("ping", json!({ "zen": "plain", "hook_id": 1 })),
            Sample::Push { branch, before, after } => {
                let before = before.as_ref().map(|sha| sha.as_str());
                ("push", payload(&format!("refs/heads/{branch}"), before, Some(after.as_str())))
            }
            Sample::BranchDeleted { branch, before } => {
                ("push", payload(&format!("refs/heads/{branch}"), Some(before.as_str()), None))
            }
            Sample::Tag { tag, after } => ("push", payload(&format!("refs/tags/{tag}"), None, Some(after.as_str()))),
            Sample::Unknown => ("star", json!({ "action": "created" })),
        };
        let request = kit::signed(event, body.to_string().as_bytes());
        kit::with_header(request, self.delivery_header(), Some(id))
    }
    fn signature_header(&self) -> &'static str {
        "x-hub-signature-256"
    }
    fn delivery_header(&self) -> &'static str {
        "x-github-delivery"
    }
}

zopnight_core::webhook_decoder_suite!(github, Github::start);
