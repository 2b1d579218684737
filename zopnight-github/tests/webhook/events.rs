//! Events about installations and repositories, and what is not used of them.

use serde_json::{Value, json};
use zopnight_core::domain::{IgnoreReason, RepoEvent};

use crate::kit::{event, refused, repository, with, without};

fn installation(action: &str) -> Value {
    json!({
        "action": action,
        "installation": { "id": 2, "account": { "login": "octocat", "id": 1 }, "created_at": "2017-07-08T16:18:44-04:00" },
        "repositories_added": [{ "id": 186_853_002, "name": "Hello-World", "private": true }],
        "repositories_removed": [],
        "sender": { "login": "octocat" },
    })
}

#[track_caller]
fn unused(name: &str, body: &Value, action: &str) {
    let expected =
        RepoEvent::Ignored { event: name.to_owned(), action: action.to_owned(), reason: IgnoreReason::UnusedAction };
    assert_eq!(event(name, body), expected);
}

#[test]
fn used_actions_of_installations() {
    for (name, actions) in [
        ("installation", &["deleted", "suspend", "unsuspend", "created", "new_permissions_accepted"][..]),
        ("installation_repositories", &["added", "removed"]),
    ] {
        for action in actions {
            let RepoEvent::Installation(told) = event(name, &installation(action)) else { panic!("{name} {action}") };
            assert_eq!((told.action.as_str(), told.installation.get()), (*action, 2));
        }
    }
}

#[test]
fn installations_without_what_is_needed_are_refused() {
    for name in ["installation", "installation_repositories"] {
        let body = installation(if name == "installation" { "created" } else { "added" });
        for field in ["/action", "/installation", "/installation/id", "/installation/account", "/installation/account/login"]
        {
            refused(name, &without(body.clone(), field));
            refused(name, &with(body.clone(), field, Value::Null));
            refused(name, &with(body.clone(), field, json!(0)));
        }
    }
    for field in ["/repositories_added", "/repositories_removed", "/repositories_added/0/id"] {
        refused("installation_repositories", &without(installation("added"), field));
        refused("installation_repositories", &with(installation("added"), field, json!(0)));
        assert!(matches!(event("installation", &without(installation("created"), field)), RepoEvent::Installation(_)));
    }
}

#[test]
fn used_actions_of_repositories() {
    for action in ["renamed", "transferred", "edited", "archived", "unarchived", "deleted", "privatized", "publicized"] {
        let body = json!({ "action": action, "repository": repository(), "changes": {} });
        let body = with(with(body, "/repository/name", json!("New-Name")), "/repository/archived", json!(true));
        let RepoEvent::Repository(told) = event("repository", &body) else { panic!("{action}") };
        assert_eq!((told.action.as_str(), told.repository.name.as_str()), (action, "New-Name"));
        assert!(told.repository.archived && told.repository.id.get() == 186_853_002);
        refused("repository", &without(body.clone(), "/repository"));
        refused("repository", &without(body.clone(), "/repository/id"));
        refused("repository", &without(body, "/action"));
    }
}

#[test]
fn other_actions_are_ignored_whatever_else_the_payload_holds() {
    for (name, action) in [
        ("installation", "nobody_knows_yet"),
        ("installation", ""),
        ("installation_repositories", "moved"),
        ("repository", "created"),
        ("repository", "Renamed"),
        ("pull_request", "assigned"),
        ("pull_request", "review_requested"),
        ("pull_request", "auto_merge_enabled"),
    ] {
        unused(name, &json!({ "action": action, "repository": 7, "installation": [] }), action);
        refused(name, &json!({ "repository": 7 }));
        refused(name, &json!({ "action": 1 }));
    }
}
