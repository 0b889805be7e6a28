//! SA01: one ciphertext that opens under two keys to two values (an invisible salamander), or that tells by opening which of many passwords is right
//! (a partitioning oracle). Everything sealed commits to its key and context before anything is decrypted.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use keyvawlt_crypto::{Key, aead};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "SA01",
    title: "Stores one ciphertext that opens under two keys",
    tries: &[Try::new("salt, commitment and ciphertext of two sealings, in every mixture", Expected::Defeated(|| Box::pin(async { mixed() })))],
};

/// Salt, then commitment, then ciphertext.
const PARTS: [std::ops::Range<usize>; 2] = [0..32, 32..64];

fn mixed() {
    let rng = &mut forge::rng();
    let keys = [Key::random(rng), Key::random(rng)];
    let sealed = [aead::seal(&keys[0], b"context", b"one value", rng), aead::seal(&keys[1], b"context", b"the other", rng)];
    for choice in 0..8_usize {
        let from = |part: usize| &sealed[choice >> part & 1];
        let mixture: Vec<u8> = [&from(0)[PARTS[0].clone()], &from(1)[PARTS[1].clone()], &from(2)[64..]].concat();
        let opened: Vec<usize> = (0..2).filter(|key| aead::open(&keys[*key], b"context", &mixture).is_ok()).collect();
        match choice {
            0 => assert_eq!(opened, [0], "the control: the first one itself"),
            7 => assert_eq!(opened, [1], "the control: the second one itself"),
            _ => assert_eq!(opened, Vec::<usize>::new(), "a mixture opens"),
        }
    }
    let other = aead::open(&keys[1], b"context", &sealed[0]).expect_err("another key");
    let elsewhere = aead::open(&keys[0], b"elsewhere", &sealed[0]).expect_err("another context");
    assert_eq!((other.code, &other), (Code::Aead, &elsewhere), "one error, whatever the reason");
}
