//! BW03 (with BW06, LP03): the server names an address to which the client sends a secret: a key connector, an icon. The contract knows no
//! addresses. What asks providers about keys takes their addresses from the program's own catalogue and from whoever runs it, and follows nothing.

use crate::attack::{Expected, Row, Try};
use crate::contract::{locks_none_of, names_none_of};

pub const ROW: Row = Row {
    id: "BW03",
    title: "Names an address to which the client sends something (also BW06, LP03)",
    tries: &[
        Try::new("the contract names no address", Expected::Absent(contract)),
        Try::new("no HTTP client is in the program that follows redirects, proxies or addresses it is told", Expected::Absent(crates)),
    ],
};

fn contract() {
    names_none_of(&["url", "uri", "href", "icon", "address", "endpoint", "redirect", "host", "origin", "connector"]);
}

fn crates() {
    locks_none_of(&["reqwest", "ureq", "curl", "isahc", "attohttpc", "surf", "awc"]);
}
