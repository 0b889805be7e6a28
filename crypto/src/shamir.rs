//! Splitting a secret: any `threshold` of the shares give it back, fewer say nothing about it.
//!
//! Shamir's scheme over GF(2⁸) with AES's polynomial, byte by byte, without tables or branches on secrets. A share names its set, its threshold
//! and its place; a checksum inside the secret tells a false share from a true one.

use crate::armor::{self, Fields, refused};
use keyvawlt_ledger::Fault;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const NAME: &str = "a share";
const PREFIX: &str = "kvp1_";
const VERSION: u8 = 1;
/// What tells shares of one secret from those of another, cut at another time.
const SET_LEN: usize = 8;
/// The first bytes of SHA-256 of the secret, behind it.
const CHECK_LEN: usize = 4;
/// Shares of one secret: more people than can be brought together.
pub const MAX_SHARES: u8 = 16;

/// One share, as it is printed.
pub type Share = Zeroizing<String>;

/// Cuts a secret into `count` shares of which any `threshold` give it back.
pub fn split(secret: &[u8], threshold: u8, count: u8, rng: &mut impl CryptoRng) -> Result<Vec<Share>, Fault> {
    if threshold < 2 || threshold > count || count > MAX_SHARES {
        return Err(refused(format!(
            "a secret is split into at most {MAX_SHARES} shares, of which two or more, and not more than all, are needed"
        )));
    }
    let mut set = [0; SET_LEN];
    rng.fill_bytes(&mut set);
    let mut whole = Zeroizing::new(Vec::with_capacity(secret.len() + CHECK_LEN));
    whole.extend_from_slice(secret);
    whole.extend(Sha256::digest(secret).iter().take(CHECK_LEN));
    // A polynomial of each byte: the byte itself, then random coefficients.
    let mut coefficients = Zeroizing::new(vec![0; whole.len() * usize::from(threshold - 1)]);
    rng.fill_bytes(&mut coefficients);
    let share = |x: u8| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SET_LEN + 3 + whole.len()));
        bytes.extend_from_slice(&[VERSION]);
        bytes.extend_from_slice(&set);
        bytes.extend_from_slice(&[threshold, x]);
        let rows = coefficients.chunks(usize::from(threshold - 1));
        bytes.extend(whole.iter().zip(rows).map(|(byte, row)| at(*byte, row, x)));
        armor::wrap(PREFIX, &bytes)
    };
    Ok((1..=count).map(share).collect())
}

/// Whether a text is meant as a share.
pub fn is_share(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Puts shares together. More than needed are held against each other.
pub fn combine(shares: &[&str]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let read: Vec<Read> = shares.iter().map(|share| Read::of(share)).collect::<Result<_, _>>()?;
    let first = read.first().ok_or_else(|| refused("there are no shares"))?;
    if read.iter().any(|share| share.set != first.set || share.threshold != first.threshold || share.bytes.len() != first.bytes.len()) {
        return Err(refused("these shares belong to different secrets, or were cut at different times"));
    }
    let places: BTreeSet<u8> = read.iter().map(|share| share.x).collect();
    if places.len() != read.len() {
        return Err(refused("the same share is given twice"));
    }
    if read.len() < usize::from(first.threshold) {
        return Err(refused(format!("{} shares are needed, and these are {}", first.threshold, read.len())));
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(first.bytes.len()));
    for at in 0..first.bytes.len() {
        whole.push(interpolate(&read, at));
    }
    let (secret, sum) = whole.split_at_checked(whole.len().saturating_sub(CHECK_LEN)).unwrap_or_default();
    if sum.len() != CHECK_LEN || !Sha256::digest(secret).starts_with(sum) {
        return Err(refused("the shares do not fit together: one of them is not genuine"));
    }
    Ok(Zeroizing::new(secret.to_vec()))
}

/// A share that was read.
struct Read {
    set: [u8; SET_LEN],
    threshold: u8,
    x: u8,
    bytes: Zeroizing<Vec<u8>>,
}

impl Read {
    fn of(text: &str) -> Result<Self, Fault> {
        let bytes = armor::unwrap(NAME, PREFIX, text.trim())?;
        let mut fields = Fields::new(NAME, &bytes);
        if fields.take() != Ok([VERSION]) {
            return Err(refused("a share of another version: upgrade required"));
        }
        let set = fields.take()?;
        let [threshold, x] = fields.take()?;
        if x == 0 || threshold < 2 {
            return Err(refused("a share is malformed"));
        }
        Ok(Self { set, threshold, x, bytes: Zeroizing::new(fields.rest().to_vec()) })
    }
}

/// The polynomial's value: `secret + row[0] x + row[1] x² + …`.
fn at(secret: u8, row: &[u8], x: u8) -> u8 {
    secret ^ multiply(row.iter().rev().fold(0, |sum, coefficient| multiply(sum, x) ^ coefficient), x)
}

/// The value at zero of the polynomial through all shares (Lagrange).
fn interpolate(shares: &[Read], at: usize) -> u8 {
    shares.iter().fold(0, |sum, share| {
        let others = shares.iter().filter(|other| other.x != share.x);
        // x_other / (x_other - x_share); subtraction is XOR.
        let weight = others.fold(1, |weight, other| multiply(weight, multiply(other.x, invert(other.x ^ share.x))));
        sum ^ multiply(weight, share.bytes.get(at).copied().unwrap_or_default())
    })
}

/// The product in GF(2⁸) modulo x⁸ + x⁴ + x³ + x + 1, in the same steps whatever the factors.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut a) = (0, a);
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        let carry = (a >> 7).wrapping_neg();
        a = a << 1 ^ carry & 0x1b;
    }
    product
}

