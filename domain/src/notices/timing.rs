//! When a message goes: at once, after a while of gathering, after quiet hours, or at the hour of the daily digest. Pure.

/// How long a message waits for company: the scans of a sweep, the batches of an import. Longer would be felt, shorter would make many mails of
/// one.
pub const GATHER_MS: u64 = 15 * 1000;

/// When a message goes, and with what it is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Open deliveries of one recipient are told apart by this.
    pub(super) gathers: &'static str,
    pub(super) run_at_ms: u64,
    pub(super) digest: bool,
}

/// Whatever cannot wait goes at once.
pub(super) fn slot(now_ms: u64, urgent: bool) -> Slot {
    if urgent {
        return Slot { gathers: "urgent", run_at_ms: now_ms, digest: false };
    }
    Slot { gathers: "instant", run_at_ms: now_ms + GATHER_MS, digest: false }
}
