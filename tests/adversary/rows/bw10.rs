//! BW10 (with BW12, DL03, DL05, DL06, CS03): the server, or a payload, chooses weaker cryptography. There is one suite, nobody is asked, and
//! nothing that is delivered names a cipher.

use crate::attack::{Expected, Row, Try};
use crate::contract::{locks_none_of, names_none_of};

pub const ROW: Row = Row {
    id: "BW10",
    title: "Chooses weaker or older cryptography (also BW12, DL03, DL05, DL06, CS03)",
    tries: &[
        Try::new("the contract names no suite, cipher or mode", Expected::Absent(contract)),
        Try::new("no cipher without authentication and no RSA is in the program (also BW11, CS05, MG01, MG05)", Expected::Absent(crates)),
    ],
};

fn contract() {
    names_none_of(&["suite", "cipher", "algorithm", "mode", "legacy", "compat", "enc_type", "padding", "compress"]);
}

fn crates() {
    locks_none_of(&["rsa", "cbc", "ecb", "cfb-mode", "ofb", "ctr", "des", "rc4", "blowfish", "openssl", "pbkdf2"]);
}
