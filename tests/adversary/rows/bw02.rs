//! BW02 (with BW01): when keys are made or rotated, the server supplies the public key of an escrow. There is no escrow in the contract: no
//! answer says to whom else a client should seal anything, and no request carries a key in clear.

use crate::attack::{Expected, Row, Try};
use crate::contract::names_none_of;

pub const ROW: Row = Row {
    id: "BW02",
    title: "Supplies an escrow's key when keys are made or rotated (also BW01)",
    tries: &[Try::new("the contract names no escrow, recovery key, or key in clear", Expected::Absent(check))],
};

fn check() {
    names_none_of(&["escrow", "recover", "private", "secret_key", "master", "password", "passphrase", "plain", "seed", "policy"]);
}
