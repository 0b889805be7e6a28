//! The contract between clients and server.
