//! Integration tests: the production server in process, the real client, real cryptography.

mod layers;
mod story;
mod world;
