//! Integration tests: the production server in process, the real client, real cryptography.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod blindness;
mod callers;
mod cli;
mod cold;
mod crash;
mod digests;
mod docs;
mod email;
mod expiry;
mod fences;
mod guard;
mod key_health;
mod keys;
mod layers;
mod monitors;
mod notices;
mod offboarding;
mod operator;
mod queue;
mod replicas;
mod rotation;
mod story;
mod team_mail;
mod together;
mod tour;
mod world;
