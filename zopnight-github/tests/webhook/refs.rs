//! What a push tells of a ref.

use serde_json::{Value, json};
use zopnight_core::domain::{ChangedPaths, IgnoreReason, InstallationId, PushEvent, RepoEvent};

use crate::kit::{ZEROS, event, push, refused, sha, with, without};

fn pushed(body: &Value) -> PushEvent {
    match event("push", body) {
        RepoEvent::Push(push) => push,
        other => panic!("a push, not {other:?}"),
    }
}

#[test]
fn a_push_to_a_branch() {
    let push = pushed(&push());
    assert_eq!((push.git_ref.as_str(), push.name.as_str()), ("refs/heads/master", "master"));
    assert_eq!(push.before.as_ref().map(|s| s.as_str()), Some(sha(1).as_str()));
    assert_eq!(push.after.as_str(), sha(2));
    assert!(!push.created && !push.forced && push.skip.is_none());
    assert_eq!(push.installation, InstallationId::new(5).ok());
    let repository = &push.repository;
    assert_eq!((repository.id.get(), repository.forge.as_str()), (186_853_002, "github.com"));
    assert_eq!((repository.owner.as_str(), repository.name.as_str()), ("Codertocat", "Hello-World"));
    assert_eq!(repository.default_branch.as_ref().map(|b| b.as_str()), Some("master"));
    assert!(!repository.private && !repository.archived);
    let head = push.head.unwrap();
    assert_eq!(
        (head.sha.as_str(), head.title.as_deref(), head.author.as_deref()),
        (&*sha(2), Some("Change it"), Some("Monalisa"))
    );
    let ChangedPaths::Known(paths) = push.changed else { panic!("they are known") };
    assert_eq!(paths.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["README.md", "new.txt", "old.txt", "src/main.rs"]);
}

#[test]
fn branches_with_slashes_and_unusual_characters() {
    for name in ["feature/x", "fix#12", "100%", "é", "a@b", "$(id)", "renovate/npm-@scope/pkg-1.x"] {
        assert_eq!(pushed(&with(push(), "/ref", json!(format!("refs/heads/{name}")))).name, name);
    }
}

#[test]
fn a_deleted_branch_or_tag_is_no_push() {
    let zeros64 = "0".repeat(64);
    for (deleted, after) in [(true, ZEROS), (false, ZEROS), (true, &*zeros64), (false, &*zeros64), (true, &*sha(2))] {
        let body = with(with(push(), "/deleted", json!(deleted)), "/after", json!(after));
        let body = with(with(body, "/head_commit", Value::Null), "/commits", json!([]));
        let RepoEvent::BranchDeleted(gone) = event("push", &body) else { panic!("{deleted} {after}") };
        assert_eq!((gone.name.as_str(), gone.repository.id.get()), ("master", 186_853_002));
        let RepoEvent::TagDeleted(gone) = event("push", &with(body, "/ref", json!("refs/tags/v1.0"))) else {
            panic!("{deleted} {after}")
        };
        assert_eq!(gone.name, "v1.0");
    }
}

#[test]
fn a_tag_is_a_tag() {
    let body = with(with(push(), "/ref", json!("refs/tags/release/v1.0")), "/before", json!(ZEROS));
    // An annotated tag: the head commit is not what the ref points to.
    let body = with(body, "/head_commit/id", json!(sha(9)));
    let RepoEvent::TagPushed(tag) = event("push", &body) else { panic!("a tag") };
    assert_eq!((tag.name.as_str(), tag.git_ref.as_str()), ("release/v1.0", "refs/tags/release/v1.0"));
    assert_eq!(tag.head.map(|h| h.sha.to_string()), Some(sha(9)));
}

#[test]
fn other_refs_are_ignored() {
    for name in ["refs/notes/commits", "refs/pull/1/head", "refs/changes/01/1/1"] {
        let expected =
            RepoEvent::Ignored { event: "push".to_owned(), action: String::new(), reason: IgnoreReason::UnusedAction };
        assert_eq!(event("push", &with(push(), "/ref", json!(name))), expected);
    }
}

#[test]
fn refs_outside_the_grammar_are_refused() {
    for name in [
        "",
        "main",
        "heads/main",
        "refs/",
        "refs/main",
        "refs/heads/",
        "refs/heads//a",
        "refs/heads/a b",
        "refs/heads/a..b",
        "refs/heads/a~1",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/-a",
        "refs/heads/HEAD",
        "refs/heads/a\u{0}",
        "refs/tags/",
        "refs/tags/a:b",
        "refs/tags/a.",
        "refs/tags/a@{1}",
        "refs/notes/a\\b",
        "REFS/heads/a",
    ] {
        refused("push", &with(push(), "/ref", json!(name)));
    }
    let long = format!("refs/heads/{}", "a".repeat(245));
    refused("push", &with(push(), "/ref", json!(long)));
}

#[test]
fn a_push_without_a_described_head_goes_by_after() {
    let push = pushed(&with(push(), "/head_commit", Value::Null));
    assert_eq!((push.after.as_str(), push.head, push.skip), (&*sha(2), None, None));
}

