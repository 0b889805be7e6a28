//! The command line as people and programs use it: the real binary against the real server, in the machine's own time.

mod lists;
mod machines;
mod people;
mod run;
mod secrets;
pub mod shell;
mod transfer;
