//! The OpenAPI document, made from the table of routes and the wire forms.

mod analysis;
mod assemble;
mod bodies;
mod codes;
mod draft;
mod error;
mod examples;
pub(super) mod operations;
pub(super) mod words;

pub(super) use assemble::document;
pub use assemble::openapi;
pub(super) use draft::Draft;
