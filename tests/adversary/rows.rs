//! The rows tried so far, in the order of the table.

use crate::attack::Row;

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
    lp01
    lp05
    lp07
    mg03
    mg06
    p1p03
    p1p06
    tv01
    tv02
    tv03
    tv04
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
    tv20
    tv21
    tv22
    tv25
    tv26
    tv27
    tv32
    tv37
    tv38
    tv39
    tv42
    tv43
    tv46
    tv50
    tv51
    tv52
}
