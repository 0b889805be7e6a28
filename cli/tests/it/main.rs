//! The command line from outside.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test helpers fail and report by these")]

mod errors;
mod local;
mod manual;
mod readers;
mod run;
