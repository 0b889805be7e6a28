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
    bw04
    bw05
    dl01
    lp05
    p1p03
    p1p06
    tv01
    tv03
    tv04
    tv06
    tv07
    tv08
    tv10
    tv13
    tv14
    tv26
    tv37
    tv39
    tv46
}
