//! Every limit of the protocol, with its reason.

/// A secret's value: larger things belong in a file store; the largest service account key seen is 12 KiB.
pub const MAX_VALUE: usize = 64 * 1024;
/// A full name: what file systems allow for a path segment, and fits one padded block row of a listing.
pub const MAX_NAME: usize = 256;
/// Facts travel in clear in every listing.
pub const MAX_FACTS: usize = 4 * 1024;
/// An organization link without fences.
pub const MAX_LINK: usize = 64 * 1024;
/// A manifest link with 1,000 operations.
pub const MAX_MANIFEST_LINK: usize = 256 * 1024;
/// A link with fences: 16,000 fences of about 55 bytes.
pub const MAX_LINK_WITH_FENCES: usize = 1024 * 1024;
/// Any signed statement: links with fences are the longest.
pub const MAX_STATEMENT: usize = MAX_LINK_WITH_FENCES;
/// Items of one document or batch while they are decoded, 32 bytes each: 16,000 fences have about 100,000, 4,096 links 200,000.
pub const MAX_ITEMS: usize = 1 << 19;
/// A file of evidence: two organization links and two manifest links of the longest, and keys.
pub const MAX_EVIDENCE: usize = 4 * 1024 * 1024;
/// A health report: identifiers, three numbers and an outcome take 200 bytes.
pub const MAX_HEALTH_REPORT: usize = 512;
/// Operations of one manifest link.
pub const MAX_OPS: usize = 1_000;
/// Live secrets of one namespace.
pub const MAX_LIVE: u64 = 50_000;
/// Leaves of one namespace, deleted ones included.
pub const MAX_LEAVES: u64 = 1 << 20;
/// Namespaces below one environment, itself included.
pub const MAX_NAMESPACES_PER_ENVIRONMENT: u64 = 1_000;
/// Namespaces of one organization; a removal may have to fence them all.
pub const MAX_NAMESPACES: u64 = 16_000;
/// Holders of explicit access in one namespace: an epoch wraps for each.
pub const MAX_HOLDERS: usize = 1_000;
/// Readers of the directory: all people.
pub const MAX_DIRECTORY_READERS: usize = 10_000;
/// Members of one organization.
pub const MAX_MEMBERS: u64 = 10_000;
/// Levels of namespaces, the environment included.
pub const MAX_LEVELS: usize = 3;
/// `seen` heads in one organization link.
pub const MAX_SEEN: usize = 32;
/// `with` heads in one manifest link.
pub const MAX_WITH: usize = 8;
/// Bytes of one batch with its wraps and objects.
pub const MAX_BATCH: usize = 16 * 1024 * 1024;
/// How far a time stamp may lie ahead of the verifier's clock: clocks of laptops drift by minutes, not hours.
pub const MAX_SKEW_MS: u64 = 10 * 60 * 1000;
/// Links after which a checkpoint must carry the state hash.
pub const CHECKPOINT_INTERVAL: u64 = 64;
/// Longest life of an invite that carries keys of an environment.
pub const MAX_PREWRAP_MS: u64 = 72 * 3600 * 1000;
