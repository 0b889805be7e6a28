//! What may be done, and doing it.
