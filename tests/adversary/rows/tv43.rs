//! TV43: a removed admin comes back by an invite that he left open. A join counts only while its inviter could still give it.

use super::tv20::{Join, LEFT_OPEN};
use crate::attack::{Row, Try};
use crate::moves::Forged;
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV43",
    title: "Lets a removed admin back in by an invite he left open",
    tries: &[Try::detected::<Forged<Join<LEFT_OPEN>>>("an invite made before the removal, never used", Code::Invite)],
};
