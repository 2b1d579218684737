//! A small HTTP/1.1 client for one's own loopback server: one connection a request, bodies in memory.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(65);
const MAX_ANSWER: u64 = 16 << 20;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Broken> {
        serde_json::from_slice(&self.body).map_err(|e| Broken(format!("the answer is not what was expected: {e}")))
    }
}

/// Sends one request and reads the whole answer. `url` is `http://host:port/path`.
pub(crate) async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, Broken> {
    let rest = url.strip_prefix("http://").ok_or_else(|| Broken(format!("{url} is not an http URL")))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\naccept: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(authority).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(DEADLINE, exchange).await {
        Ok(Ok(answer)) => parse(&answer).ok_or_else(|| Broken(format!("{authority} did not answer in HTTP"))),
        Ok(Err(e)) => Err(Broken(format!("{authority} cannot be reached: {e}"))),
        Err(_) => Err(Broken(format!("{authority} did not answer within {} s", DEADLINE.as_secs()))),
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let body = answer.get(end.checked_add(4)?..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, &str)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim())).collect();
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    let body = if value("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        unchunked(body)?
    } else if let Some(length) = value("content-length") {
        body.get(..length.parse().ok()?)?.to_vec()
    } else {
        body.to_vec()
    };
    Some(Answer { status, body })
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        let after = rest.get(end.checked_add(2)?..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(after.get(..size)?);
        rest = after.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<(u16, String)> {
        parse(text.as_bytes()).map(|a| (a.status, String::from_utf8(a.body).unwrap()))
    }

    #[test]
    fn bodies_end_where_they_say() {
        let sized = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nokrest";
        assert_eq!(answer(sized), Some((202, "ok".to_owned())));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(answer(chunked), Some((200, "abc".to_owned())));
        assert_eq!(answer("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, String::new())));
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), None);
        assert_eq!(answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab"), None);
        assert_eq!(answer("HTTP/1.1 200 OK\r\n"), None);
        assert_eq!(answer("SSH-2.0-x\r\n\r\n"), None);
    }
}
