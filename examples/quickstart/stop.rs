//! How a run ends early.

use zopnight_core::Error;

/// Why the run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The command line cannot be carried out, or something is missing: nothing was done.
    Usage(String),
    /// A step failed.
    Failed(String),
    /// Ctrl-C.
    Interrupted,
}

impl Stop {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted => 130,
        }
    }

    /// One sentence for the user.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Usage(message) | Self::Failed(message) => message,
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if error.code() == Some("git_missing") {
            Self::Usage(error.message().to_owned())
        } else {
            Self::Failed(error.to_string())
        }
    }
}
