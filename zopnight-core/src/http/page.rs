//! Pages, orders and cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::{Faults, Fields, Rule};
use super::parse::number;
use crate::domain::{IntegrationId, PageRequest};
use crate::pipeline::RepositoriesCursor;

/// Longest cursor, in bytes.
const MAX_CURSOR: usize = 512;

/// What stands beside a page of a list.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct PageMeta {
    page: u32,
    limit: u32,
    total: Option<u64>,
}

impl PageMeta {
    pub(super) const fn of(request: PageRequest, total: Option<u64>) -> Self {
        Self { page: request.page, limit: request.limit, total }
    }
}

/// `page` and `limit` of a query.
pub(super) fn page(query: &mut Fields, faults: &mut Faults) -> PageRequest {
    let default = PageRequest::default();
    let page = query.optional("page", faults, number(1..=10_000)).and_then(|n| u32::try_from(n).ok());
    PageRequest { page: page.unwrap_or(default.page), limit: limit(query, faults, default.limit, 100) }
}

/// `limit` of a query.
pub(super) fn limit(query: &mut Fields, faults: &mut Faults, default: u32, max: u32) -> u32 {
    let limit = query.optional("limit", faults, number(1..=u64::from(max)));
    limit.and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Place {
    #[serde(rename = "integrationID")]
    integration: IntegrationId,
    page: u32,
    offset: u32,
}

/// A cursor of repositories as text.
pub(super) fn write_cursor(cursor: &RepositoriesCursor) -> String {
    let RepositoriesCursor { integration, page, offset } = cursor.clone();
    // Plain strings and numbers always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Place { integration, page, offset }).unwrap_or_default())
}

/// A cursor of repositories. Whether its integration is the caller's is judged where the grant is known.
pub(super) fn read_cursor(value: serde_json::Value) -> Rule<RepositoriesCursor> {
    let place: Place = decoded(value)?;
    let Place { integration, page, offset } = place;
    if !(1..=1_000_000).contains(&page) || offset > 1_000 {
        return Err("is not a cursor of this list".to_owned());
    }
    Ok(RepositoriesCursor { integration, page, offset })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageOnly {
    page: u32,
}

/// A cursor of branches as text.
pub(super) fn write_page(page: u32) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&PageOnly { page }).unwrap_or_default())
}

/// A cursor of branches.
pub(super) fn read_page(value: serde_json::Value) -> Rule<u32> {
    let PageOnly { page } = decoded(value)?;
    if !(1..=1_000_000).contains(&page) {
        return Err("is not a cursor of this list".to_owned());
    }
    Ok(page)
}

fn decoded<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Rule<T> {
    let text = super::parse::string(value)?;
    let bytes = Some(&text).filter(|t| t.len() <= MAX_CURSOR).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok());
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| "is not a cursor of this list".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cursors_survive_and_nothing_else_panics(page in 1_u32..1_000_000, offset in 0_u32..1_000, junk in ".{0,600}") {
            let cursor = RepositoriesCursor { integration: IntegrationId::parse("gh-1").unwrap(), page, offset };
            prop_assert_eq!(read_cursor(write_cursor(&cursor).into()).unwrap(), cursor);
            prop_assert_eq!(read_page(write_page(page).into()).unwrap(), page);
            prop_assert!(read_cursor(junk.clone().into()).is_err());
            prop_assert!(read_page(junk.into()).is_err());
        }
    }
}
