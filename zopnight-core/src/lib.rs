//! Push to deploy as a library: git push → analysis → container build on a runner you own → signed callback → image stamped
//! on a revision → Helm release in the tenant's cluster.

pub mod analyze;
pub mod callback;
pub mod clock;
pub mod config;
pub mod domain;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod pipeline;
pub mod ports;
pub mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
pub mod worker;

pub use error::{Error, ErrorKind, Result, Retry};
pub use tenants::StaticTenants;
