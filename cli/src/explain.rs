//! What each code means: what happened, what may be behind it, what to do. `keyvawlt explain` and docs/errors.md read the same table.
//!
//! Invariant: every code of the ledger, every exit and every reason of the server has its texts; the compiler or a test names a missing one.

use std::fmt::Write as _;

use keyvawlt_client::ledger::Code;

use crate::exit::Exit;

mod codes;
mod words;

/// The texts of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Texts {
    /// What happened.
    pub what: &'static str,
    /// What it may mean: a mistake, a defect, a restored backup, an attack.
    pub means: &'static str,
    /// What to do.
    pub act: &'static str,
}

/// One code with its texts.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explanation {
    /// As it is shown in `error[…]`.
    pub code: &'static str,
    /// The exit it comes with, where it is always the same.
    pub exit: Option<u8>,
    /// Its texts.
    #[serde(flatten)]
    pub texts: Texts,
}

const fn texts(what: &'static str, means: &'static str, act: &'static str) -> Texts {
    Texts { what, means, act }
}

/// The codes of the protocol.
pub fn of_protocol() -> Vec<Explanation> {
    Code::ALL.iter().map(|code| Explanation { code: code.as_str(), exit: None, texts: codes::of(*code) }).collect()
}

/// The words of the exits, and the finer ones that some failures have instead.
pub fn of_exits() -> Vec<Explanation> {
    let exits = Exit::ALL.iter().map(|exit| Explanation { code: exit.word(), exit: Some(exit.number()), texts: words::of_exit(*exit) });
    let finer = words::FINER.iter().map(|(code, exit, texts)| Explanation { code, exit: exit.map(Exit::number), texts: *texts });
    exits.chain(finer).collect()
}

/// The reasons that the server gives.
pub fn of_server() -> Vec<Explanation> {
    words::REASONS.iter().map(|(code, texts)| Explanation { code, exit: None, texts: *texts }).collect()
}

/// All of one code, or of an exit's number, whatever the case; a word may be an exit's and a reason of the server.
pub fn find(code: &str) -> Vec<Explanation> {
    let code = Exit::ALL.iter().find(|exit| exit.number().to_string() == code).map_or(code, |exit| exit.word());
    let all = of_protocol().into_iter().chain(of_exits()).chain(of_server());
    all.filter(|known| known.code.eq_ignore_ascii_case(code)).collect()
}

/// docs/errors.md.
pub fn manual() -> String {
    let mut text = HEAD.to_owned();
    let parts = [(PROTOCOL, of_protocol()), (EXITS, of_exits()), (SERVER, of_server())];
    for (heading, explanations) in parts {
        text.push_str(heading);
        for Explanation { code, exit, texts } in explanations {
            let exit = exit.map(|exit| format!(" (exit {exit})")).unwrap_or_default();
            let _ = write!(
                text,
                "### {code}{exit}\n\n{}\n\n*What it may mean.* {}\n\n*What to do.* {}\n\n",
                texts.what, texts.means, texts.act
            );
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

const HEAD: &str = "\
# Errors

What each code means and what to do. `keyvawlt explain CODE` prints the same; the program writes this file, and a test compares.

A failure is one line, `keyvawlt: error[CODE]: what: why; what next`, and the process ends with the exit's number.

## When something does not verify

Exit 17 is never a matter of trying again: what the server delivered contradicts what members signed, or what this device has verified before.
Nothing of it was used, nothing was written, and what was verified before stays as it is. It need not be an attack: the same contradiction comes
from a server that was restored from a backup, from a defect, and for some codes from a member. Do not delete this device's state to be rid of
the message: it is what noticed.

The command line keeps **evidence**, a file of its state directory that it names in the message: the newest statements it had verified and the one
that it refused, with the public keys of their authors, the server's origin and the versions. It holds no value, no name in clear and no private
key, and may be given to a colleague; whom it shows as author, and how many links there are, is what every member sees. Anybody can look at it,
without a server:

```sh
keyvawlt evidence check FILE
```

It says which statements are genuine, whether two of them cannot both belong to one history, and what that does not show: a server does not sign
what it delivers, so no file can prove *who* showed the second history. Compare the words it prints with `keyvawlt trust list`: they say whose
keys those are.

";

const PROTOCOL: &str = "## Codes of the protocol\n\nIn the order of `ledger/src/fault.rs`. They come with exit 17 where the server delivered it, with another where this device was asked to make it.\n\n";
const EXITS: &str = "## Exits and words of the command line\n\n";
const SERVER: &str =
    "## Reasons of the server\n\nAs `google.rpc.ErrorInfo.reason`, for programs that call the API; the command line translates them.\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_missing_and_none_is_written_twice() {
        let all: Vec<Explanation> = of_protocol().into_iter().chain(of_exits()).chain(of_server()).collect();
        for Explanation { code, texts, .. } in &all {
            for text in [texts.what, texts.means, texts.act] {
                assert!(text.len() > 5 && text.ends_with('.') && !text.contains('\n'), "{code}: {text:?}");
            }
        }
        for part in [of_protocol(), of_exits(), of_server()] {
            for (at, one) in part.iter().enumerate() {
                assert!(part[at + 1..].iter().all(|other| other.code != one.code), "{} has two entries", one.code);
            }
        }
        let what: std::collections::BTreeSet<_> = of_protocol().iter().map(|known| known.texts.what).collect();
        assert_eq!(what.len(), Code::ALL.len(), "two codes of the protocol have one text");
    }

    #[test]
    fn codes_are_found_by_name_and_by_number() {
        assert_eq!(find("e_rollback")[0].code, "E_ROLLBACK");
        assert_eq!(find("17")[0].code, "VERIFICATION_FAILED");
        assert_eq!(find("CONFLICT").len(), 2);
        assert!(find("E_NONE").is_empty());
    }
}
