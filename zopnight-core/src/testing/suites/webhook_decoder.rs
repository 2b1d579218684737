//! What every [`WebhookDecoder`] keeps, whatever forge's webhooks it reads.
//!
//! An adapter implements [`DecoderHarness`] and stamps the cases with `webhook_decoder_suite!`. Each case gets a harness of
//! its own.

use std::sync::Arc;

use crate::domain::{CommitSha, Delivery, ForgeId, RepoEvent, SecretSlot, hex};
use crate::error::{Error, ErrorKind};
use crate::ports::{WebhookDecoder, WebhookRequest};

/// What a delivery of the suite tells. All are of one repository with id 1001.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sample {
    /// The forge tries the connection.
    Ping,
    /// `refs/heads/<branch>` moved or was created.
    Push {
        /// The branch.
        branch: &'static str,
        /// Where it stood; `None` = it is new.
        before: Option<CommitSha>,
        /// Where it stands.
        after: CommitSha,
    },
    /// `refs/heads/<branch>` is gone.
    BranchDeleted {
        /// The branch.
        branch: &'static str,
        /// Where it stood.
        before: CommitSha,
    },
    /// `refs/tags/<tag>` was made.
    Tag {
        /// The tag.
        tag: &'static str,
        /// Where it points.
        after: CommitSha,
    },
    /// An event that nobody uses.
    Unknown,
}

/// A decoder and the forge side that signs for it.
pub trait DecoderHarness: Send + Sync {
    /// The decoder under test; the same on every call.
    fn decoder(&self) -> Arc<dyn WebhookDecoder>;

    /// The forge instance its deliveries belong to.
    fn forge(&self) -> ForgeId;

    /// A delivery as the forge sends it, signed with the current secret.
    fn request(&self, sample: &Sample, id: &str) -> WebhookRequest;

    /// The header that holds the signature, lower-cased.
    fn signature_header(&self) -> &'static str;

    /// The header that holds the delivery's id, lower-cased.
    fn delivery_header(&self) -> &'static str;
}

const ID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

fn sha(n: u8) -> CommitSha {
    CommitSha::parse(&format!("{n:02x}").repeat(20)).expect("the suite's commits are well formed")
}

fn push() -> Sample {
    Sample::Push { branch: "main", before: Some(sha(1)), after: sha(2) }
}

#[track_caller]
fn decode(harness: &impl DecoderHarness, sample: &Sample) -> Delivery {
    harness.decoder().decode(&harness.request(sample, ID)).expect("a good delivery is decoded")
}

#[track_caller]
fn refuse(harness: &impl DecoderHarness, request: &WebhookRequest) -> Error {
    harness.decoder().decode(request).expect_err("the delivery is refused")
}

/// A push tells repository, branch and commits; the delivery tells forge, id, secret and body.
pub async fn a_push_is_decoded(harness: &impl DecoderHarness) {
    let request = harness.request(&push(), ID);
    let delivery = harness.decoder().decode(&request).expect("a good delivery is decoded");
    assert_eq!((&delivery.forge, delivery.id.as_str(), delivery.secret), (&harness.forge(), ID, SecretSlot::Current));
    assert_eq!(delivery.body_sha256, hex::sha256(&request.body));
    let RepoEvent::Push(push) = delivery.event else { panic!("a push, not {:?}", delivery.event) };
    assert_eq!((push.repository.id.get(), &push.repository.forge), (1_001, &harness.forge()));
    assert_eq!((push.git_ref.as_str(), push.name.as_str()), ("refs/heads/main", "main"));
    assert_eq!((push.before, push.after, push.created), (Some(sha(1)), sha(2), false));
}

/// A new branch has no commit before.
pub async fn a_new_branch_has_nothing_before(harness: &impl DecoderHarness) {
    let sample = Sample::Push { branch: "feature/x", before: None, after: sha(2) };
    let RepoEvent::Push(push) = decode(harness, &sample).event else { panic!("a push") };
    assert_eq!((push.name.as_str(), push.before, push.after, push.created), ("feature/x", None, sha(2), true));
}

/// A deleted branch is no push.
pub async fn a_deleted_branch_is_no_push(harness: &impl DecoderHarness) {
    let sample = Sample::BranchDeleted { branch: "main", before: sha(1) };
    let RepoEvent::BranchDeleted(gone) = decode(harness, &sample).event else { panic!("a deleted branch") };
    assert_eq!((gone.repository.id.get(), gone.name.as_str()), (1_001, "main"));
}

/// A tag is no branch.
pub async fn a_tag_is_no_branch(harness: &impl DecoderHarness) {
    let event = decode(harness, &Sample::Tag { tag: "v1", after: sha(2) }).event;
    assert!(matches!(&event, RepoEvent::TagPushed(tag) if tag.name == "v1" && tag.after == sha(2)), "{event:?}");
}

