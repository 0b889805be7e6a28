//! People and machines: letting them in, giving and taking access, and what is to be done once somebody left.

pub(crate) mod annals;
pub(crate) mod deliveries;
pub(crate) mod duties;
pub(crate) mod invites;
pub(crate) mod machines;
pub(crate) mod members;
pub(crate) mod membership;
pub(crate) mod offboarding;
pub(crate) mod reset;
pub(crate) mod trust;
pub(crate) mod worklist;
