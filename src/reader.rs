//! Standard output as a pipe has it: a reader that has seen enough is no failure of ours.
//!
//! Invariant: what is done is done whole, whoever reads of it; only a closed pipe is passed over. Absent: what is written.

use std::io::{ErrorKind, Result, Write};

/// Writes for as long as somebody reads, then to nobody.
pub(crate) struct WhileRead<W>(pub(crate) W);

impl<W: Write> Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}
