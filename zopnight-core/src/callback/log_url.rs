//! Which log page of a report is kept.

use crate::domain::{HttpsUrl, RunRef};

/// The log page that a report names, if it may be shown: https, without port and query, and the page of the recorded run;
/// while no run is recorded, `run_url_prefix` and 1 to 20 digits. User info and fragments are no part of an [`HttpsUrl`].
/// Whatever the answer, it refuses no build, and nothing fetches the page.
pub(crate) fn kept_log_url(reported: &str, run: Option<&RunRef>, run_url_prefix: Option<&HttpsUrl>) -> Option<HttpsUrl> {
    let url = HttpsUrl::parse(reported).ok()?;
    let plain = url.scheme() == "https" && !url.authority().contains(':') && !url.as_str().contains('?');
    let known = match run {
        Some(run) => run.url == url,
        None => run_url_prefix
            .and_then(|prefix| url.as_str().strip_prefix(prefix.as_str()))
            .is_some_and(|id| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())),
    };
    (plain && known).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "https://github.com/zop-dev/zopnight-builder/actions/runs/";

    fn kept(reported: &str, run: Option<&str>) -> bool {
        let run = run.map(|url| RunRef { id: "7".to_owned(), url: HttpsUrl::parse(url).unwrap() });
        kept_log_url(reported, run.as_ref(), Some(&HttpsUrl::parse(RUNS).unwrap())).is_some()
    }

    #[test]
    fn only_the_page_of_the_recorded_run_is_kept() {
        let page = "https://ghes.example.test/o/r/actions/runs/7";
        assert!(kept(page, Some(page)));
        assert!(kept("https://GHES.example.test/o/r/actions/runs/7", Some(page)));
        for other in [
            "https://ghes.example.test/o/r/actions/runs/77",
            "https://ghes.example.test/o/r/actions/runs/7/",
            "https://ghes.example.test/o/r/actions/runs/7?x=1",
            "https://ghes.example.test/o/r/actions/runs/7#x",
            "https://ghes.example.test:443/o/r/actions/runs/7",
            "https://u@ghes.example.test/o/r/actions/runs/7",
            "http://ghes.example.test/o/r/actions/runs/7",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!kept(other, Some(page)), "{other}");
        }
        assert!(!kept(&format!("{RUNS}7"), Some(page)), "a recorded run is the only one");
    }

    #[test]
    fn a_recorded_page_that_is_not_plain_https_is_not_kept_either() {
        for page in ["http://127.0.0.1/7", "https://h.test:8443/7", "https://h.test/7?x"] {
            assert!(!kept(page, Some(page)), "{page}");
        }
    }

    #[test]
    fn before_a_run_is_recorded_the_prefix_and_digits_decide() {
        let at = |id: &str| kept(&format!("{RUNS}{id}"), None);
        assert!(at("1") && at(&"9".repeat(20)));
        for id in ["", &"9".repeat(21), "1a", "1/2", "../1", "%31", "-1", "１"] {
            assert!(!at(id), "{id}");
        }
        assert!(!kept("https://github.com.evil.test/zop-dev/zopnight-builder/actions/runs/1", None));
        assert!(kept_log_url(&format!("{RUNS}1"), None, None).is_none());
    }
}
