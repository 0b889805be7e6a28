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
    bw05
    p1p06
    tv01
    tv08
    tv37
    tv39
}
