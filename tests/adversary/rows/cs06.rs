//! CS06: chunks of a file are reordered, or a file is cut short. A secret is one ciphertext; there are no chunks.

use crate::attack::{Expected, Row, Try};
use crate::contract::names_none_of;

pub const ROW: Row = Row {
    id: "CS06",
    title: "Reorders or drops chunks of one value",
    tries: &[Try::new("the contract knows no parts of a value", Expected::Absent(check))],
};

fn check() {
    names_none_of(&["chunk", "part", "offset", "segment", "block"]);
}
