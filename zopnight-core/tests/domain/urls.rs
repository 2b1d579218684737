//! URLs: their parts, what is appended to them, and that a refused one keeps its password.

use proptest::prelude::*;
use zopnight_core::domain::{HttpsUrl, percent_encode_segment};

fn url(text: &str) -> HttpsUrl {
    HttpsUrl::parse(text).unwrap()
}

#[test]
fn parts() {
    let u = url("HTTPS://A.Test:8443/X/y?q=Z");
    assert_eq!(u.as_str(), "https://a.test:8443/X/y?q=Z");
    assert_eq!((u.scheme(), u.authority(), u.path_and_query()), ("https", "a.test:8443", "/X/y?q=Z"));
    let bare = url("https://a.test?x");
    assert_eq!((bare.authority(), bare.path_and_query()), ("a.test", "?x"));
    assert_eq!(url("http://[::1]:8080").authority(), "[::1]:8080");
}

#[test]
fn segments_are_appended_encoded() {
    let joined = url("https://a.test/base/").join(&["a/b", "..", "é?#%", ""]).unwrap();
    assert_eq!(joined.as_str(), "https://a.test/base/a%2Fb/../%C3%A9%3F%23%25/");
    assert_eq!(url("https://a.test//").join(&[]).unwrap().as_str(), "https://a.test");
    assert!(url("https://a.test/?q").join(&["a"]).is_err());
    assert!(url("https://a.test").join(&[&"x".repeat(2_040)]).is_err());
}

#[test]
fn a_refused_url_does_not_show_its_user_info() {
    for secret in [
        "https://user:hunter22@a.test/x",
        "https://hunter22@a.test",
        "ftp://hunter22@a.test",
        "//hunter22@a.test",
        "hunter22@a.test",
    ] {
        let error = HttpsUrl::parse(secret).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter22"), "{error}");
    }
    assert!(HttpsUrl::parse("http://a.test").unwrap_err().message().contains("a.test"));
}

proptest! {
    #[test]
    fn a_segment_stays_one_segment(text: String) {
        let encoded = percent_encode_segment(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
        let mut bytes = Vec::new();
        let mut rest = encoded.as_bytes();
        while let [first, tail @ ..] = rest {
            if *first == b'%' {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}
