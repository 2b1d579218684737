//! Branch names: git's rules for `refs/heads/<name>` and a few of ours.

use super::grammar::{rule, text_type};
use super::hex::is_hex;

text_type! {
    /// A branch name, 1..=244 bytes of UTF-8, case-sensitive. What `git check-ref-format refs/heads/<name>` refuses is
    /// refused, and besides: a leading `-`, `HEAD`, `@`, the prefix `refs/`, and 40 or 64 hex digits.
    BranchName, "branch", check
}

fn check(name: &str) -> Result<(), &'static str> {
    rule((1..=244).contains(&name.len()), "must be 1 to 244 bytes long")?;
    for component in name.split('/') {
        rule(!component.is_empty(), "must have no empty path component")?;
        rule(!component.starts_with('.'), "no path component may begin with a dot")?;
        rule(!component.ends_with(".lock"), "no path component may end with .lock")?;
    }
    rule(!name.contains(".."), "must not contain ..")?;
    rule(!name.contains("@{"), "must not contain @{")?;
    rule(!name.ends_with('.'), "must not end with a dot")?;
    let forbidden = |b: u8| b <= 0x20 || b == 0x7F || b"~^:?*[\\".contains(&b);
    rule(!name.bytes().any(forbidden), "must not contain spaces, control characters or any of ~ ^ : ? * [ \\")?;
    rule(!name.starts_with('-'), "must not begin with -")?;
    rule(name != "HEAD" && name != "@", "must not be HEAD or @")?;
    rule(!name.starts_with("refs/"), "must not begin with refs/")?;
    let lower = name.to_ascii_lowercase();
    rule(!is_hex(&lower, 40) && !is_hex(&lower, 64), "must not look like a commit id")
}
