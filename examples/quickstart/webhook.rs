//! What GitHub would have sent: a push payload, signed.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use zopnight_core::domain::{BranchName, CommitSha, RepoRef};

/// A branch that moved.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) repo: RepoRef,
    pub(crate) branch: BranchName,
    pub(crate) before: CommitSha,
    pub(crate) after: CommitSha,
    pub(crate) message: String,
}

impl Push {
    /// The payload's bytes.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let head = json!({
            "id": self.after.as_str(),
            "message": self.message,
            "author": {"name": "ZopNight Quickstart"},
            "added": [], "modified": [], "removed": [],
        });
        json!({
            "ref": format!("refs/heads/{}", self.branch),
            "before": self.before.as_str(),
            "after": self.after.as_str(),
            "created": false,
            "deleted": false,
            "forced": false,
            "head_commit": head,
            "commits": [head],
            "repository": {
                "id": self.repo.id.map(|id| id.get()),
                "name": self.repo.name.as_str(),
                "owner": {"login": self.repo.owner.as_str()},
                "default_branch": self.branch.as_str(),
                "private": true,
                "archived": false,
            },
        })
        .to_string()
        .into_bytes()
    }
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &[u8], body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(body);
    let mut value = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(value, "{byte:02x}").ok()?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use zopnight_core::domain::{ForgeId, IntegrationId, OwnerName, RepoEvent, RepoName, RepositoryId, Secret};
    use zopnight_core::ports::{WebhookDecoder as _, WebhookRequest};
    use zopnight_github::{GithubWebhookDecoder, WebhookSecrets};

    use super::*;

    #[test]
    fn the_signature_is_github_s_own_example() {
        let signed = signature(b"It's a Secret to Everybody", b"Hello, World!").unwrap();
        assert_eq!(signed, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    }

    #[test]
    fn the_decoder_reads_what_we_sign() {
        let sha = |c: &str| CommitSha::parse(&c.repeat(40)).unwrap();
        let push = Push {
            repo: RepoRef {
                integration: IntegrationId::parse("local").unwrap(),
                owner: OwnerName::parse("demo").unwrap(),
                name: RepoName::parse("hello").unwrap(),
                id: RepositoryId::new(7).ok(),
            },
            branch: BranchName::parse("main").unwrap(),
            before: sha("a"),
            after: sha("b"),
            message: "Say it again".to_owned(),
        };
        let secret = "a secret of more than sixteen bytes".to_owned();
        let body = push.payload();
        let signed = signature(secret.as_bytes(), &body).unwrap();
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let request = WebhookRequest {
            headers: vec![
                header("x-hub-signature-256", &signed),
                header("x-github-event", "push"),
                header("x-github-delivery", "one"),
                header("content-type", "application/json"),
            ],
            body: body.into(),
        };
        let secrets = WebhookSecrets::new(Secret::new(secret)).unwrap();
        let decoder = GithubWebhookDecoder::new(ForgeId::parse("git.localhost").unwrap(), secrets);
        let RepoEvent::Push(read) = decoder.decode(&request).unwrap().event else { panic!("it is a push") };
        assert_eq!((read.name.as_str(), read.before, read.after), ("main", Some(push.before), push.after));
        assert_eq!((Some(read.repository.id), read.skip), (push.repo.id, None));
    }
}
