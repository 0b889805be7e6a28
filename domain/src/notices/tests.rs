//! Notices on both stores, with a clock that tests move.

mod certificates;
mod channels;
mod digests;
mod expiry;
mod log;
mod monthly;
mod preferences;
mod raising;
mod set_back;
mod teams;
mod world;
