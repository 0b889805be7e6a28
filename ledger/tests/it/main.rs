//! The ledger's rules as sentences: what is accepted, what is refused, and with which code.

mod access;
mod annals;
mod checks;
mod evidence;
mod explore;
mod fuzz;
mod histories;
mod invites;
mod logins;
mod manifests;
mod members;
mod namespaces;
mod newest;
mod order;
mod people;
mod properties;
mod start;
mod story;
mod vector_checks;
mod vectors;
mod weak_keys;
mod world;
mod wraps;
mod writing;