/// The inverse, which is the 254th power.
fn invert(a: u8) -> u8 {
    let mut power = 1;
    for bit in [1, 1, 1, 1, 1, 1, 1, 0_u8] {
        power = multiply(power, power);
        power = multiply(power, a & bit.wrapping_neg() | (bit ^ 1));
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn the_field_is_that_of_fips_197() {
        // Section 4.2 of the standard, and the inverse behind the example of section 5.1.1: S({53}) = {ed}.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        assert_eq!([0x02, 0x04, 0x08, 0x10].map(|x| multiply(0x57, x)), [0xae, 0x47, 0x8e, 0x07]);
        assert_eq!(invert(0x53), 0xca);
        assert!((1..=255).all(|a| multiply(a, invert(a)) == 1));
    }

    #[test]
    fn shares_of_others_repeated_missing_and_false_ones_are_told_apart() {
        let mut rng = StdRng::seed_from_u64(1);
        let shares = split(b"a secret", 3, 5, &mut rng).unwrap();
        let others = split(b"a secret", 3, 5, &mut rng).unwrap();
        let all: Vec<&str> = shares.iter().map(|share| share.as_str()).collect();
        let why = |shares: &[&str]| combine(shares).unwrap_err().why.into_owned();
        assert_eq!(*combine(&all[1..4]).unwrap(), b"a secret");
        assert_eq!(*combine(&all).unwrap(), b"a secret");
        assert!(why(&[]).contains("no shares"));
        assert!(why(&all[..2]).contains("3 shares are needed, and these are 2"));
        assert!(why(&[all[0], all[1], all[1]]).contains("twice"));
        assert!(why(&[all[0], all[1], &others[2]]).contains("different"));
        assert!(why(&[all[0], all[1], "kvb1_x"]).contains("begins with kvp1_"));
        assert!(why(&[all[0], all[1], &all[2][..20]]).contains("cut off"));
        let mut false_one = armor::unwrap(NAME, PREFIX, all[2]).unwrap();
        *false_one.last_mut().unwrap() ^= 1;
        assert!(why(&[all[0], all[1], &armor::wrap(PREFIX, &false_one)]).contains("not genuine"));
        for (threshold, count) in [(1, 2), (3, 2), (2, 17), (0, 0)] {
            assert!(split(b"x", threshold, count, &mut rng).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_so_many_shares_give_the_secret_back(secret in prop::collection::vec(any::<u8>(), 0..200), count in 2_u8..=16, seed: u64, order in any::<prop::sample::Index>()) {
            let mut rng = StdRng::seed_from_u64(seed);
            let threshold = 2 + u8::try_from(order.index(usize::from(count - 1))).unwrap();
            let mut shares = split(&secret, threshold, count, &mut rng).unwrap();
            shares.rotate_left(order.index(usize::from(count)));
            let some: Vec<&str> = shares.iter().take(usize::from(threshold)).map(|share| share.as_str()).collect();
            prop_assert_eq!(&*combine(&some).unwrap(), &secret);
        }

        #[test]
        fn one_share_fewer_fits_every_secret(secret: u8, other: u8, row in prop::collection::vec(any::<u8>(), 2..8)) {
            // With the shares of one polynomial less than needed, another of the same degree through them has any other value at zero.
            let held: Vec<u8> = (1..=u8::try_from(row.len()).unwrap()).collect();
            let share = |x: u8, y: u8| Read { set: [0; SET_LEN], threshold: 2, x, bytes: Zeroizing::new(vec![y]) };
            let mut known: Vec<Read> = held.iter().map(|x| share(*x, at(secret, &row, *x))).collect();
            let reached = (0..=255).any(|y| {
                known.push(share(200, y));
                let value = interpolate(&known, 0);
                known.pop();
                value == other
            });
            prop_assert!(reached);
        }
    }
}
