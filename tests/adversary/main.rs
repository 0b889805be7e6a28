//! The malicious-server suite: real clients, the real server, and between them a server that lies.
//!
//! One module per row of the attack table below `rows/`. Every attack has a control, the same flow told the truth, which must succeed; told to
//! all clients and told to one only, the lie must be detected with its code, followed by no write, and no canary byte may reach the server.
//! What the run finds is compared with docs/attacks.md and docs/attacks.json (`table.rs`).

mod annals;
mod attack;
mod black_box;
mod broken_off;
mod colluder;
mod contract;
mod files;
mod folder;
mod forge;
mod insider;
mod killed;
mod moves;
mod mutations;
mod person;
mod proxy;
mod rows;
mod rpcs;
mod scene;
mod suite;
mod table;
