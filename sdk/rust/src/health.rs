//! Health of keys: asking providers, harmlessly, whether a key still works, and telling the organization in signed reports.
//!
//! A key goes to its own provider and nowhere else: by the catalogue in this program, or where the caller says, never where a server says. What others
//! report is judged like every statement, and never goes back in time. Nothing here prints or keeps a key.

mod http;
mod known;
mod prober;
mod round;

pub use known::{KeyHealth, Verdict};
pub use prober::{Dial, Prober};
pub use round::{KeyCheck, Which};

#[cfg(test)]
mod tests;
