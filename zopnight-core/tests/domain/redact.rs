//! Removing secrets from text.

use proptest::prelude::*;
use zopnight_core::domain::{Redactor, Secret};

fn redactor(secrets: &[&str]) -> Redactor {
    Redactor::new(secrets.iter().map(|s| Secret::new((*s).to_owned())).collect())
}

#[test]
fn what_looks_like_a_credential_is_replaced_wherever_it_stands() {
    let plain = Redactor::default();
    let letters = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";
    for secret in [
        format!("ghp_{letters}"),
        format!("gho_{letters}"),
        format!("ghu_{letters}"),
        format!("ghs_{letters}"),
        format!("ghr_{letters}"),
        "ghp_short".to_owned(),
        format!("github_pat_11ABC_{letters}"),
        "github_pat_x".to_owned(),
        format!("ghs_12345_{jwt}"),
        jwt.to_owned(),
        "eyJ.eyJ.x".to_owned(),
        "AKIAABCDEFGHIJKLMNOP".to_owned(),
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----".to_owned(),
        "-----BEGIN PRIVATE KEY-----\nMIIE".to_owned(),
        "-----BEGIN OPENSSH PRIVATE KEY-----\r\nMIIE\r\n-----END OPENSSH PRIVATE KEY-----".to_owned(),
    ] {
        for text in [
            secret.clone(),
            format!("x {secret}\ny"),
            format!("token_{secret}"),
            format!("é{secret}é"),
            format!("k={secret}&l=1"),
        ] {
            let clean = plain.text(&text);
            assert!(clean.contains("[redacted]"), "{text} became {clean}");
            assert!(!clean.contains(&secret), "{text} became {clean}");
            assert!(
                !clean.contains("MIIE") && !clean.contains("c2lnbmF0dXJl") && !clean.contains(letters),
                "{text} became {clean}"
            );
        }
    }
    assert!(!plain.text("AKIAABCDEFGHIJKLMNOPQRST").contains("AKIA"));
    assert_eq!(plain.text(&format!("a {jwt} b AKIAABCDEFGHIJKLMNOP c")), "a [redacted] b [redacted] c");
}

#[test]
fn ordinary_text_stays() {
    for text in [
        "",
        "Step 1/8 : FROM rust:1.94",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
        "a.b.c eyJ eyJx.y ghp ghp_ github_pat_ AKIA AKIASHORT",
        "pkg@1.2.3 listening on :8080 é",
    ] {
        assert_eq!(Redactor::default().text(text), text);
    }
}

#[test]
fn live_secrets_of_eight_bytes_are_replaced_and_shorter_ones_are_not() {
    assert_eq!(redactor(&["12345678"]).text("a12345678b12345678"), "a[redacted]b[redacted]");
    assert_eq!(redactor(&["1234567"]).text("a1234567b"), "a1234567b");
    assert_eq!(redactor(&["éééé"]).text("xééééy"), "x[redacted]y");
    assert_eq!(redactor(&[""]).text("abc"), "abc");
}

#[test]
fn a_secret_inside_or_across_another_leaves_nothing_behind() {
    for secrets in [["password", "password-and-more"], ["password-and-more", "password"]] {
        assert_eq!(redactor(&secrets).text("is password-and-more!"), "is [redacted]!");
    }
    assert_eq!(redactor(&["abcdefgh", "efghijkl"]).text("<abcdefghijkl>"), "<[redacted]>");
    assert_eq!(redactor(&["abababab"]).text("<ababababab>"), "<[redacted]>");
    assert_eq!(redactor(&["redacted"]).text("redacted"), "[redacted]");
    let token = "ghp_abcdefgh12345678";
    assert_eq!(redactor(&["abcdefgh"]).text(&format!("<{token}>")), "<[redacted]>");
}

#[test]
fn debug_shows_no_secret() {
    assert!(!format!("{:?}", redactor(&["hunter22-hunter22"])).contains("hunter22"));
}

proptest! {
    #[test]
    fn no_live_secret_is_left_whole(
        secrets in prop::collection::vec("[ab]{8,12}", 1..4),
        parts in prop::collection::vec("[ab ]{0,9}", 0..6),
        order in prop::collection::vec(0_usize..4, 0..6),
    ) {
        let redactor = redactor(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        let mut text = parts.join("");
        for at in order {
            text.push_str(secrets.get(at).map_or(" ", String::as_str));
        }
        let clean = redactor.text(&text);
        for secret in &secrets {
            prop_assert!(!clean.contains(secret), "{} in {}", secret, clean);
        }
        prop_assert!(secrets.iter().all(|s| !text.contains(s)) || clean.contains("[redacted]"));
    }

    #[test]
    fn any_text_is_answered(text: String, secret: String) {
        let _ = redactor(&[&secret]).text(&text);
    }
}
