//! TV54: a server is restored from a backup, on purpose or not, and goes on from there. Whoever has seen more stops. (That clients bring back what
//! was lost is still to come.)

use super::tv01::OlderServer;
use crate::attack::{Row, Try};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV54",
    title: "Goes on from a restored backup (bringing back what was lost waits for the restore of servers)",
    tries: &[Try::detected_by_all::<OlderServer>("everybody is served from the backup", Code::Rollback)],
};
