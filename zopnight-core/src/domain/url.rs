//! Absolute https URLs.

use super::grammar::{refuse, rule, text_traits};
use crate::error::Result;

/// An absolute URL of at most 2,048 bytes: scheme https (http for loopback hosts only), a host, no user info, no
/// fragment, no control characters or white space. The host is lower-cased.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpsUrl(Box<str>);

impl HttpsUrl {
    /// Parses `text`; `http` is accepted where the host is `localhost`, 127.0.0.0/8 or `[::1]`.
    ///
    /// # Errors
    /// `Invalid`, naming the rule that was broken.
    pub fn parse(text: &str) -> Result<Self> {
        // What stands before an `@` may be a password.
        let shown = if text.contains('@') { "[not shown]" } else { text };
        parse(text).map(|url| Self(url.into())).map_err(|r| refuse("url", r, shown))
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split("://").next().unwrap_or_default()
    }

    /// `host[:port]`, lower-cased.
    #[must_use]
    pub fn authority(&self) -> &str {
        split(&self.0).map_or("", |(_, authority, _)| authority)
    }

    /// Path and query as written; empty or beginning with `/` or `?`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        split(&self.0).map_or("", |(_, _, rest)| rest)
    }

    /// This URL without a trailing slash, with `segments` appended, each percent-encoded.
    ///
    /// # Errors
    /// `Invalid` if this URL has a query or the result is too long.
    pub fn join(&self, segments: &[&str]) -> Result<Self> {
        let mut url = self.0.trim_end_matches('/').to_owned();
        if url.contains('?') {
            return Err(refuse("url", "must have no query to be extended", &url));
        }
        for segment in segments {
            url.push('/');
            url.push_str(&percent_encode_segment(segment));
        }
        Self::parse(&url)
    }
}

text_traits!(HttpsUrl);

/// `text` as one path segment: all but RFC 3986 unreserved characters become `%XX`.
#[must_use]
pub fn percent_encode_segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&super::hex::encode(&[byte]).to_ascii_uppercase());
        }
    }
    encoded
}

fn split(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Some((scheme, rest.get(..end)?, rest.get(end..)?))
}

fn parse(text: &str) -> std::result::Result<String, &'static str> {
    rule(text.len() <= 2_048, "must be at most 2,048 bytes long")?;
    rule(!text.chars().any(|c| c.is_control() || c.is_whitespace()), "must not contain white space or control characters")?;
    rule(!text.contains('#'), "must have no fragment")?;
    let (scheme, authority, rest) = split(text).ok_or("must be absolute, with scheme https")?;
    rule(!authority.contains('@'), "must have no user info")?;
    rule(!authority.contains('\\') && !rest.contains('\\'), "must contain no backslash")?;
    let (host, port) = split_port(authority);
    rule(is_host(host), "must have a valid host")?;
    rule(port.is_none_or(is_port), "must have a port between 1 and 65535")?;
    let scheme = scheme.to_ascii_lowercase();
    rule(scheme == "https" || (scheme == "http" && is_loopback(host)), "must have scheme https")?;
    Ok([&scheme, "://", &authority.to_ascii_lowercase(), rest].concat())
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.len() <= 253 && is_host_name(host.strip_suffix('.').unwrap_or(host))
}

/// Labels of 1 to 63 letters, digits, `-` and `_`, separated by dots, none with a `-` at its ends.
pub(crate) fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// 1..=65535 in decimal without leading zeros.
pub(crate) fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|p| p > 0 && p.to_string() == text)
}
