//! The ledger's rules as sentences: what is accepted, what is refused, and with which code.

mod invites;
mod members;
mod people;
mod world;
mod writing;
