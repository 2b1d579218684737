//! Which files a push changed: known only when there is no doubt.

use serde_json::{Value, json};
use zopnight_core::domain::{ChangedPaths, RepoEvent};

use crate::kit::{event, push, refused, sha, with, without};

fn changed(body: &Value) -> ChangedPaths {
    match event("push", body) {
        RepoEvent::Push(push) => push.changed,
        other => panic!("a push, not {other:?}"),
    }
}

fn known(body: &Value) -> Vec<String> {
    match changed(body) {
        ChangedPaths::Known(paths) => paths.iter().map(ToString::to_string).collect(),
        ChangedPaths::Unknown(why) => panic!("unknown: {why}"),
    }
}

#[track_caller]
fn unknown(body: &Value, why: &str) {
    assert_eq!(changed(body), ChangedPaths::Unknown(Box::leak(why.into())));
}

fn commit(id: &str, added: &[&str], modified: &[&str], removed: &[&str]) -> Value {
    json!({ "id": id, "message": "m", "added": added, "modified": modified, "removed": removed })
}

fn commits(list: Value) -> Value {
    with(push(), "/commits", list)
}

#[test]
fn the_union_of_all_commits_sorted_once_each() {
    let list = json!([
        commit(&sha(5), &["b", "a/x"], &["a/x"], &[]),
        commit(&sha(2), &[], &["é/\u{1f600}", "b"], &["z", "a b/c'd"]),
    ]);
    assert_eq!(known(&commits(list)), ["a b/c'd", "a/x", "b", "z", "é/\u{1f600}"]);
    assert!(known(&commits(json!([commit(&sha(2), &[], &[], &[])]))).is_empty(), "an empty commit changes nothing");
}

#[test]
fn escaped_names_are_the_same_names() {
    let text = push().to_string().replace("new.txt", "n\\u0065w.txt");
    let delivery = crate::kit::decode(&crate::kit::signed("push", text.as_bytes())).unwrap();
    assert_eq!(
        RepoEvent::Push(match event("push", &push()) {
            RepoEvent::Push(p) => p,
            _ => panic!(),
        }),
        delivery.event
    );
}

#[test]
fn no_doubt_is_allowed() {
    let one = |id: &str| commit(id, &["a"], &[], &[]);
    unknown(&with(push(), "/created", json!(true)), "the ref is new");
    unknown(&with(push(), "/forced", json!(true)), "history was rewritten");
    unknown(&commits(json!([])), "no commits are listed");
    unknown(&commits(Value::Null), "no commits are listed");
    unknown(&without(push(), "/commits"), "no commits are listed");
    unknown(&commits(json!([one(&sha(2)), one(&sha(5))])), "the list of commits does not end at the head");
    unknown(&without(push(), "/commits/0/id"), "the list of commits does not end at the head");
    unknown(&with(push(), "/commits/0/id", Value::Null), "the list of commits does not end at the head");
    for list in ["added", "modified", "removed"] {
        let pointer = format!("/commits/0/{list}");
        unknown(&without(push(), &pointer), "a commit does not list its files");
        unknown(&with(push(), &pointer, Value::Null), "a commit does not list its files");
    }
    for odd in ["", ".", "a/../b", "/a", "a\\b", "-a", ".git/config", "a\u{1}", &"x".repeat(1_025)] {
        unknown(&with(push(), "/commits/0/added", json!([odd])), "a path is outside the grammar");
    }
}

#[test]
fn a_list_of_2048_commits_may_be_cut() {
    let list = |count: usize| {
        let mut list = vec![commit(&sha(5), &["a"], &[], &[]); count - 1];
        list.push(commit(&sha(2), &["b"], &[], &[]));
        commits(Value::Array(list))
    };
    assert_eq!(known(&list(2_047)), ["a", "b"]);
    unknown(&list(2_048), "too many commits to be listed");
}

#[test]
fn a_list_of_3000_names_may_be_cut() {
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("f{n}")).collect() };
    let split = |count: usize| {
        let names = names(count);
        let (added, rest) = names.split_at(1_000);
        let body = with(push(), "/commits/0/added", json!(added));
        with(with(body, "/commits/0/modified", json!(rest)), "/commits/0/removed", json!([]))
    };
    assert_eq!(known(&split(2_999)).len(), 2_999);
    unknown(&split(3_000), "a commit has too many files to be listed");
}

#[test]
fn at_most_10_000_paths_are_kept() {
    let list = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("d/f{n}")).collect();
        let mut list: Vec<Value> =
            names.chunks(2_500).map(|c| json!({ "id": sha(5), "added": c, "modified": [], "removed": [] })).collect();
        list.push(commit(&sha(2), &[], &["d/f0"], &[]));
        commits(Value::Array(list))
    };
    assert_eq!(known(&list(10_000)).len(), 10_000);
    unknown(&list(10_001), "too many paths");
}

#[test]
fn other_types_are_refused() {
    for (field, wrong) in [
        ("/commits", json!({})),
        ("/commits", json!("x")),
        ("/commits/0", json!([])),
        ("/commits/0", Value::Null),
        ("/commits/0/id", json!(1)),
        ("/commits/0/added", json!("a")),
        ("/commits/0/added", json!({})),
        ("/commits/0/added", json!([1])),
        ("/commits/0/added", json!([null])),
        ("/head_commit", json!([])),
        ("/head_commit/message", json!(1)),
        ("/head_commit/author", json!("Ada")),
    ] {
        refused("push", &with(push(), field, wrong));
    }
}
