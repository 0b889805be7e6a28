//! The KeyVawlt command line, as a library so that tests and the binary share one code.
//!
//! Invariants: no secret's value is ever needed in an argument, and none appears in an error or a
//! log line. Absent: cryptography and the wire, which live in `keyvawlt-client`.

pub mod args;
pub mod commands;
pub mod dialect;
pub mod due;
pub mod duration;
pub mod edit;
pub mod envfile;
pub mod evidence;
pub mod exit;
pub mod explain;
pub mod facts;
pub mod failure;
pub mod files;
pub mod import;
pub mod lockfile;
pub mod login;
pub mod names;
pub mod output;
pub mod prompt;
pub mod reference;
pub mod report;
pub mod roster;
pub mod rotation;
pub mod run;
pub mod settings;
pub mod vault;
