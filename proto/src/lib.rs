//! The contract between clients and server, generated from `keyvawlt/v1/*.proto`.
//!
//! Nothing is written by hand here but names that both sides must agree on. It knows no rule and no storage.

/// Package `keyvawlt.v1`.
#[expect(clippy::pedantic, clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("keyvawlt.v1");
}

/// The descriptor set, for reflection and for tests that walk every rpc.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keyvawlt.bin"));

/// The protocol this build speaks. Rises when a client or server of the last one can no longer take part.
pub const PROTOCOL: u32 = 1;

/// The oldest protocol this build accepts from the other side.
pub const MIN_PROTOCOL: u32 = 1;

/// Metadata key of a call: `<client name>/<version>; protocol=<n>`.
pub const CLIENT_HEADER: &str = "keyvawlt-client";

/// Metadata key of an answer: `<version>; protocol=<n>; min=<n>`.
pub const SERVER_HEADER: &str = "keyvawlt-server";

/// `ErrorInfo.domain` of every error.
pub const ERROR_DOMAIN: &str = "keyvawlt.dev";

/// The largest message either side accepts: a batch of 16 MiB, and room for its framing.
pub const MAX_MESSAGE: usize = 17 * 1024 * 1024;

/// What one answer of a read aims at, so that memory stays bounded; the reader asks again for the rest.
pub const PAGE_BYTES: usize = 2 * 1024 * 1024;
