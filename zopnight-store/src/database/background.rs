//! Tasks that belong to a store.

use tokio::task::AbortHandle;
#[cfg(feature = "postgres")]
use tokio::task::JoinHandle;

/// Tasks that end with the last clone of their store, or when it is closed.
#[derive(Debug, Default)]
pub(crate) struct Background {
    tasks: Vec<AbortHandle>,
}

impl Background {
    #[cfg(feature = "postgres")]
    pub(crate) fn of(tasks: impl IntoIterator<Item = JoinHandle<()>>) -> Self {
        Self { tasks: tasks.into_iter().map(|task| task.abort_handle()).collect() }
    }

    pub(crate) fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}
