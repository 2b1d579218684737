//! ZopNight on Kubernetes: the service chart, the in-process renderer, appliers and registries.
//!
//! [`Chart`] is loaded once; [`render()`] turns it and a release's request into objects and a manifest, without the `helm`
//! binary. [`ManifestDirectory`] writes releases to a directory instead of a cluster; [`OciLayoutResolver`] finds image
//! digests in an OCI image layout.

mod chart;
mod directory;
mod guard;
mod object;
mod record;
mod registry;
mod render;
mod values;

#[cfg(test)]
mod testkit;

pub use chart::{Chart, ChartSource};
pub use directory::ManifestDirectory;
pub use guard::GuardConfig;
pub use object::{Object, parse_manifest};
pub use registry::OciLayoutResolver;
pub use render::{RenderOptions, Rendered, render};
