//! The command line as people and programs use it: the real binary against the real server, in the machine's own time.

mod bad_input;
mod drafts;
mod guard;
mod health;
mod keys;
mod lists;
mod lock;
mod machines;
mod membership;
mod monitors;
mod notices;
mod offboarding;
mod people;
mod restored;
mod rollback;
mod rotation;
mod run;
mod secrets;
pub mod shell;
mod structure;
mod transfer;
mod unwritable;
