//! The ledger's rules as sentences: what is accepted, what is refused, and with which code.

mod access;
mod invites;
mod manifests;
mod members;
mod namespaces;
mod order;
mod people;
mod properties;

mod weak_keys;
mod world;
mod writing;