/// A ping is a ping, and an event that nobody uses is ignored, not refused.
pub async fn other_events_are_not_refused(harness: &impl DecoderHarness) {
    assert_eq!(decode(harness, &Sample::Ping).event, RepoEvent::Ping);
    assert!(matches!(decode(harness, &Sample::Unknown).event, RepoEvent::Ignored { .. }));
}

/// The same request always gives the same delivery.
pub async fn decoding_is_pure(harness: &impl DecoderHarness) {
    for sample in [Sample::Ping, push(), Sample::Unknown] {
        assert_eq!(decode(harness, &sample), decode(harness, &sample));
    }
}

/// No signature, an empty one, or two of them: unauthenticated.
pub async fn exactly_one_signature_is_needed(harness: &impl DecoderHarness) {
    let good = harness.request(&push(), ID);
    let is_signature = |(name, _): &(String, Vec<u8>)| name == harness.signature_header();
    let signature = good.headers.iter().find(|h| is_signature(h)).cloned().expect("the harness signs");
    let mut none = good.clone();
    none.headers.retain(|h| !is_signature(h));
    let mut empty = none.clone();
    empty.headers.push((signature.0.clone(), Vec::new()));
    let mut two = good;
    two.headers.push(signature);
    for request in [none, empty, two] {
        assert_eq!(refuse(harness, &request).kind(), ErrorKind::Unauthenticated, "{:?}", request.headers);
    }
}

/// A body changed in any byte, cut or extended: unauthenticated.
pub async fn a_changed_body_is_refused(harness: &impl DecoderHarness) {
    let good = harness.request(&push(), ID);
    let bytes = good.body.to_vec();
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for at in 0..bytes.len() {
        let mut body = bytes.clone();
        body[at] ^= 1;
        bodies.push(body);
    }
    bodies.push(Vec::new());
    bodies.push(bytes[1..].to_vec());
    bodies.push([bytes.as_slice(), b" "].concat());
    for body in bodies {
        let request = WebhookRequest { body: body.into(), ..good.clone() };
        assert_eq!(refuse(harness, &request).kind(), ErrorKind::Unauthenticated);
    }
}

/// A signature changed in any character, or another body's: unauthenticated, and no part of it is shown.
pub async fn a_changed_signature_is_refused(harness: &impl DecoderHarness) {
    let good = harness.request(&push(), ID);
    let at = good.headers.iter().position(|(n, _)| n == harness.signature_header()).expect("the harness signs");
    let value = good.headers[at].1.clone();
    let other = harness.request(&Sample::Ping, ID).headers[at].1.clone();
    let changed = (0..value.len()).map(|n| {
        let mut changed = value.clone();
        changed[n] ^= 1;
        changed
    });
    for signature in changed.chain([other]) {
        let mut request = good.clone();
        request.headers[at].1.clone_from(&signature);
        let error = refuse(harness, &request);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert!(!format!("{error:?}").contains(&*String::from_utf8_lossy(&value)));
    }
}

/// The delivery's id is lower-cased; without one, or with two, the delivery is invalid.
pub async fn a_delivery_has_one_id(harness: &impl DecoderHarness) {
    let upper = harness.request(&push(), &ID.to_uppercase());
    assert_eq!(harness.decoder().decode(&upper).expect("it is decoded").id.as_str(), ID);
    let is_id = |(name, _): &(String, Vec<u8>)| name == harness.delivery_header();
    let mut none = upper.clone();
    none.headers.retain(|h| !is_id(h));
    let mut two = upper.clone();
    two.headers.extend(upper.headers.iter().filter(|h| is_id(h)).cloned());
    for request in [none, two] {
        assert_eq!(refuse(harness, &request).kind(), ErrorKind::Invalid);
    }
}

/// Stamps the suite into one `#[tokio::test]` a case, in a module `$name`. `$factory` is called without arguments for each
/// case and gives a future of a [`DecoderHarness`].
#[macro_export]
macro_rules! webhook_decoder_suite {
    ($name:ident, $factory:expr) => {
        $crate::stamp_suite!(
            $name,
            $factory,
            webhook_decoder,
            [
                a_push_is_decoded,
                a_new_branch_has_nothing_before,
                a_deleted_branch_is_no_push,
                a_tag_is_no_branch,
                other_events_are_not_refused,
                decoding_is_pure,
                exactly_one_signature_is_needed,
                a_changed_body_is_refused,
                a_changed_signature_is_refused,
                a_delivery_has_one_id,
            ]
        );
    };
}
