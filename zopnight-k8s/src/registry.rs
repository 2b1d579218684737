//! Registries: where image references become digests.

mod layout;

pub use layout::OciLayoutResolver;
