//! Pull requests, and whose code they bring.

use serde_json::{Value, json};
use zopnight_core::domain::{ForkOrigin, PullRequestAction, PullRequestEvent, RepoEvent, RepositoryId};

use crate::kit::{event, refused, repository, sha, with, without};

fn pull_request() -> Value {
    json!({
        "action": "opened",
        "number": 2,
        "pull_request": {
            "id": 279_147_437,
            "number": 2,
            "draft": false,
            "merged": false,
            "title": "Update the README",
            "user": { "login": "Codertocat" },
            "author_association": "OWNER",
            "labels": [{ "name": "safe to build" }],
            "head": { "label": "Codertocat:changes", "ref": "changes", "sha": sha(3), "repo": repository() },
            "base": { "label": "Codertocat:master", "ref": "master", "sha": sha(4), "repo": repository() },
        },
        "repository": repository(),
        "installation": { "id": 5 },
    })
}

fn read(body: &Value) -> PullRequestEvent {
    match event("pull_request", body) {
        RepoEvent::PullRequest(told) => told,
        other => panic!("a pull request, not {other:?}"),
    }
}

#[test]
fn every_used_action() {
    for (word, action) in [
        ("opened", PullRequestAction::Opened),
        ("synchronize", PullRequestAction::Synchronize),
        ("reopened", PullRequestAction::Reopened),
        ("ready_for_review", PullRequestAction::ReadyForReview),
        ("converted_to_draft", PullRequestAction::ConvertedToDraft),
        ("closed", PullRequestAction::Closed),
        ("labeled", PullRequestAction::Labeled),
        ("unlabeled", PullRequestAction::Unlabeled),
    ] {
        assert_eq!(read(&with(pull_request(), "/action", json!(word))).action, action);
    }
}

#[test]
fn what_it_tells() {
    let body = with(pull_request(), "/pull_request/draft", json!(true));
    let told = read(&with(body, "/pull_request/merged", json!(true)));
    assert_eq!((told.number, told.base.as_str(), told.head_branch.as_str()), (2, "master", "changes"));
    assert_eq!((told.head.as_str(), told.installation.map(|i| i.get())), (&*sha(3), Some(5)));
    assert!(told.draft && told.merged);
    assert_eq!(told.repository.id.get(), 186_853_002);
}

#[test]
fn the_origin_goes_by_numeric_ids_only() {
    assert_eq!(read(&pull_request()).fork, ForkOrigin::SameRepository);
    assert_eq!(read(&with(pull_request(), "/pull_request/head/repo", Value::Null)).fork, ForkOrigin::Gone);
    // All else says "same": name, owner, flag, author, association and label.
    let other = RepositoryId::new(7).unwrap();
    let fork = with(pull_request(), "/pull_request/head/repo/id", json!(7));
    assert_eq!(read(&fork).fork, ForkOrigin::Fork { repository: other });
    // All else says "fork", but the id is the same.
    let body = with(pull_request(), "/pull_request/head/repo/fork", json!(true));
    let body = with(body, "/pull_request/head/repo/name", json!("other"));
    let body = with(body, "/pull_request/head/repo/owner/login", json!("stranger"));
    assert_eq!(read(&body).fork, ForkOrigin::SameRepository);
}

#[test]
fn missing_ids_are_refused_not_taken_for_the_same() {
    for field in
        ["/pull_request/head/repo", "/pull_request/head/repo/id", "/pull_request/base/repo", "/pull_request/base/repo/id"]
    {
        refused("pull_request", &without(pull_request(), field));
        for wrong in [json!(0), json!("186853002"), json!([]), json!(1.0)] {
            refused("pull_request", &with(pull_request(), field, wrong));
        }
    }
    for field in ["/pull_request/head/repo/id", "/pull_request/base/repo", "/pull_request/base/repo/id"] {
        refused("pull_request", &with(pull_request(), field, Value::Null));
    }
}

#[test]
fn every_required_field_is_required() {
    for field in [
        "/action",
        "/number",
        "/pull_request",
        "/pull_request/head",
        "/pull_request/head/sha",
        "/pull_request/head/ref",
        "/pull_request/base",
        "/pull_request/base/ref",
        "/pull_request/draft",
        "/pull_request/merged",
        "/repository",
        "/repository/id",
    ] {
        refused("pull_request", &without(pull_request(), field));
        refused("pull_request", &with(pull_request(), field, Value::Null));
    }
    refused("pull_request", &with(pull_request(), "/pull_request/head/sha", json!("0".repeat(40))));
    refused("pull_request", &with(pull_request(), "/pull_request/base/ref", json!("a..b")));
    assert_eq!(read(&without(pull_request(), "/installation")).installation, None);
}

#[test]
fn a_hostile_head_branch_is_only_text() {
    let told = read(&with(pull_request(), "/pull_request/head/ref", json!("$(id)\u{202e}\n::set-env")));
    assert_eq!(told.head_branch, "$(id)");
}
