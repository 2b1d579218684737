//! Connecting to MariaDB and MySQL where that cannot work: each error says what to do.

#[path = "support/servers.rs"]
mod servers;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zopnight_core::{Error, ErrorKind};
use zopnight_store::{MySqlStore, StoreOptions};

async fn refused(url: &str) -> Error {
    let soon = StoreOptions::default().with_acquire_timeout(Duration::from_secs(2));
    let error = MySqlStore::connect(url, soon).await.expect_err("it cannot be opened");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error
}

/// A server's packet.
async fn send(stream: &mut TcpStream, number: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a short packet").to_le_bytes();
    let packet = [&length[..3], &[number], payload].concat();
    stream.write_all(&packet).await.expect("the client listens");
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.expect("the client speaks");
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let mut payload = vec![0; usize::try_from(length).expect("a short packet")];
    stream.read_exact(&mut payload).await.expect("the client speaks");
    payload
}

/// MySQL 8 without TLS, whose user has a password that it has not seen since its start.
async fn asks_for_the_whole_password(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a client comes");
        let greeting = [
            b"\x0a8.0.36\0".as_slice(),
            &7_u32.to_le_bytes(),
            b"abcdefgh\0",
            // Protocol 4.1, transactions, secure connection, a database by name.
            &0xa208_u16.to_le_bytes(),
            &[45, 2, 0],
            // Plug-in authentication.
            &0x0008_u16.to_le_bytes(),
            &[21; 1],
            &[0; 10],
            b"ijklmnopqrst\0",
            b"caching_sha2_password\0",
        ];
        send(&mut stream, 0, &greeting.concat()).await;
        receive(&mut stream).await;
        send(&mut stream, 2, &[1, 4]).await;
        assert_eq!(receive(&mut stream).await, [2], "it asks for the key of the server");
        send(&mut stream, 4, b"\x01-----BEGIN PUBLIC KEY-----").await;
    }
}

#[tokio::test]
async fn a_login_that_needs_tls_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(asks_for_the_whole_password(listener));
    let error = refused(&format!("mysql://shop:hunter2@127.0.0.1:{port}/zopnight")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, Some("store_login")), "{error:?}");
    assert!(error.message().contains("ssl-mode=REQUIRED"), "{error}");
}

#[tokio::test]
async fn a_url_that_names_no_database_or_no_port_is_invalid() {
    for url in ["mysql://shop:hunter2@localhost", "mysql://shop:hunter2@localhost:port/zopnight", "mysql:"] {
        let error = refused(url).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error:?}");
        assert!(error.message().contains("mysql://user@host/database"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let error = refused("mysql://shop:hunter2@127.0.0.1:1/zopnight").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn an_unknown_database_and_a_wrong_password_are_told_apart() {
    let Some(server) = servers::mysql().await else { return };
    let database = server.fresh_database().await;
    let error = refused(&database.url().replace(database.name(), "zn_nowhere")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("store_url")), "{error:?}");
    assert!(error.message().contains("create"), "{error}");
    let user = format!("u{}", &database.name()[3..]);
    servers::execute(server.admin_url(), &format!("CREATE USER {user}@localhost IDENTIFIED BY 'hunter2'"))
        .await
        .expect("a user");
    let (_, place) = database.url().rsplit_once('@').expect("a user in the URL");
    let error = refused(&format!("mysql://{user}:hunter22@{place}")).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("store_url")), "{error:?}");
    servers::execute(server.admin_url(), &format!("DROP USER {user}@localhost")).await.expect("the user goes");
}
