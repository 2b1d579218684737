//! Why a revision was made.

use super::number::RevisionNumber;
use crate::domain::delivery::DeliveryId;
use crate::domain::id::RevisionId;

/// Why a revision was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The deployment was created.
    Create,
    /// A push, or a branch head found by the sweep.
    Push {
        /// The delivery, or the made id of the sweep.
        delivery: DeliveryId,
    },
    /// Somebody asked for it.
    Redeploy,
    /// The configuration changed.
    ConfigChange,
    /// Back to an older revision's image and configuration.
    Rollback {
        /// The older revision.
        to: RevisionId,
        /// Its number.
        to_number: RevisionNumber,
    },
}

impl Cause {
    /// The name in the store, on the wire and in metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Push { .. } => "push",
            Self::Redeploy => "redeploy",
            Self::ConfigChange => "config_change",
            Self::Rollback { .. } => "rollback",
        }
    }
}
