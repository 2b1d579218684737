//! Every grammar: what it accepts, what it refuses, that a value says the same when it is written and read again, and that
//! no text makes it panic.

use proptest::prelude::*;
use zopnight_core::ErrorKind;
use zopnight_core::domain::revision::ReasonCode;
use zopnight_core::domain::*;

/// Text that is anything, and text that is nearly a name.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~é\u{202e}\n]{0,90}",
        "[A-Za-z0-9._:/@~^*%{}+-]{0,80}",
        "[a-z0-9./-]{0,40}",
        "https?://[a-z0-9.:@%\\[\\]-]{0,30}[/?#a-z0-9.%-]{0,20}",
        "[a-z0-9.]{1,9}(:[0-9]{1,6})?(/[a-z0-9._-]{1,9}){0,4}(:[A-Za-z0-9._-]{0,9})?(@sha256:[0-9a-f]{64})?",
        "[0-9]{1,20}(\\.[0-9]{0,4})?(m|Ki|Mi|Gi|G)?",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-fA-F]{39,41}|[0-9a-f]{64}",
    ]
}

macro_rules! grammar {
    ($module:ident, $type:ty, accepts: [$($yes:expr),+ $(,)?], refuses: [$($no:expr),+ $(,)?]) => {
        mod $module {
            use super::*;

            /// Display, and JSON, give the same value back; `parse` of what is shown changes nothing.
            fn survives(value: &$type) {
                let shown = value.to_string();
                let again = <$type>::parse(&shown).unwrap();
                assert_eq!(again, *value);
                assert_eq!(again.to_string(), shown);
                let json = serde_json::to_string(value).unwrap();
                assert_eq!(json, serde_json::to_string(&shown).unwrap());
                assert_eq!(serde_json::from_str::<$type>(&json).unwrap(), *value);
            }

            #[test]
            fn table() {
                for yes in [$(String::from($yes)),+] {
                    match <$type>::parse(&yes) {
                        Ok(value) => survives(&value),
                        Err(error) => panic!("{yes:?} should parse: {error}"),
                    }
                }
                for no in [$(String::from($no)),+] {
                    let Err(error) = <$type>::parse(&no) else { panic!("{no:?} should not parse") };
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{no:?}");
                    assert!(error.message().len() < 1_200, "{no:?}");
                    assert!(!error.message().contains(char::is_control), "{no:?}");
                    assert!(serde_json::from_str::<$type>(&serde_json::to_string(&no).unwrap()).is_err(), "{no:?}");
                }
                for json in ["null", "7", "true", "[]", "{}", "[\"a\"]"] {
                    assert!(serde_json::from_str::<$type>(json).is_err(), "{json}");
                }
            }

            proptest! {
                #[test]
                fn parse_is_total_and_display_is_its_inverse(text in texts()) {
                    if let Ok(value) = <$type>::parse(&text) {
                        survives(&value);
                    }
                }
            }
        }
    };
}

fn x(n: usize) -> String {
    "x".repeat(n)
}

