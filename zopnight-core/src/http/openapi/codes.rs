//! The codes of errors that no single route names.

use std::collections::BTreeMap;

use crate::callback::CallbackRefusal;

/// By kind of error, where nothing finer is known.
pub(super) const BY_KIND: [&str; 10] = [
    "not_found",
    "conflict",
    "invalid_request",
    "unauthenticated",
    "forbidden",
    "rate_limited",
    "unavailable",
    "timeout",
    "unsupported",
    "internal",
];

/// Of the HTTP layer itself; those of refused bodies are among the callback's.
pub(super) const OF_HTTP: [&str; 1] = ["method_not_allowed"];

/// Of what stands behind the routes: forge, registry, cluster and store.
pub(super) const BEHIND: [&str; 22] = [
    "cluster_rejected",
    "cluster_unauthorized",
    "cluster_unreachable",
    "commit_unknown",
    "egress_refused",
    "forge_rate_limited",
    "forge_rejected",
    "forge_timeout",
    "forge_unavailable",
    "forge_unreachable",
    "image_repository",
    "integration_forbidden",
    "integration_gone",
    "integration_permission_missing",
    "integration_suspended",
    "registry_unauthorized",
    "release_locked",
    "store_busy",
    "store_not_writable",
    "store_unreachable",
    "too_many_unfinished",
    "unsupported_chart",
];

/// Of refused build callbacks, each with its status. A refused token has one code, whatever the cause.
pub(super) fn of_callbacks() -> BTreeMap<u16, Vec<&'static str>> {
    let mut codes: BTreeMap<u16, Vec<&'static str>> = BTreeMap::from([(401, vec!["unauthenticated"])]);
    for refusal in CallbackRefusal::ALL.iter().filter(|refusal| refusal.status() != 401) {
        codes.entry(refusal.status()).or_default().push(refusal.as_str());
    }
    codes
}