#[test]
fn a_head_commit_that_is_not_the_head_is_not_believed() {
    for id in [json!(sha(7)), json!("x"), Value::Null] {
        let body = with(push(), "/head_commit/id", id);
        let push = pushed(&with(body, "/head_commit/message", json!("[skip ci]")));
        assert_eq!((push.head, push.skip), (None, None));
    }
}

#[test]
fn a_new_branch_at_an_old_commit() {
    let zeros64 = "0".repeat(64);
    for (zeros, created) in [(ZEROS, true), (&*zeros64, true), (ZEROS, false)] {
        let body = with(with(push(), "/before", json!(zeros)), "/created", json!(created));
        let push = pushed(&with(body, "/commits", json!([])));
        assert!(push.created && push.before.is_none());
        assert_eq!(push.changed, ChangedPaths::Unknown("the ref is new"));
    }
}

#[test]
fn a_forced_push() {
    let push = pushed(&with(push(), "/forced", json!(true)));
    assert!(push.forced && matches!(push.changed, ChangedPaths::Unknown(_)));
    assert_eq!(push.before.map(|s| s.to_string()), Some(sha(1)));
}

#[test]
fn shas_of_either_length_and_no_other() {
    let sha256 = "ab".repeat(32);
    let body = with(with(push(), "/before", json!("cd".repeat(32))), "/after", json!(sha256));
    assert_eq!(pushed(&body).after.as_str(), sha256);
    for field in ["/before", "/after"] {
        for bad in ["", "abc", &sha(1)[..39], &"AB".repeat(20), &"0".repeat(39), &"0".repeat(41), &"g".repeat(40)] {
            refused("push", &with(push(), field, json!(bad)));
        }
    }
}

#[test]
fn every_required_field_is_required_and_typed() {
    for field in [
        "/ref",
        "/before",
        "/after",
        "/created",
        "/deleted",
        "/forced",
        "/repository",
        "/repository/id",
        "/repository/name",
        "/repository/owner",
        "/repository/default_branch",
        "/repository/private",
        "/repository/archived",
    ] {
        refused("push", &without(push(), field));
        for wrong in [json!([]), json!({}), json!(1.5), json!(-1)] {
            if !(field == "/repository/owner" && wrong.is_object()) {
                refused("push", &with(push(), field, wrong));
            }
        }
        if field != "/repository/default_branch" {
            refused("push", &with(push(), field, Value::Null));
        }
    }
    refused("push", &without(without(push(), "/repository/owner/login"), "/repository/owner/name"));
    refused("push", &with(push(), "/repository/id", json!(0)));
    refused("push", &with(push(), "/repository/id", json!(9_223_372_036_854_775_808_u64)));
    refused("push", &with(push(), "/repository/id", json!("186853002")));
    refused("push", &with(push(), "/repository/name", json!("..")));
    refused("push", &with(push(), "/repository/owner/login", json!("a/b")));
    refused("push", &with(push(), "/installation", json!({})));
    refused("push", &with(push(), "/installation/id", json!("5")));
    refused("push", &with(push(), "/repository", json!([186_853_002, "Hello-World", {}, "master", false, false])));
}

#[test]
fn what_may_be_absent_may_be_absent() {
    let mut body = push();
    for field in ["/installation", "/head_commit", "/commits", "/pusher", "/sender", "/base_ref", "/compare"] {
        body = without(body, field);
    }
    let push = pushed(&body);
    assert_eq!((push.installation, push.head), (None, None));
    assert!(matches!(push.changed, ChangedPaths::Unknown(_)));
}

#[test]
fn what_may_be_null_or_of_two_types_is_read() {
    for (field, value) in [
        ("/installation", Value::Null),
        ("/commits", Value::Null),
        ("/repository/created_at", json!("2019-05-15T15:19:25Z")),
        ("/repository/pushed_at", json!(1_557_933_565)),
        ("/repository/pushed_at", Value::Null),
        ("/repository/default_branch", Value::Null),
        ("/repository/owner/login", Value::Null),
        ("/repository/owner/name", Value::Null),
        ("/head_commit/author", Value::Null),
        ("/head_commit/author/name", Value::Null),
        ("/head_commit/message", Value::Null),
    ] {
        pushed(&with(push(), field, value));
    }
    let odd_default = pushed(&with(push(), "/repository/default_branch", json!("-odd")));
    assert_eq!(odd_default.repository.default_branch, None);
}

#[test]
fn skip_tokens_are_read_from_the_head_only() {
    let skip = |body: &Value| pushed(body).skip.map(|s| s.0);
    assert_eq!(skip(&with(push(), "/head_commit/message", json!("Docs [Skip CI]"))).as_deref(), Some("[Skip CI]"));
    assert_eq!(
        skip(&with(push(), "/head_commit/message", json!("Docs\n\nskip-checks:true"))).as_deref(),
        Some("skip-checks:true")
    );
    assert_eq!(skip(&with(push(), "/commits/0/message", json!("[skip ci]"))), None);
}

#[test]
fn display_text_is_cleaned_and_cut() {
    let body = with(push(), "/head_commit/message", json!(format!("\u{202e}{}\nmore", "x".repeat(300))));
    let head = pushed(&with(body, "/head_commit/author/name", json!("a\u{7}b"))).head.unwrap();
    assert_eq!(head.title.unwrap().chars().count(), 200);
    assert_eq!(head.author.as_deref(), Some("ab"));
}