grammar!(owner, OwnerName,
    accepts: ["a", "A", "_", "0", "acme-corp", "acme_corp", "a-", "_-", x(39)],
    refuses: ["", "-a", "a.b", "a b", "a/b", "é", "a\n", "a\0", "..", "a%2f", x(40)]
);
grammar!(repo, RepoName,
    accepts: ["a", ".github", "-", "a.b_c-D", "...", ".gitx", "git", "wiki", "a.gi", x(100)],
    refuses: ["", ".", "..", "a.git", "a.GIT", "a.wiki", "a.Wiki", ".git", ".wiki", "a/b", "a b", "é", "a\\b", "a\n", x(101)]
);
grammar!(branch, BranchName,
    accepts: ["main", "a/b/c", "a#b", "100%", "$(id)", "a;b", "a'b", "a\"b", "a]b", "a{b", "a@b", "@/a", "a.lockx", "é", "a-", "refs",
        "refsx/heads", "a/refs/b", "head", "HEADS", "a/HEAD", "a/-b", "a.b", "a@", "a|b", "a&b", "<a>", "\u{202e}", x(244), "a".repeat(39), "g".repeat(40),
        format!("{}/a", "a".repeat(40))],
    refuses: ["", "/", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a/b.lock", "a..b", "a@{b", "@{", "a.", "a b", "a\tb",
        "a\nb", "a\0b", "a\x7fb", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "-a", "--", "HEAD", "@", "refs/heads/a", "refs/",
        x(245), "é".repeat(123), "a".repeat(40), "A".repeat(40), "0".repeat(64), "fF".repeat(20)]
);
grammar!(commit, CommitSha,
    accepts: ["a".repeat(40), "0123456789abcdef0123456789abcdef01234567", "f".repeat(64), format!("{}1", "0".repeat(39))],
    refuses: ["", "abc", "a".repeat(39), "a".repeat(41), "a".repeat(63), "a".repeat(65), "A".repeat(40), "g".repeat(40), "0".repeat(40),
        "0".repeat(64), format!("{} ", "a".repeat(39)), "é".repeat(20)]
);
grammar!(forge, ForgeId,
    accepts: ["github.com", "ghes.example.test:8443", "localhost", "127.0.0.1:1", "a-b.c", "h:65535", format!("{0}.{0}.{0}.{1}", x(63), x(61)),
        format!("{0}.{0}.{0}.{1}:65535", x(63), x(61))],
    refuses: ["", "GitHub.com", "github.com:", "github.com:0", "github.com:65536", "github.com:080", ":443", "a:b:1", "a/b", "a b", "é.test",
        "https://github.com", "github.com/", "[::1]", "a..b", ".a", "a.", "-a", "a-", "..", "-", format!("{0}.{0}.{0}.{1}", x(63), x(62))]
);
grammar!(integration, IntegrationId,
    accepts: ["a", "A_b-9", "-", "_", x(64)],
    refuses: ["", "a.b", "a b", "a/b", "a:b", "é", "a\n", x(65)]
);
grammar!(space, SpaceId,
    accepts: ["a", "A_b-9", "-", "_", x(64)],
    refuses: ["", "a.b", "a b", "a/b", "a:b", "é", "a\n", x(65)]
);
grammar!(repository_id, RepositoryId,
    accepts: ["1", "10", "9223372036854775807"],
    refuses: ["", "0", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "9223372036854775808", "18446744073709551616", "١"]
);
grammar!(installation_id, InstallationId,
    accepts: ["1", "10", "9223372036854775807"],
    refuses: ["", "0", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "9223372036854775808", "18446744073709551616", "١"]
);
grammar!(path, RepoPath,
    accepts: ["", ".", "./", "././", "./.", "a", "a/b", "./a/b/", "a/-b", "...", ".gitx", ".github", "a b", "é", "a.git", "~", "a:b", x(255), vec!["a"; 64].join("/"),
        format!("{0}/{0}/{0}/{0}", x(255)), format!("{0}/{0}/{0}/{0}/", x(255))],
    refuses: ["/", "//", "/a", "a//b", "a//", "..", "../a", "a/..", "a/../b", "a/./b", "a/.", ".git", "a/.GIT/b", ".Git", "-a", "./-a", "./..", ".//a",
        "a\\b", "a\0", "a\nb", "a\u{7f}", "a\u{85}b", x(256), vec!["a"; 65].join("/"), format!("{0}/{0}/{0}/{0}/a", x(255))]
);
grammar!(image_repository, ImageRepository,
    accepts: ["r.test/a", "localhost/a", "LOCALHOST/a", "host:5000/a", "R.Test:443/a/b", "r.test/a.b_c__d-e--f", "10.0.0.1:1/a", "r.test/0", "h:65535/a/b/c/d",
        format!("r.test/{}", x(248))],
    refuses: ["", "a", "a/b", "/a", "r.test/", "r.test", "r.test//a", "r.test/a/", "r.test/A", "r.test/a_", "r.test/_a", "r.test/a___b", "r.test/a..b", "r.test/a._b",
        "r.test/-a", "r.test/a-", "r.test/../a", "r.test/.", "r.test/a:b", "r.test:0/a", "r.test:65536/a", "r.test:/a", "r.test:1:2/a", ":1/a", "r..test/a", ".test/a",
        "r.test./a", "-r.test/a", "r-.test/a", "r_x.test/a", "[::1]:5000/a", "u@r.test/a", "https://r.test/a", "r.test/a b", "r.test/é", "r.té/a", "r.test/a%2fb",
        format!("r.test/{}", x(249))]
);
grammar!(image, ImageRef,
    accepts: ["r.test/a:v1", "r.test:5000/a:v1", "r.test:5000/a:_", format!("r.test/a@sha256:{}", "ab".repeat(32)), format!("r.test/a:v@sha256:{}", "ab".repeat(32)),
        format!("r.test/a:{}", x(128)), format!("r.test/{}:v", x(248))],
    refuses: ["", "r.test/a", "r.test:5000/a", "r.test/a:", "r.test/a@", "r.test/a:.v", "r.test/a:-v", "r.test/a:v:w", "a:v", "r.test/a:v w", "r.test/a:é",
        format!("r.test/a@sha256:{}", "AB".repeat(32)), format!("r.test/a@sha256:{}", "ab".repeat(31)), format!("r.test/a@sha512:{}", "ab".repeat(64)),
        format!("r.test/a@sha256:{0}@sha256:{0}", "ab".repeat(32)), format!("r.test/a@sha256:{}:v", "ab".repeat(32)), format!("r.test/a:{}", x(129)),
        format!("r.test/{}:v", x(249))]
);
grammar!(deployed_image, DeployedImage,
    accepts: [format!("r.test/a@sha256:{}", "ab".repeat(32)), format!("R.test:5000/a@sha256:{}", "0".repeat(64))],
    refuses: ["", "r.test/a:v1", format!("r.test/a:v@sha256:{}", "ab".repeat(32)), format!("a@sha256:{}", "ab".repeat(32)), "r.test/a@sha256:"]
);
grammar!(digest, Digest,
    accepts: [format!("sha256:{}", "0a".repeat(32))],
    refuses: ["", "sha256:", "0a".repeat(32), format!("SHA256:{}", "0a".repeat(32)), format!("sha256:{}", "0A".repeat(32)), format!("sha256:{}", "0a".repeat(33)),
        format!("sha256:{}g", "0".repeat(63)), format!("sha512:{}", "0a".repeat(64)), format!(" sha256:{}", "0a".repeat(32))]
);
grammar!(tag, Tag,
    accepts: ["a", "_", "0", "v1.2.3-rc_1", "A.", "a-", x(128)],
    refuses: ["", ".a", "-a", "a b", "a/b", "a:b", "a@b", "é", x(129)]
);
grammar!(app_name, AppName,
    accepts: ["a", "a0", "a-b", "a--b", x(46)],
    refuses: ["", "0a", "-a", "a-", "A", "a.b", "a_b", "a b", ".", "..", "é", "a\n", x(47)]
);
grammar!(namespace, Namespace,
    accepts: ["a", "0", "default", "a-b", "kube", "kubex-a", "a-kube-b", x(63)],
    refuses: ["", "kube-system", "kube-", "-a", "a-", "A", "a.b", "a_b", "é", x(64)]
);
grammar!(release_name, ReleaseName,
    accepts: ["a", "a0", "a-b", x(53)],
    refuses: ["", "0a", "-a", "a-", "A", "a.b", "é", x(54)]
);
grammar!(secret_name, SecretName,
    accepts: ["a", "0", "a.b", "a-b.c-d", x(253)],
    refuses: ["", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a-.b", "A", "a_b", "a/b", "é", x(254)]
);
grammar!(secret_key, SecretKey,
    accepts: ["a", "A.b_c-9", "...", ".a", "-", x(253)],
    refuses: ["", ".", "..", "a/b", "a b", "é", "a=b", x(254)]
);
grammar!(env_name, EnvName,
    accepts: ["A", "_", "a1", "PATH", "ZOPNIGHT", "zopnight_x", "KUBERNETES", "X_ZOPNIGHT_", x(128)],
    refuses: ["", "1A", "A-B", "A.B", "A B", "A=B", "é", "A\n", "ZOPNIGHT_X", "ZOPNIGHT_", "KUBERNETES_PORT", x(129)]
);
grammar!(delivery, DeliveryId,
    accepts: ["a", "72D3162E-cc78-11e3-81ab-4c9367dc0958", "!~", " a ", x(255), format!("\t{} ", x(255))],
    refuses: ["", " ", "a b", "é", "a\u{7f}", "a\0", x(256)]
);
grammar!(health_path, HealthPath,
    accepts: ["/", "/healthz", "/a/b/", "/a//b", "/a.b/...", "/a%20b", "/a%2e", "/~a!$&'()*+,;=:@", "/..a", format!("/{}", x(511))],
    refuses: ["", "a", "//", "//a", "/a b", "/a?b", "/a#b", "/..", "/a/..", "/../a", "/a/../b", "/%", "/%2", "/%zz", "/a%2", "/é", "/a\\b", "/a\n", "/\"", "/<", "/{a}",
        "http://a/", format!("/{}", x(512))]
);
grammar!(quantity, Quantity,
    accepts: ["0", "1", "100m", "1Ki", "128Mi", "4Gi", "0.5", "1.25", "0.001", "007", "9999999999999999"],
    refuses: ["", "m", "Mi", "-1", "+1", "1.", ".5", "1.5m", "1.5Gi", "1.2.3", "0.0001", "1e3", "1K", "1k", "1M", "1G", "1Ti", "1 Mi", "1mi", "１", "99999999999999999"]
);
grammar!(url, HttpsUrl,
    accepts: ["https://a", "https://A.Test", "HTTPS://a.test/X?y=Z", "https://a.test:8443/", "https://a.test/%20", "https://a.test?x", "https://127.0.0.1/",
        "https://[::1]:8443/x", "https://a.test./x", "https://a_b.test", "http://localhost:8080/", "http://127.0.0.1", "http://127.255.0.1/x", "http://[::1]:1/",
        "https://a.test/a@b", "https://a.test//x", format!("https://a.test/{}", x(2_033))],
    refuses: ["", "a.test", "//a.test", "https:/a.test", "https://", "https:///x", "http://a.test", "http://128.0.0.1/", "ftp://a.test", "javascript://a", "file:///etc",
        "https://u@a.test", "https://u:p@a.test", "https://@a.test", "https://a.test#x", "https://a.test/#", "https://a.test/ x", "https://a.test/\n", " https://a.test",
        "https://a.test/\u{a0}", "https://a.test\\b", "https://a.test/\\b", "https://a.test:0", "https://a.test:", "https://a.test:65536", "https://a.test:080",
        "https://a..test", "https://.test", "https://a.test..", "https://-a.test", "https://a-.test", "https://é.test", "https://a,b", "https://[::1", "https://[::1%25eth0]/",
        "https://::1/", "https://[127.0.0.1]/", "http://localhost.evil.test", "http://127.0.0.1.evil.test", format!("https://{}.test", x(64)), format!("https://a.test/{}", x(2_034))]
);
grammar!(org, OrgId,
    accepts: ["a", "org_acme", "A.b:c-9", ".", "..", x(128)],
    refuses: ["", "a b", "a/b", "a@b", "é", "a\n", "a\0", x(129)]
);
grammar!(job_key, JobKey,
    accepts: ["a", "build:1", "A.b_c:d/e-9", x(160)],
    refuses: ["", "a b", "a@b", "é", x(161)]
);
grammar!(worker, WorkerId,
    accepts: ["a", "A.b_c-9", x(64)],
    refuses: ["", "a b", "a:b", "a/b", "é", x(65)]
);
grammar!(reason_code, ReasonCode,
    accepts: ["a", "oom_killed", "e404", x(40)],
    refuses: ["", "A", "a-b", "a b", "é", x(41)]
);
grammar!(revision_id, RevisionId,
    accepts: ["0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11", "00000000-0000-0000-0000-000000000000"],
    refuses: ["", "0192F0C4-7B1E-7C3A-9D55-3F0E2A6B8C11", "0192f0c47b1e7c3a9d553f0e2a6b8c11", "{0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11}",
        "urn:uuid:0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11", "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c1", "0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c111", " 0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c11"]
);

#[test]
fn forge_names_have_no_case_and_branches_do() {
    use std::collections::HashSet;
    let owners: HashSet<_> = ["Acme", "ACME", "acme"].map(|o| OwnerName::parse(o).unwrap()).into();
    let repos: HashSet<_> = ["Shop.JS", "shop.js"].map(|r| RepoName::parse(r).unwrap()).into();
    assert_eq!((owners.len(), repos.len()), (1, 1));
    assert_eq!(OwnerName::parse("Acme").unwrap().to_string(), "Acme");
    assert_ne!(BranchName::parse("Main").unwrap(), BranchName::parse("main").unwrap());
    assert_ne!(OrgId::parse("Acme").unwrap(), OrgId::parse("acme").unwrap());
}

#[test]
fn a_refused_value_is_shown_escaped_and_cut() {
    let long = BranchName::parse(&format!("a b\n\u{202e}{}", "y".repeat(500))).unwrap_err();
    assert!(long.message().contains(r"a b\n\u{202e}") && long.message().contains('…'), "{long}");
    assert!(long.message().chars().filter(|c| *c == 'y').count() <= 64, "{long}");
    assert_eq!(long.context("field"), Some("branch"));
}

#[test]
fn numbers_have_bounds() {
    assert!(RevisionNumber::new(0).is_err() && RevisionNumber::new(1).is_ok());
    assert!(RevisionNumber::new(i32::MAX as u32).is_ok() && RevisionNumber::new(i32::MAX as u32 + 1).is_err());
    assert!(Port::new(0).is_err() && Port::new(1).is_ok() && Port::new(65_535).is_ok());
    for json in ["0", "65536", "-1", "1.0", "\"80\"", "null"] {
        assert!(serde_json::from_str::<Port>(json).is_err(), "{json}");
    }
    for json in ["0", "2147483648", "-1", "1.0", "\"1\""] {
        assert!(serde_json::from_str::<RevisionNumber>(json).is_err(), "{json}");
    }
    assert!(
        RepositoryId::new(0).is_err() && RepositoryId::new(1 << 63).is_err() && RepositoryId::new((1 << 63) - 1).is_ok()
    );
}

#[test]
fn an_actor_cannot_be_made_outside_its_bounds_by_any_way() {
    assert!(Actor::new(ActorKind::User, &x(128)).is_ok());
    for id in [String::new(), x(129), "a b".into(), "é".into(), "a\n".into()] {
        assert!(Actor::new(ActorKind::User, &id).is_err(), "{id:?}");
        let json = serde_json::json!({"kind": "user", "id": id}).to_string();
        assert!(serde_json::from_str::<Actor>(&json).is_err(), "{id:?}");
    }
    let actor = Actor::new(ActorKind::Service, "ci").unwrap();
    let json = serde_json::to_string(&actor).unwrap();
    assert_eq!(json, r#"{"kind":"service","id":"ci"}"#);
    assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), actor);
}

#[test]
fn image_parts_are_told_apart() {
    let text = format!("R.Test:5000/a/b:v1@sha256:{}", "ab".repeat(32));
    let image = ImageRef::parse(&text).unwrap();
    assert_eq!(image.repository().registry(), "r.test:5000");
    assert_eq!(image.repository().path(), "a/b");
    assert_eq!(image.tag().map(Tag::as_str), Some("v1"));
    assert_eq!(image.digest().map(|d| d.hex().len()), Some(64));
    assert_eq!(image.as_str(), text.replacen("R.Test", "r.test", 1));
    let empty = Digest::of(b"");
    assert_eq!(empty.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn only_the_sweep_makes_a_delivery_id_of_the_head_form() {
    let sha = CommitSha::parse(&"a".repeat(40)).unwrap();
    let head = DeliveryId::head(7, &sha);
    assert!(head.is_head());
    assert!(DeliveryId::parse(head.as_str()).is_err(), "a header could carry it");
    assert!(DeliveryId::parse(&head.as_str().to_uppercase()).is_err());
    assert!(head.as_str().parse::<DeliveryId>().is_err());
    assert_eq!(DeliveryId::stored(head.as_str()).unwrap(), head);
    assert_eq!(DeliveryId::stored("abc").unwrap(), DeliveryId::parse("abc").unwrap());
    let json = serde_json::to_string(&head).unwrap();
    assert_eq!(serde_json::from_str::<DeliveryId>(&json).unwrap(), head);
    for not in ["zopnight-head 07 a", "zopnight-head x", &format!("zopnight-head 7 {} x", "a".repeat(40)), "a b", ""] {
        assert!(DeliveryId::stored(not).is_err(), "{not}");
    }
    assert!(!DeliveryId::parse("zopnight-head").unwrap().is_head());
}

#[test]
fn templates_keep_tenants_apart() {
    for good in ["r.test/{org}/{name}", "r.test:5000/a/{org}/{deployment}", "r.test/{name}/{org}"] {
        assert!(check_image_template(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "r.test/{name}",
        "r.test/{org}",
        "{org}/{name}",
        "r.test/x-{org}/{name}",
        "r.test/{org}-{name}",
        "r.test/{org}/{name}/{x}",
        "r.test/{org}/{name}/",
        "r.test/{org}/{name}:v",
        "{org}.test/{org}/{name}",
    ] {
        assert!(check_image_template(bad).is_err(), "{bad}");
    }
    let label = |org: &str| OrgId::parse(org).unwrap().label();
    assert_eq!(label("acme-1"), "acme-1");
    for hashed in ["Acme", "a.b", "a--b", "-a", "a-", "x-a", "x-", &x(41)] {
        let label = label(hashed);
        assert!(label.starts_with("x-") && label.len() == 34, "{hashed} {label}");
        assert!(Namespace::parse(&format!("zn-{label}")).is_ok());
    }
    assert_eq!(label(&x(40)), x(40));
}

#[test]
fn a_release_keeps_its_bounds_for_every_name() {
    let id = DeploymentId::parse("0192f0c4-7b1e-7c3a-9d55-3f0e2a6b8c10").unwrap();
    for (name, release) in [
        ("a".to_owned(), "a-0e2a6b8c10".to_owned()),
        (x(46), format!("{}-0e2a6b8c10", x(40))),
        (format!("{}-{}", x(39), "bbbb"), format!("{}-0e2a6b8c10", x(39))),
    ] {
        let derived = ReleaseName::derive(&AppName::parse(&name).unwrap(), id);
        assert_eq!(derived.as_str(), release);
        assert!(ReleaseName::parse(derived.as_str()).is_ok());
    }
}
