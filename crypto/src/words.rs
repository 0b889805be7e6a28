//! Safety words: a key id as ten words that two people can read to each other.
//!
//! The list is BIP-39's English one (`words.txt`, MIT licence): 2,048 words that differ in their first four letters.

use keyvawlt_ledger::KeyId;

const WORDS: &str = include_str!("words.txt");
/// log2 of the list's length.
pub(crate) const WORD_BITS: usize = 11;

/// The first 110 bits of a key id. An attacker who grinds keys would need 2^110 of them to meet another person's words.
pub fn safety_words(key_id: &KeyId) -> [&'static str; 10] {
    std::array::from_fn(|place| word(index(key_id, place * WORD_BITS)))
}

fn index(key_id: &KeyId, first_bit: usize) -> usize {
    (first_bit..first_bit + WORD_BITS).fold(0, |index, bit| {
        let byte = key_id.0.get(bit / 8).copied().unwrap_or_default();
        index << 1 | usize::from(byte >> (7 - bit % 8) & 1)
    })
}

/// A word by its number.
pub(crate) fn word(index: usize) -> &'static str {
    WORDS.lines().nth(index).expect("the list has 2,048 words, and eleven bits number no more")
}

/// The number of a word.
pub(crate) fn position(word: &str) -> Option<usize> {
    WORDS.lines().position(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_list_is_the_published_one() {
        assert_eq!(hex::encode(Sha256::digest(WORDS)), "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
        assert_eq!(WORDS.lines().count(), 2048);
    }

    #[test]
    fn words_are_the_first_110_bits() {
        assert_eq!(safety_words(&KeyId([0; 32])), ["abandon"; 10]);
        assert_eq!(safety_words(&KeyId([0xff; 32])), ["zoo"; 10]);
        let mut id = [0; 32];
        id[1] = 0b0011_0000; // bits 10 and 11: the last of the first word, the first of the second
        assert_eq!(safety_words(&KeyId(id))[..3], ["ability", "length", "abandon"]);
    }
}
