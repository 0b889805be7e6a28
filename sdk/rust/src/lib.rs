//! The KeyVawlt client library: connect, unlock, verify, read, write, share.
