//! MG06: clients tell the server why something did not open, which makes an oracle. No call tells the server of a failure: each row here that is
//! detected shows that nothing is sent after it.

use crate::attack::{Expected, Row, Try};
use crate::contract::names_none_of;

pub const ROW: Row = Row {
    id: "MG06",
    title: "Learns from clients how an opening failed",
    tries: &[Try::new("the contract has no call that tells of failures", Expected::Absent(check))],
};

fn check() {
    names_none_of(&["error", "fault", "fail", "crash", "diagnos", "telemetry", "feedback", "reject"]);
}
