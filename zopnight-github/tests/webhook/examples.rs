//! GitHub's published example payloads (the npm package `@octokit/webhooks-examples`, or the folder `payload-examples` of its
//! repository), where `ZOPNIGHT_WEBHOOKS_DIR` names them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use zopnight_core::domain::RepoEvent;

use crate::kit::{decode, signed, with_header};

#[expect(clippy::disallowed_methods, reason = "tests find what they may use by environment variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Every example with the name of its event: from `index.json` files, and from `<event>/*.payload.json` files.
fn examples(dir: &Path) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            found.extend(examples(&path));
            continue;
        }
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if file == "index.json" {
            let events: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for event in &events {
                let name = event["name"].as_str().unwrap().to_owned();
                found.extend(event["examples"].as_array().unwrap().iter().map(|e| (name.clone(), e.clone())));
            }
        } else if file.ends_with("payload.json") {
            let name = dir.file_name().and_then(|n| n.to_str()).unwrap().to_owned();
            found.push((name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()));
        }
    }
    found
}

fn is_its_row(name: &str, payload: &Value, event: &RepoEvent) -> bool {
    let used = |actions: &[&str]| payload["action"].as_str().is_some_and(|a| actions.contains(&a));
    let deleted = payload["deleted"] == Value::Bool(true);
    match (name, event) {
        ("ping", RepoEvent::Ping) => true,
        ("push", RepoEvent::BranchDeleted(_) | RepoEvent::TagDeleted(_)) => deleted,
        ("push", RepoEvent::Push(push) | RepoEvent::TagPushed(push)) => {
            !deleted && payload["repository"]["id"] == push.repository.id.get() && payload["after"] == push.after.as_str()
        }
        ("pull_request", RepoEvent::PullRequest(told)) => payload["number"] == told.number,
        ("installation" | "installation_repositories", RepoEvent::Installation(told)) => {
            payload["installation"]["id"] == told.installation.get()
        }
        ("repository", RepoEvent::Repository(told)) => payload["repository"]["id"] == told.repository.id.get(),
        (_, RepoEvent::Ignored { .. }) => match name {
            "ping" | "push" => false,
            "pull_request" => !used(&["opened", "synchronize", "reopened", "closed", "labeled", "unlabeled"]),
            "installation" => !used(&["deleted", "suspend", "unsuspend", "created", "new_permissions_accepted"]),
            "installation_repositories" => !used(&["added", "removed"]),
            "repository" => !used(&["renamed", "transferred", "edited", "archived", "unarchived", "deleted"]),
            _ => true,
        },
        _ => false,
    }
}

#[test]
fn every_published_example_gives_its_row() {
    let Some(dir) = variable("ZOPNIGHT_WEBHOOKS_DIR") else {
        zopnight_core::testing::skipped("ZOPNIGHT_WEBHOOKS_DIR is not set");
        return;
    };
    let examples = examples(Path::new(&dir));
    assert!(examples.iter().any(|(name, _)| name == "push"), "{dir} holds no example of a push");
    for (name, payload) in &examples {
        let text = payload.to_string();
        let json = decode(&signed(name, text.as_bytes())).unwrap_or_else(|error| panic!("{name}: {error:?}: {text}"));
        assert!(is_its_row(name, payload, &json.event), "{name}: {:?}: {text}", json.event);
        let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        let form = with_header(
            signed(name, format!("payload={encoded}").as_bytes()),
            "content-type",
            Some("application/x-www-form-urlencoded"),
        );
        assert_eq!(decode(&form).unwrap().event, json.event, "{name}");
    }
    println!("{} examples", examples.len());
}
