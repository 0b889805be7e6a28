//! BW03 (with BW06, LP03): the server names an address to which the client sends a secret: a key connector, an icon. The contract knows
//! addresses only of what the server itself looks at or sends notices to; clients send nothing there. What asks providers about keys takes their
//! addresses from the program's own catalogue and from whoever runs it, and follows nothing.

use crate::attack::{Expected, Row, Try};
use crate::contract::{clients_say_only_in, locks_none_of, names_only};

pub const ROW: Row = Row {
    id: "BW03",
    title: "Names an address to which the client sends something (also BW06, LP03)",
    tries: &[
        Try::new("the contract names no addresses but those that the server itself looks at or sends notices to", Expected::Absent(contract)),
        Try::new("of the clients' sources one connects to anything but the server: what asks providers about keys", Expected::Absent(sockets)),
        Try::new("no HTTP client is in the program that follows redirects, proxies or addresses it is told", Expected::Absent(crates)),
    ],
};

fn contract() {
    let words = ["url", "uri", "href", "icon", "address", "endpoint", "redirect", "host", "origin", "connector", ".target", "leads_to"];
    let monitors = ["CreateMonitorRequest.target", "Monitor.target", "MonitorTarget.url", "UpdateMonitorRequest.target"];
    let channels = ["AddChannelRequest.target", "Channel.leads_to"];
    names_only(&words, &[&channels[..], &monitors[..]].concat());
}

fn sockets() {
    clients_say_only_in(&["TcpStream", "UdpSocket", "lookup_host", "hyper::client"], &["sdk/rust/src/health/http.rs"]);
}

fn crates() {
    locks_none_of(&["reqwest", "ureq", "curl", "isahc", "attohttpc", "surf", "awc"]);
}
