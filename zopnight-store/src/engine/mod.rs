//! The algorithms of the store, apart from any database's SQL.

mod apply;
mod attempts;
mod cancel;
mod check;
mod claim;
mod enqueue;
mod finish;
mod line;
mod maintain;
pub(crate) mod plan;
mod purge;
mod reads;
mod revisions;

pub(crate) use apply::{Apply, WaitForSlot, Waiting};
pub(crate) use claim::{Claim, Extend};
pub(crate) use enqueue::Enqueue;
pub(crate) use finish::{Revive, finish};
pub(crate) use maintain::maintain;
pub(crate) use reads::{
    attempts_of, deployment_page, deployment_view, event_page, revision_page, revision_view, unfinished,
};
