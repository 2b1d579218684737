//! The servers of the tests: they start, survive a kill with their data, and never outlive the test process.

#[path = "support/servers.rs"]
mod servers;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use servers::{Server, execute};

async fn holds_two_databases(server: &Server) {
    let (one, other) = (server.fresh_database().await, server.fresh_database().await);
    assert_ne!(one.url(), other.url());
    execute(one.url(), "CREATE TABLE here (n INT)").await.expect("a table");
    execute(one.url(), "INSERT INTO here VALUES (1)").await.expect("a row");
    execute(other.url(), "SELECT * FROM here").await.expect_err("the other database has no such table");
    let url = one.url().to_owned();
    drop(one);
    execute(&url, "SELECT 1").await.expect_err("the database is gone");
    execute(other.url(), "SELECT 1").await.expect("the other one stays");
}

async fn keeps_its_data(server: Server) {
    let database = server.fresh_database().await;
    execute(database.url(), "CREATE TABLE kept (n INT PRIMARY KEY)").await.expect("a table");
    for n in 1..=3 {
        execute(database.url(), &format!("INSERT INTO kept VALUES ({n})")).await.expect("a row");
        let before = server.pid();
        server.kill_9();
        execute(database.url(), "SELECT 1").await.expect_err("a killed server answers nothing");
        server.restart().await;
        assert_ne!(server.pid(), before);
        execute(database.url(), &format!("INSERT INTO kept VALUES ({n})")).await.expect_err("the row is still there");
    }
}

#[tokio::test]
async fn mariadb_gives_each_test_a_database() {
    let Some(server) = servers::mysql().await else { return };
    holds_two_databases(server).await;
}

#[tokio::test]
async fn mysql_8_gives_each_test_a_database() {
    let Some(server) = servers::mysql8().await else { return };
    holds_two_databases(server).await;
}

#[tokio::test]
async fn postgres_gives_each_test_a_database() {
    let Some(server) = servers::postgres().await else { return };
    holds_two_databases(server).await;
}

#[tokio::test]
async fn mariadb_restarts_with_its_data_after_a_kill() {
    let Some(server) = servers::private_mysql().await else { return };
    keeps_its_data(server).await;
}

#[tokio::test]
async fn postgres_restarts_with_its_data_after_a_kill() {
    let Some(server) = servers::private_postgres().await else { return };
    keeps_its_data(server).await;
}

/// Not a test of its own: what [`an_aborted_test_leaves_no_server`] kills.
#[tokio::test]
async fn holds_servers_until_killed() {
    if std::env::var_os("ZOPNIGHT_HOLD_SERVERS").is_none() {
        return;
    }
    for server in [servers::private_mysql().await, servers::private_postgres().await].into_iter().flatten() {
        println!("\nholds {} {}", server.pid(), server.admin_url());
        std::mem::forget(server);
    }
    println!("\nholds all");
    std::future::pending::<()>().await;
}

#[test]
fn an_aborted_test_leaves_no_server() {
    let mut holder = Command::new(std::env::current_exe().expect("the test binary"))
        .args(["--exact", "holds_servers_until_killed", "--nocapture"])
        .env("ZOPNIGHT_HOLD_SERVERS", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary runs");
    let lines = BufReader::new(holder.stdout.take().expect("its output")).lines();
    let mut held = Vec::new();
    for line in lines.map_while(Result::ok).take_while(|line| line != "holds all") {
        if let Some((pid, url)) = line.strip_prefix("holds ").and_then(|held| held.split_once(' ')) {
            let (_, socket) = url.split_once('=').expect("a socket");
            let directory = Path::new(socket.strip_suffix("/s").unwrap_or(socket)).to_owned();
            held.push((Path::new("/proc").join(pid), directory));
        }
    }
    for (process, directory) in &held {
        assert!(directory.is_dir(), "{} is in use", directory.display());
        assert_eq!(Path::new("/proc").is_dir(), process.is_dir(), "{} runs", process.display());
    }
    holder.kill().expect("the holder runs");
    holder.wait().expect("a killed process ends");
    let until = Instant::now() + Duration::from_secs(20);
    for (process, directory) in held {
        while process.exists() || directory.exists() {
            assert!(Instant::now() < until, "{} or {} is left", process.display(), directory.display());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}
