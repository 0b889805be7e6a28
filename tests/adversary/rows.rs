//! The rows, in the order of the table; and those that no play tries, with the reason or the feature that they wait for.

use crate::attack::{Row, Untried};

macro_rules! rows {
    ($($id:ident)+) => {
        $(mod $id;)+

        /// Every row.
        pub const ALL: &[&Row] = &[$(&$id::ROW),+];

        $(
            #[test]
            fn $id() {
                crate::table::record_of(&$id::ROW);
            }
        )+
    };
}

rows! {
    bw02
    bw03
    bw04
    bw05
    bw07
    bw08
    bw09
    bw10
    cs04
    cs06
    dl01
    in01
    ko01
    kr01
    lp01
    lp05
    lp07
    mg02
    mg03
    mg06
    mx01
    nc01
    p1p03
    p1p06
    sa01
    th01
    tv01
    tv02
    tv03
    tv04
    tv05
    tv06
    tv07
    tv08
    tv09
    tv10
    tv12
    tv13
    tv14
    tv15
    tv16
    tv17
    tv18
    tv19
    tv20
    tv21
    tv22
    tv23
    tv24
    tv25
    tv26
    tv27
    tv30
    tv32
    tv33
    tv34
    tv35
    tv36
    tv37
    tv38
    tv39
    tv40
    tv41
    tv42
    tv43
    tv44
    tv46
    tv47
    tv48
    tv49
    tv50
    tv51
    tv52
    tv53
    tv54
    tv55
    tv56
}

const OUT_OF_SCOPE: &str = "OUT OF SCOPE";
const TO_COME: &str = "to come";

/// Rows without a play.
pub const UNTRIED: &[Untried] = &[
    Untried {
        id: "CV01",
        title: "Deviates only where nobody looks",
        result: "in every row",
        why: "each lie is also told to one client alone, while the others hear the truth: the column \"told to one\"",
    },
    Untried {
        id: "TV28",
        title: "Drops or alters events of its audit log",
        result: TO_COME,
        why: "the log as a tree with signed checkpoints",
    },
    Untried {
        id: "TV29",
        title: "Serves malicious JavaScript",
        result: OUT_OF_SCOPE,
        why: "code that is loaded from the server at each visit can do anything; there is no web client",
    },
    Untried {
        id: "TV31",
        title: "Refuses service, or withholds everything",
        result: OUT_OF_SCOPE,
        why: "availability against the server itself is not promised; a client says that it was not served, and shows nothing older instead",
    },
];
