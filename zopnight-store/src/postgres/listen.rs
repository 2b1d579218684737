//! The bell between processes: NOTIFY after a commit, LISTEN on a connection of its own. A hint that may be missed, so no
//! failure here is one of the store.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::database::Background;
use crate::wake::Wake;

const CHANNEL: &str = "zopnight";

/// Commits that come closer together ring once.
const TOGETHER: Duration = Duration::from_millis(10);

/// How long a lost connection is left alone.
const AGAIN: Duration = Duration::from_millis(500);

/// Rings for the commits of this process, and hears those of all.
pub(super) fn start(pool: &PgPool, wake: &Arc<Wake>) -> Background {
    let connect = PgConnectOptions::clone(&pool.connect_options());
    let hearing = tokio::spawn(hear(connect, Arc::clone(wake)));
    let telling = tokio::spawn(tell(pool.clone(), wake.own()));
    Background::of([hearing, telling])
}

/// After the commit and not inside of it: there, NOTIFY holds a lock of the whole server until the commit is on disk.
async fn tell(pool: PgPool, mut commits: watch::Receiver<u64>) {
    while commits.changed().await.is_ok() {
        if let Err(error) = sqlx::query("SELECT pg_notify('zopnight', '')").execute(&pool).await {
            tracing::debug!(error = %error, "other processes were not told of new work");
        }
        sleep(TOGETHER).await;
    }
}

async fn hear(connect: PgConnectOptions, wake: Arc<Wake>) {
    loop {
        if let Err(error) = listen(connect.clone(), &wake).await {
            tracing::debug!(error = %error, "the work of other processes is not heard of");
        }
        sleep(AGAIN).await;
    }
}

/// Listens until the connection is lost.
async fn listen(connect: PgConnectOptions, wake: &Wake) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(connect);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was told before is not heard.
    wake.hear();
    while listener.try_recv().await?.is_some() {
        wake.hear();
    }
    Ok(())
}
