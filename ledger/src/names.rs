//! The grammar of secret names: `segment *( "/" segment )`, a segment being a letter, digit or `_`, then also `.` and `-`.
//!
//! `supabase/access_token` is a name; plain folders are prefixes. Names are NFC and case-sensitive.

use crate::fault::{Code, Fault};
use crate::limits::MAX_NAME;
use unicode_normalization::is_nfc;

/// Checks a full name.
pub fn check(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(refused("a name must not be empty"));
    }
    if name.len() > MAX_NAME {
        return Err(refused("a name must not exceed 256 bytes"));
    }
    if !is_nfc(name) {
        return Err(refused("a name must be in Unicode normal form NFC"));
    }
    if name.split('/').all(is_segment) {
        Ok(())
    } else {
        Err(refused("a name is segments joined by '/', each a letter, digit or '_' followed by letters, digits, '_', '.' or '-'"))
    }
}

/// Checks a namespace's prefix: empty, a folder ending in `/`, or one full name.
pub fn check_prefix(prefix: &str) -> Result<(), Fault> {
    match prefix.strip_suffix('/') {
        _ if prefix.is_empty() => Ok(()),
        Some(folder) => check(folder),
        None => check(prefix),
    }
}

/// The full name of a relative name under a prefix.
pub fn join(prefix: &str, relative: &str) -> Result<String, Fault> {
    let whole_name = !prefix.is_empty() && !prefix.ends_with('/');
    if whole_name != relative.is_empty() {
        return Err(refused("a relative name is empty exactly where the prefix is a full name"));
    }
    let full = format!("{prefix}{relative}");
    check(&full).map(|()| full)
}

fn is_segment(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next().is_some_and(|c| c.is_alphanumeric() || c == '_') && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn refused(why: &'static str) -> Fault {
    Fault::new(Code::Name, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "supabase/access_token", "A.b-c/_x/9", "clé"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "-a", ".a", "a b", "a/../b", "a\0", "e\u{301}", "a=b", "a\nb"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn prefixes_are_empty_folders_or_one_name() {
        assert_eq!(join("stripe/", "live").unwrap(), "stripe/live");
        assert_eq!(join("stripe/live", "").unwrap(), "stripe/live");
        assert_eq!(join("", "x").unwrap(), "x");
        assert!(join("stripe/", "").is_err() && join("stripe/live", "x").is_err() && join("", "").is_err());
        assert!(check_prefix("").is_ok() && check_prefix("a/").is_ok() && check_prefix("a/b").is_ok() && check_prefix("/").is_err());
    }
}
