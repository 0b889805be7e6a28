//! The KeyVawlt command line.
fn main() {}
