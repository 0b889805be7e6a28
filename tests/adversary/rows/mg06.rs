//! MG06: clients tell the server why something did not open, which makes an oracle. No call tells the server of a failure: each row here that is
//! detected shows that nothing is sent after it.

use crate::attack::{Expected, Row, Try};
use crate::contract::names_only;

pub const ROW: Row = Row {
    id: "MG06",
    title: "Learns from clients how an opening failed",
    tries: &[Try::new("the contract has no call that tells of failures", Expected::Absent(check))],
};

fn check() {
    let words = ["error", "fault", "fail", "crash", "diagnos", "telemetry", "feedback", "reject"];
    // What the server says to people of its own messages; no client says it to the server.
    names_only(&words, &["Channel.failing_since_ms", "Delivery.error"]);
}
