//! Dockerfiles: which one, what it says, and from which directory it builds.

pub(crate) mod context;
pub(crate) mod expand;
pub(crate) mod ignore;
pub(crate) mod lexer;
pub(crate) mod model;
pub(crate) mod select;

pub(crate) use model::Dockerfile;
pub(crate) use select::Chosen;
