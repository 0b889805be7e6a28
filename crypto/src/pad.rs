//! Padding before encryption: `80 00*` up to one of few sizes, so that a ciphertext's length says little about what is inside.
//!
//! Reading is strict: one content has one padded form.

use crate::aead::unopened;
use keyvawlt_ledger::Fault;
use zeroize::Zeroizing;

/// The small sizes of payloads; beyond the last follows Padmé (at most 12 % more).
const SIZES: [usize; 5] = [256, 512, 1024, 2048, 4096];
/// Names are padded to multiples of this.
const NAME_BLOCK: usize = 64;

/// Pads a payload.
pub fn pad(content: &[u8]) -> Zeroizing<Vec<u8>> {
    fill(content, payload_size(content.len()))
}

/// Reads a padded payload.
pub fn unpad(padded: &[u8]) -> Result<&[u8], Fault> {
    strip(padded, payload_size)
}

/// Pads a name.
pub fn pad64(content: &[u8]) -> Zeroizing<Vec<u8>> {
    fill(content, name_size(content.len()))
}

/// Reads a padded name.
pub fn unpad64(padded: &[u8]) -> Result<&[u8], Fault> {
    strip(padded, name_size)
}

fn fill(content: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(content);
    padded.push(0x80);
    padded.resize(size, 0);
    padded
}

fn strip(padded: &[u8], size: impl Fn(usize) -> usize) -> Result<&[u8], Fault> {
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or_else(unopened)?;
    match padded.split_at_checked(end) {
        Some((content, [0x80, ..])) if size(content.len()) == padded.len() => Ok(content),
        _ => Err(unopened()),
    }
}

fn payload_size(content: usize) -> usize {
    let least = content + 1;
    SIZES.into_iter().find(|size| *size >= least).unwrap_or_else(|| padme(least))
}

/// Padmé (Nikitin et al., PETS 2019): round up so that the lower bits of the length are zero, keeping log2(log2(L)) + 1 leading ones.
fn padme(least: usize) -> usize {
    let exponent = least.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << (exponent - kept)) - 1;
    (least + mask) & !mask
}

fn name_size(content: usize) -> usize {
    (content + 1).next_multiple_of(NAME_BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_protocol() {
        for (content, size) in
            [(0, 256), (255, 256), (256, 512), (1023, 1024), (4095, 4096), (4096, 4352), (65_536, 67_584), (70_000, 71_680)]
        {
            assert_eq!(pad(&vec![7; content]).len(), size, "{content}");
        }
        for (content, size) in [(0, 64), (63, 64), (64, 128), (256, 320)] {
            assert_eq!(pad64(&vec![7; content]).len(), size, "{content}");
        }
    }

    #[test]
    fn a_second_padded_form_is_refused() {
        let mut longer = pad(b"x").to_vec();
        longer.resize(512, 0);
        assert!(unpad(&longer).is_err());
        assert!(unpad(&[0; 256]).is_err() && unpad(&[]).is_err() && unpad(&[0x80]).is_err());
        let mut other = pad(b"x").to_vec();
        other[1] = 0x81;
        assert!(unpad(&other).is_err());
    }
}
