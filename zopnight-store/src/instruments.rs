//! What tests put into a store: a clock of their own and a crash at a point. Empty without the feature `testing`.

use crate::error::StoreError;

/// The instruments of one store. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instruments {
    #[cfg(feature = "testing")]
    pub(crate) clock: Option<std::sync::Arc<dyn zopnight_core::ports::Clock>>,
    #[cfg(feature = "testing")]
    pub(crate) hook: Option<std::sync::Arc<dyn crate::testing::Hook>>,
}

#[cfg(not(feature = "testing"))]
impl Instruments {
    pub(crate) const fn now(&self) -> Option<i64> {
        None
    }

    pub(crate) async fn at(&self, _operation: &'static str, _step: &'static str, _nth: u32) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(feature = "testing")]
impl Instruments {
    /// The bind that replaces the database's clock.
    pub(crate) fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|c| c.now().as_micros())
    }

    pub(crate) async fn at(&self, operation: &'static str, step: &'static str, nth: u32) -> Result<(), StoreError> {
        use crate::testing::{Act, Point};
        let Some(hook) = &self.hook else { return Ok(()) };
        let lost = || sqlx::Error::Io(std::io::Error::other("the crash hook cut the connection"));
        match hook.at(&Point { operation, step, nth }) {
            Act::Go => Ok(()),
            Act::Stall => std::future::pending().await,
            _ if step == "after_commit" => Err(StoreError::CommitUnknown(lost())),
            Act::DropConnection => Err(StoreError::Link(lost())),
            Act::Fail | Act::LoseAnswer => Err(StoreError::Storage(lost())),
        }
    }
}
