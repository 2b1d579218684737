//! A second verifier, written from the rules alone: split, HMAC, base64 and plain JSON values. It shares no code with the
//! product, so that an error would have to be made twice.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::common::{KID, SECRET, hmac};

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const IMG: &str = r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?|(?i:localhost)|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*:(?<p>[1-9][0-9]{0,4}))(?::(?<q>[1-9][0-9]{0,4}))?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+";

/// A JSON object whose members are all different.
struct Members(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom("twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Unique)
    }
}

fn is(pattern: &str, text: &str) -> bool {
    static CACHE: LazyLock<std::sync::Mutex<BTreeMap<String, Regex>>> = LazyLock::new(Default::default);
    let mut cache = CACHE.lock().unwrap();
    cache.entry(pattern.to_owned()).or_insert_with(|| Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap()).is_match(text)
}

/// The verdict on `token` for the path `path_id` at `now`: nothing, or the refusal's code.
pub(crate) fn verdict(token: &str, path_id: &str, now: i64) -> Result<(), &'static str> {
    let parts: Vec<&str> = token.split('.').collect();
    if token.len() > 4096 || parts.len() != 3 || !parts.iter().all(|p| is("[A-Za-z0-9_-]+", p)) {
        return Err("token_malformed");
    }
    let header = BASE64URL.decode(parts[0]).map_err(|_| "token_malformed")?;
    let header: Members = serde_json::from_slice(&header).map_err(|_| "header_refused")?;
    let text = |m: &Members, key: &str| m.0.get(key).and_then(Value::as_str).map(str::to_owned);
    let Some(kid) = text(&header, "kid") else { return Err("header_refused") };
    let ours = text(&header, "alg").as_deref() == Some("HS256") && text(&header, "typ").as_deref() == Some("zop-build+jwt");
    if header.0.len() != 3 || !ours {
        return Err("header_refused");
    }
    if kid != KID {
        return Err("key_unknown");
    }
    if BASE64URL.decode(parts[2]).ok() != Some(hmac(SECRET, &format!("{}.{}", parts[0], parts[1]))) {
        return Err("signature");
    }
    let claims = BASE64URL.decode(parts[1]).map_err(|_| "claims_malformed")?;
    let claims: Members = serde_json::from_slice(&claims).map_err(|_| "claims_malformed")?;
    if claims.0.len() != 12 {
        return Err("claims_malformed");
    }
    let string = |key: &str, pattern: &str| text(&claims, key).filter(|t| is(pattern, t)).ok_or("claims_malformed");
    let number = |key: &str, max: u64| {
        claims.0.get(key).and_then(Value::as_u64).filter(|n| *n <= max).map(|n| n as i64).ok_or("claims_malformed")
    };
    let (iss, aud, sub) = (string("iss", "(?s).*")?, string("aud", "(?s).*")?, string("sub", UUID)?);
    string("jti", UUID)?;
    string("dep", UUID)?;
    string("org", "[A-Za-z0-9._:-]{1,128}")?;
    let sha = string("sha", "[0-9a-f]{40}|[0-9a-f]{64}")?;
    let img = string("img", IMG)?;
    let port = img.split('/').next().unwrap().split_once(':').map_or(1, |(_, p)| p.parse::<u32>().unwrap_or(0));
    if sha.bytes().all(|b| b == b'0') || img.len() > 255 || !(1..=65535).contains(&port) {
        return Err("claims_malformed");
    }
    if number("att", u64::from(u32::MAX))? < 1 {
        return Err("claims_malformed");
    }
    let (iat, nbf, exp) = (number("iat", 1 << 53)?, number("nbf", 1 << 53)?, number("exp", 1 << 53)?);
    match () {
        () if iss != "https://deploy.example.test" => Err("issuer"),
        () if aud != "https://deploy.example.test/build-callbacks" => Err("audience"),
        () if now > exp + 30 => Err("expired"),
        () if nbf > now + 30 => Err("not_yet_valid"),
        () if iat > now + 30 => Err("issued_in_future"),
        () if nbf != iat || exp <= iat || exp - iat > 21600 => Err("lifetime"),
        () if sub != path_id => Err("subject_mismatch"),
        () => Ok(()),
    }
}
